from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from control_plane.analytics.service import SQL
from control_plane.cli.lake_query import QUESTIONS
from control_plane.lake.clickhouse.load import ROLLUPS, load
from control_plane.lake.clickhouse.query import ask
from control_plane.lake.clickhouse.server import Server
from control_plane.lake.curated import open_tables
from control_plane.lake.query import Lake, Question, named
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.scope import DAY_S, HOUR_S, Relation, Scope
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.story import Plan
from control_plane.lake.settled import is_settled_path
from control_plane.lake.snapshot import take_snapshot
from gateway.contract.record import Record
from gateway.lake.store import Directory
from tests.support.lake_calls import land, varied
from tests.support.lakes import cure
from tests.tidy.tree import ROOT

NOW_S = int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp())
PLAN = Plan(6_000, 5, 7, NOW_S)
TO_S = NOW_S // 3600 * 3600
EVERYTHING = Scope("org_demo", PLAN.from_s, TO_S)
SCOPES = {
    "everything": EVERYTHING,
    "a project": Scope("org_demo", PLAN.from_s, TO_S, "prj_coding"),
    "some hours": Scope("org_demo", PLAN.from_s + 30 * 3600, PLAN.from_s + 41 * 3600),
    "no whole hours": Scope("org_demo", PLAN.from_s + 90_061, TO_S - 1_799),
    "a model": Scope("org_demo", PLAN.from_s, TO_S, None, {"model": ("gpt-5-mini", "claude-sonnet-4-6")}),
    "what no rollup has": Scope(
        "org_demo", PLAN.from_s, TO_S, None, {"tag": ("env:staging", "ci"), "status": ("200",)}
    ),
    "nothing": Scope("org_demo", PLAN.from_s, TO_S, None, {"model": ("it's none",)}),
    "another organization": Scope("org_other", PLAN.from_s, TO_S),
}
# Of the first day calls are gone, those of a held project aside; of the second one of five is left.
POLICY = Policy(Tier(events_days=3, one_of=5), held=frozenset({"org_demo/prj_support"}))
DAYS = [PLAN.from_s + day * 86_400 - 3600 for day in range(6)]
QUARTERS = [PLAN.from_s + quarter * 900 for quarter in range(300)]
# Each with its parameters and how finely it looks.
ASKED: Mapping[str, list[tuple[dict[str, Any], int]]] = {
    "summary": [({}, DAY_S), ({}, 60)],
    "costs": [
        ({"by": by, "sort": sort, "limit": 6, "first": first}, DAY_S)
        for by, sort, first in (
            ("model", "cost", ["gpt-4.1-mini", "none"]),
            ("key", "calls", []),
            ("status", "errors", []),
            ("project", "tokens", []),
            ("outcome", "refused", ["refused"]),
        )
    ],
    "costs_by_tag": [
        ({"sort": sort, "limit": limit, "first": []}, DAY_S) for sort, limit in (("cost", 5), ("calls", 50))
    ],
    "costs_by_user": [
        ({"sort": sort, "limit": limit, "first": []}, DAY_S) for sort, limit in (("cost", 20), ("tokens", 3))
    ],
    "changes": [
        ({"by": by, "edge_us": (PLAN.from_s + 36 * 3600) * 10**6, "limit": 8}, HOUR_S)
        for by in ("model", "team", "project")
    ],
    "changes_by_tag": [({"edge_us": (PLAN.from_s + 48 * 3600) * 10**6, "limit": 5}, DAY_S)],
    "changes_by_user": [({"edge_us": (PLAN.from_s + 36 * 3600) * 10**6, "limit": 20}, HOUR_S)],
    "timeseries": [
        ({"by": "model", "edges": DAYS, "limit": 4}, HOUR_S),
        ({"by": None, "edges": DAYS, "limit": 1}, HOUR_S),
        ({"by": "provider", "edges": QUARTERS, "limit": 3}, 900),
    ],
    "latency": [
        ({"by": by, "measure": measure, "percents": [50.0, 95.0, 99.0], "limit": 5}, DAY_S)
        for by, measure in (("model", "latency_ms"), (None, "ttft_ms"), ("project", "output_tokens_per_s"))
    ],
    "latency_series": [
        ({"measure": "latency_ms", "percents": [50.0, 95.0], "edges": DAYS}, HOUR_S),
        ({"measure": "ttft_ms", "percents": [95.0], "edges": QUARTERS}, 900),
    ],
    "hours": [({}, HOUR_S), ({}, 300)],
    "tokens": [({}, DAY_S)],
    "errors": [({"limit": 20}, DAY_S)],
    "focus": [({}, DAY_S)],
    "calls": [
        *(
            ({"sort": sort, "limit": 30, "before_us": None, "before_id": None}, DAY_S)
            for sort in ("at", "cost", "latency", "ttft", "tokens")
        ),
        ({"sort": "at", "limit": 30, "before_us": (PLAN.from_s + 200_000) * 10**6, "before_id": "z"}, DAY_S),
    ],
    "call": [({"request_id": "req_today_00000"}, DAY_S)],
    "live": [({"ended_us": (TO_S - 7200) * 10**6, "limit": 20}, DAY_S)],
    "export_calls": [({}, DAY_S)],
    "top_models": [({"limit": 4}, DAY_S)],
}
RELATIONS: Mapping[str, Relation] = {name: one.relation for name, one in QUESTIONS.items()} | {
    "live": "events",
    "top_models": "hourly",
}
OF_QUESTIONS = (
    "control_plane/analytics/sql",
    "control_plane/analytics/sql/parts",
    "control_plane/lake/sql/questions",
)
# Where the other statements are, and why nobody asks them of a ClickHouse.
NO_QUESTIONS = {
    "control_plane/lake/sql": "what rollups are; those of hours are ClickHouse's too, as test_load.py sees",
    "control_plane/lake/clickhouse": "the tables of ClickHouse",
    "control_plane/lake/seed": "makes calls, and asks for none",
    "control_plane/backtest/sql": "steps of one computation, over temporary tables that hold a proposal",
    "control_plane/reconciliation/sql": "compared with a provider's own report, from the calls in the lake alone",
}


