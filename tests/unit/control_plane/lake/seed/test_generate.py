# pyright: reportMissingTypeStubs=false
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.rates import OWN, OWN_RATES, PRICED
from control_plane.lake.seed.story import Between, Plan
from control_plane.lake.seed.world import KEYS, OFFERS
from gateway.lake.parquet import encode_parquet
from gateway.lake.schema import BUCKETS, SCHEMA
from pricing.catalog import Catalog
from pricing.cost import cost
from pricing.money import nanousd, usd
from pricing.overrides import Override
from pricing.rates import Price
from pricing.usage import Usage

NOW_S = int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp())
PLAN = Plan(60_000, 16, 7, NOW_S)


class World(NamedTuple):
    """What one generation made, once for all tests here."""

    generator: Generator
    tables: list[Any]
    rows: list[dict[str, Any]]

    def within(self, between: Between, **values: object) -> list[dict[str, Any]]:
        return [
            row
            for row in self.rows
            if between.holds(row["ts"].timestamp()) and all(row[name] == value for name, value in values.items())
        ]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    generator = Generator(PLAN, plain_places("org_demo"))
    tables = [part.events for part in generator.parts()]
    yield World(generator, tables, pa.concat_tables(tables).to_pylist())
    generator.close()


def encoded(plan: Plan) -> list[bytes]:
    generator = Generator(plan, plain_places("org_demo"))
    try:
        return [encode_parquet(part.events, f"{part.day} {part.number}") for part in generator.parts()]
    finally:
        generator.close()


def test_the_same_plan_makes_the_same_bytes_and_another_seed_others():
    plan = Plan(3_000, 3, 7, NOW_S)

    assert encoded(plan) == encoded(plan)
    assert encoded(plan) != encoded(Plan(3_000, 3, 8, NOW_S))


def test_every_call_is_there_once_in_the_columns_of_a_landing_file(world):
    assert all(table.schema.equals(SCHEMA) for table in world.tables)
    assert len({row["request_id"] for row in world.rows}) == len(world.rows) == 60_000


def test_every_call_is_there_where_what_runs_away_is_stopped_in_the_last_hour():
    generator = Generator(Plan(2_000, 3, 7, 1_795_755_346), plain_places("org_demo"))
    slots = generator.calendar.slots
    assert slots[-1].source == "runaway"
    assert slots[-1].length_s < slots[-2].length_s
    assert sum(len(part.events) for part in generator.parts()) == 2_000
    generator.close()


def test_files_are_of_one_day_and_sorted_as_landing_files_are(world):
    generator = Generator(Plan(2_000, 3, 7, NOW_S), plain_places("org_demo"))
    for part in generator.parts():
        rows = part.events.select(["project_id", "ts", "request_id"]).to_pylist()
        keys = [(row["project_id"], row["ts"], row["request_id"]) for row in rows]
        assert keys == sorted(keys)
        assert {row["ts"].date() for row in rows} == {part.day}
    generator.close()


def test_every_cost_is_what_the_catalog_says_of_the_usage(world):
    listed = Catalog.load()
    own = Override(OWN.upstream, OWN.requested, dict(OWN_RATES), starts_at_s=world.generator.story.unpriced.to_s)
    catalog, catalogs = listed.with_overrides([own]), {offer.provider: offer.catalog for offer in OFFERS.values()}
    for row in world.rows:
        if row["tokens_in"] is None:
            assert row["cost_usd"] == (None if row["provenance"] == "unknown" else 0)
            continue
        usage = Usage(**{name: row[name] for name in PRICED})
        price = catalog.find(catalogs[row["provider"]], row["model"], int(row["ts"].timestamp()), scope=row["upstream"])
        assert (row["tokens_in"], row["tokens_out"]) == (usage.tokens_in, usage.tokens_out)
        if isinstance(price, Price):
            assert row["cost_usd"] == usd(cost(usage, price).nanousd)
            assert row["price_match"] == price.match
        else:
            assert (row["cost_usd"], row["price_match"]) == (None, "unpriced")


def test_unknown_is_not_zero(world):
    for row in world.rows:
        known = row["provenance"] in ("reported", "partial", "estimated")
        assert all((row[name] is not None) == known for name in (*BUCKETS, "tokens_in", "tokens_out"))