class Stood(NamedTuple):
    """A lake, and the server that it is loaded into."""

    lake: Path
    server: Server

    def load(self) -> int:
        return load(self.server, str(self.lake), PLAN.first_day, date(2026, 11, 26), lambda day, rows: None)


@pytest.fixture(scope="module", params=["landed", "kept"])
def stood(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stood:
    """Calls that are fresh, and nothing else; or calls in every state that time brings them into."""
    stood = Stood(tmp_path_factory.mktemp("lake"), server)
    seeded = Seeded(PLAN, plain_places("org_demo"))
    generator = Generator(PLAN, seeded.places)
    landing.write(Directory(stood.lake), seeded, generator, lambda rows: None)
    generator.close()
    land(stood.lake, calls("today", 20, 0))
    stood.load()
    if request.param == "kept":
        keep(stood)
    return stood


def keep(stood: Stood) -> None:
    """Retention takes calls of the first day and leaves a sample of the second. Then calls come to each of the days:
    those that are settled and absorbed, and those that nobody absorbed yet. The server hears of it step by step."""
    tables = open_tables(str(stood.lake))
    cure(tables, NOW_S * 1000)
    stood.load()
    retain(tables, POLICY, NOW_S * 1000)
    land(stood.lake, [one for days in range(5) for one in calls("late", 40, days)])
    cure(tables, NOW_S * 1000)
    stood.load()
    retain(tables, POLICY, NOW_S * 1000)
    land(stood.lake, [one for days in range(5) for one in calls("fresh", 30, days)])
    stood.load()


def calls(name: str, count: int, days_ago: int) -> list[Record]:
    """Of a day, in projects of the demo data and in none."""
    projects = ("prj_coding", "prj_support", "")
    found = varied("org_demo", count, TO_S - days_ago * DAY_S, seed=days_ago, span_s=10 * HOUR_S)
    return [
        replace(one, request_id=f"req_{name}_{days_ago}{number:04}", project_id=projects[number % 3])
        for number, one in enumerate(found)
    ]


@pytest.fixture(scope="module")
def filled(stood: Stood) -> Server:
    return stood.server


@pytest.fixture(scope="module")
def duck(stood: Stood) -> Iterator[Lake]:
    opened = Lake(str(stood.lake))
    yield opened
    opened.close()


# In an export the order is nobody's promise.
UNORDERED = frozenset({"export_calls"})


def plain(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what engines write differently: scales of decimals, a double's last bit, no map and an empty one."""
    ordered = sorted(rows, key=lambda row: row["request_id"]) if name in UNORDERED else rows
    return [{column: _plain(value) for column, value in row.items()} for row in ordered]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.normalize() + 0
    return pytest.approx(value) if isinstance(value, float) else value or None


def statements() -> Mapping[str, str]:
    """Every named question: those of the API and of `lensai lake query`, and the one of alerts."""
    return SQL | named(ROOT / "control_plane/lake/sql/questions")


def test_every_named_question_is_compared():
    assert ASKED.keys() == statements().keys() == RELATIONS.keys()


def test_every_other_statement_over_the_lake_is_here_with_its_reason():
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "control_plane").rglob("*.sql")}
    assert folders == {*OF_QUESTIONS, *NO_QUESTIONS}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", ASKED)
async def test_both_engines_answer_the_same(filled, duck, name, scope):
    for parameters, grain_s in ASKED[name]:
        question = Question(statements()[name], RELATIONS[name], SCOPES[scope], parameters, grain_s)
        batches = [part.rows async for part in duck.parts(question)]
        answer = ask(filled, question)
        assert answer.column_names == batches[0].schema.names
        rows = [row for batch in batches for row in batch.to_pylist()]
        assert plain(name, answer.to_pylist()) == plain(name, rows)
        assert rows or scope != "everything", "nothing was compared"


def test_loading_again_changes_nothing(stood):
    def whole() -> list[list[tuple[str, ...]]]:
        asked = (stood.server.ask(f"SELECT * FROM {name}_rows", {}).to_pylist() for name in ("event", *ROLLUPS))
        return [sorted(tuple(map(str, row.values())) for row in rows) for rows in asked]

    before = whole()
    assert stood.load() == len(before[0])
    assert whole() == before


async def test_a_lake_that_is_kept_has_calls_in_every_state(stood, duck):
    snapshot = take_snapshot(str(stood.lake), PLAN.first_day, date(2026, 11, 26))
    settled = [name for name in ROLLUPS if any(map(is_settled_path, getattr(snapshot, name)))]
    weights = (await duck.ask(Question("SELECT sum(weight) > count(*) AS more FROM events", "events", EVERYTHING))).rows
    if snapshot.events:
        assert snapshot.sampled
        assert settled == list(ROLLUPS)
        assert snapshot.fresh.num_rows == 150 - 20  # of the first day those of the held project alone
        assert weights == [{"more": True}]
    else:
        assert snapshot.fresh.num_rows == 6_020


def test_an_organization_sees_nothing_of_another(filled):
    other = SCOPES["another organization"]
    (sums,) = ask(filled, Question(SQL["summary"], "hourly", other)).to_pylist()

    assert sums["calls"] is None
    parameters, grain_s = ASKED["timeseries"][0]
    assert ask(filled, Question(SQL["timeseries"], "hourly", other, parameters, grain_s)).num_rows == 0