def test_the_spend_that_is_told_is_that_of_the_events(world):
    total = sum(nanousd(row["cost_usd"]) for row in world.rows if row["cost_usd"] is not None)

    assert sum(world.generator.spend.values()) == total
    everything = (PLAN.from_s, NOW_S)
    assert world.generator.spent("coding", *everything) == sum(
        nanousd(row["cost_usd"]) for row in world.rows if row["project_id"] == "prj_coding" and row["cost_usd"]
    )


def test_a_budget_refuses_once_it_is_spent_and_nothing_before(world):
    month = world.generator.story.month
    calls = world.within(month, project_id="prj_marketing")
    calls.sort(key=lambda row: (row["ts"], row["request_id"]))
    refused = [row["refusal_code"] == "budget_exceeded" for row in calls]
    first = refused.index(True)
    spent = sum(nanousd(row["cost_usd"]) for row in calls[:first] if row["cost_usd"] is not None)

    assert 20 < len(calls) - first < len(calls) / 2
    assert all(refused[first:])
    assert {row["status"] for row in calls[first:]} == {402}
    assert world.generator.limit_nanousd * 0.97 < spent <= world.generator.limit_nanousd
    elsewhere = [row for row in world.rows if row["project_id"] != "prj_marketing"]
    assert not any(row["refusal_code"] == "budget_exceeded" for row in elsewhere)


def test_while_a_provider_is_down_calls_fail_and_turn_to_others(world):
    outage = world.generator.story.outage
    down = world.within(outage, provider="anthropic")
    usual = [row for row in world.rows if row["provider"] == "anthropic" and row not in down]

    assert sum((row["status"] or 0) >= 500 for row in down) > 0.6 * len(down) > 5
    assert sum((row["status"] or 0) >= 500 for row in usual) < 0.02 * len(usual)
    turned = [row for row in world.rows if "failover" in row["tags"]]
    assert {row["provider"] for row in turned} == {"openai", "bedrock"}
    assert all(outage.holds(row["ts"].timestamp()) for row in turned)
    assert len(turned) > 10


def test_a_model_is_slow_for_a_while(world):
    regression = world.generator.story.regression
    slow = world.within(regression, model="gpt-5-mini", outcome="ok", stream=True)
    usual = [row["ttft_ms"] for row in world.rows if row["model"] == "gpt-5-mini" and row["stream"] and row["ttft_ms"]]

    assert median(row["ttft_ms"] for row in slow) > 2.3 * median(usual)


def test_an_agent_runs_away_until_a_kill_switch_ends_it(world):
    story = world.generator.story
    night = sum(row["cost_usd"] or 0 for row in world.within(story.runaway, project_id="prj_research"))
    length_s = story.runaway.to_s - story.runaway.from_s
    before = Between(story.runaway.from_s - 86_400, story.runaway.from_s - 86_400 + length_s)

    assert night > 20 * sum(row["cost_usd"] or 0 for row in world.within(before, project_id="prj_research"))
    killed = world.within(story.killed, project_id="prj_research")
    assert len(killed) > 5
    assert {(row["status"], row["refusal_code"]) for row in killed} == {(403, "kill_switch")}
    assert sum(row["refusal_code"] == "kill_switch" for row in world.rows) == len(killed)


def test_a_model_without_a_price_costs_nobody_knows_what(world):
    unpriced = [row for row in world.rows if row["price_match"] == "unpriced"]

    assert len(unpriced) > 5
    assert {row["model"] for row in unpriced} == {OWN.answered}
    assert all(world.generator.story.unpriced.holds(row["ts"].timestamp()) for row in unpriced)
    assert any(row["price_match"] == "override" for row in world.rows)


def test_the_data_has_what_charts_are_about(world):
    def values(name: str) -> set[Any]:
        return {row[name] for row in world.rows}

    assert values("provenance") == {"reported", "partial", "estimated", "unknown", "none"}
    assert values("outcome") == {"ok", "client_gone", "cancelled", "upstream_error", "refused"}
    assert values("key_id") == {plain_places("").keys[key.name] for key in KEYS}
    assert len(values("model")) >= 18
    assert len(values("user_id")) > 800
    assert max(row["ts"] for row in world.rows).timestamp() < NOW_S
    for row in world.rows:
        assert row["latency_ms"] > 0
        assert row["ttft_ms"] is None or 0 < row["ttft_ms"] < row["latency_ms"]
