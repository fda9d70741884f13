"""Every answer against sums in plain Python over the same records."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.lake_calls import by, percentile, sums
from tests.support.written_calls import call, land
from tests.unit.control_plane.analytics.conftest import NOW_S

HOUR_S = 3600
END_S = NOW_S // HOUR_S * HOUR_S + HOUR_S


def nanousd(text: str | None) -> int | None:
    if text is None:
        return None
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0")) * (-1 if whole.startswith("-") else 1)


def same(total: dict, records) -> bool:
    """Whether totals of an answer are the sums of these records."""
    expected = sums(records)._asdict()
    shown = {name: total[name] for name in expected if name != "cost_nanousd"}
    shown["cost_nanousd"] = nanousd(total["cost_usd"])
    unknown = {name for name in ("unmetered_calls", "cache_read_tokens") if total[name] is None}
    assert {**shown, **{name: expected[name] for name in unknown}} == expected
    return True


def within(records, from_s: int, to_s: int):
    return [one for one in records if from_s <= one.ts_ns / 10**9 < to_s]


@pytest.mark.parametrize("hours", [1, 24, 48, 24 * 7])
async def test_a_summary_is_the_sum_of_the_calls_of_its_hours(told, hours):
    answer = await told.ask("summary", range=f"{hours}h", compare="previous")
    length_s = hours * HOUR_S
    recent = within(told.records, END_S - length_s, END_S)
    before = within(told.records, END_S - 2 * length_s, END_S - length_s)
    assert same(answer["total"], recent)
    assert same(answer["previous"]["total"], before)
    change = answer["previous"]["change"]
    assert change["calls"] == len(recent) - len(before)
    assert nanousd(change["cost_usd"]) == (sums(recent).cost_nanousd or 0) - (sums(before).cost_nanousd or 0)


async def test_a_period_between_hours_is_exact_to_the_microsecond(told):
    middle = sorted(one.ts_ns for one in told.records)[200] // 10**9
    start = datetime.fromtimestamp(middle - 5000, UTC).isoformat()
    answer = await told.ask("summary", **{"from": start, "to": datetime.fromtimestamp(middle, UTC).isoformat()})
    assert same(answer["total"], within(told.records, middle - 5000, middle))


FILTERS = {
    "project_id": ("prj_a", lambda one: one.project_id == "prj_a"),
    "key_id": (["key_1", "key_3"], lambda one: one.key_id in ("key_1", "key_3")),
    "user_id": ("ada", lambda one: one.user_id == "ada"),
    "team": ("", lambda one: one.team == ""),
    "tag": ("batch", lambda one: "batch" in one.tags),
    "provider": ("openai", lambda one: one.provider == "openai"),
    "model": ("gpt-4o", lambda one: one.model == "gpt-4o"),
    "route": ("chat", lambda one: one.route == "chat"),
    "status": (["402", "502"], lambda one: one.status in (402, 502)),
    "outcome": ("refused", lambda one: one.outcome == "refused"),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_leaves_the_calls_that_pass_it_everywhere(told, name):
    value, passes = FILTERS[name]
    kept = [one for one in told.records if passes(one)]
    assert kept
    for path in ("summary", "cost-by-model", "cost-by-user", "cost-by-tag"):
        assert same((await told.ask(path, **{name: value}))["total"], kept)
    chart = await told.ask("timeseries", **{name: value})
    assert same(chart["series"][0]["total"], kept)
    latency = await told.ask("latency-pctl", **{name: value})
    assert latency["total"]["calls"] == sum(one.outcome != "refused" for one in kept)


DIMENSIONS = {
    "model": lambda one: one.model,
    "user": lambda one: one.user_id,
    "key": lambda one: one.key_id,
    "team": lambda one: one.team,
    "route": lambda one: one.route,
    "provider": lambda one: one.provider,
    "project": lambda one: one.project_id,
    "outcome": lambda one: one.outcome,
    "provenance": lambda one: one.provenance,
    "status": lambda one: str(one.status or ""),
}


@pytest.mark.parametrize("dimension", DIMENSIONS)
async def test_costs_by_each_dimension_are_the_sums_of_its_values_dearest_first(told, dimension):
    answer = await told.ask(f"cost-by-{dimension}", compare="previous")
    expected = by(told.records, DIMENSIONS[dimension])
    assert {row["value"] for row in answer["rows"]} == set(expected)
    for row in answer["rows"]:
        assert same(row["total"], expected[row["value"]])
    costs = [nanousd(row["total"]["cost_usd"]) or 0 for row in answer["rows"]]
    assert costs == sorted(costs, reverse=True)
    assert answer["others"] is None
    assert same(answer["total"], told.records)


async def test_a_call_is_in_the_row_of_each_of_its_tags_and_once_in_the_total(told):
    answer = await told.ask("cost-by-tag")
    rows = {row["value"]: row["total"] for row in answer["rows"]}
    assert set(rows) == {"", "batch", "eu"}
    for tag in ("batch", "eu"):
        assert same(rows[tag], [one for one in told.records if tag in one.tags])
    assert same(rows[""], [one for one in told.records if not one.tags])
    assert same(answer["total"], told.records)
    assert answer["others"] is None


async def test_rows_beyond_the_limit_are_others_and_nothing_is_lost(told):
    answer = await told.ask("cost-by-model", limit=1)
    (row,) = answer["rows"]
    assert same(answer["others"], [one for one in told.records if one.model != row["value"]])


async def test_movers_are_sorted_by_how_much_their_cost_changed(told):
    answer = await told.ask("cost-by-key", sort="change", range="36h")
    changes = [abs(nanousd(row["change"]["cost_usd"])) for row in answer["rows"]]
    assert changes == sorted(changes, reverse=True)
    recent = by(within(told.records, END_S - 36 * HOUR_S, END_S), lambda one: one.key_id)
    before = by(within(told.records, END_S - 72 * HOUR_S, END_S - 36 * HOUR_S), lambda one: one.key_id)
    for row in answer["rows"]:
        assert same(row["total"], recent[row["value"]])
        assert same(row["previous"], before[row["value"]])


async def test_a_comparison_knows_both_periods_of_every_value(plane):
    """Of more values than anybody would list, those that were the least before, or are now."""
    org_id = await plane.organization()
    now_s = END_S - HOUR_S
    told = {f"u{number}": (1_000_000 + number, 1_000_000 - number) for number in range(10_100)}
    told |= {"risen": (1, 2_000_000), "fallen": (2_000_000, 2)}
    land(
        Path(plane.parts.settings.lake),
        [
            call(f"{user}-{at_s}", at_s, org_id=org_id, user_id=user, cost_nanousd=cost)
            for user, costs in told.items()
            for at_s, cost in zip((now_s - HOUR_S, now_s), costs, strict=True)
        ],
    )
    for query, users in (("sort=change&limit=2", ["risen", "fallen"]), ("compare=previous&limit=1", ["risen"])):
        answer = await plane.client.get(f"/v1/metrics/cost-by-user?range=1h&{query}", headers=await plane.token(org_id))
        rows = {row["value"]: row for row in answer.json()["rows"]}
        assert list(rows) == users
        for user, row in rows.items():
            assert (nanousd(row["previous"]["cost_usd"]), nanousd(row["total"]["cost_usd"])) == told[user]
            assert (row["previous"]["calls"], row["total"]["calls"]) == (1, 1)


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
async def test_a_day_of_a_chart_is_the_day_of_its_time_zone(told, tz):
    answer = await told.ask("timeseries", bucket="day", tz=tz, by="model", limit=2)
    zone = ZoneInfo(tz)
    days = by(told.records, lambda one: datetime.fromtimestamp(one.ts_ns / 10**9, zone).date())
    for number, point in enumerate(answer["series"][0]["points"]):
        day = datetime.fromisoformat(point["at"]).date()
        together = [series["points"][number]["total"] for series in answer["series"]]
        assert sum(total["calls"] for total in together) == len(days.get(day, ()))
        of_first = [one for one in days.get(day, ()) if one.model == answer["series"][0]["value"]]
        assert same(point["total"], of_first)
    assert [series["value"] is None for series in answer["series"]] == [False, False, True]


@pytest.mark.parametrize(("bucket", "length_s"), [("5m", 300), ("15m", 900), ("hour", 3600), ("6h", 21600)])
async def test_points_of_a_fixed_length_lose_no_call(told, bucket, length_s):
    answer = await told.ask("timeseries", bucket=bucket, range="24h", compare="previous")
    points = answer["series"][0]["points"]
    for point in points:
        at_s = point["at_ms"] // 1000
        assert same(point["total"], within(told.records, max(at_s, END_S - 86_400), min(at_s + length_s, END_S)))
    assert sum(point["total"]["calls"] for point in points) == len(within(told.records, END_S - 86_400, END_S))
    assert same(answer["previous"][0]["total"], within(told.records, END_S - 2 * 86_400, END_S - 86_400))


MEASURES = {
    "latency_ms": lambda one: one.latency_us / 1000,
    "ttft_ms": lambda one: None if one.ttft_us is None else one.ttft_us / 1000,
    "output_tokens_per_s": lambda one: (
        one.tokens_out * 10**6 / (one.latency_us - one.ttft_us)
        if one.outcome == "ok"
        and one.stream
        and one.tokens_out
        and one.ttft_us is not None
        and one.latency_us > one.ttft_us
        else None
    ),
}


@pytest.mark.parametrize("measure", MEASURES)
async def test_percentiles_are_within_one_per_cent_of_the_exact_ones(told, measure):
    answer = await told.ask("latency-pctl", measure=measure, p=[50, 95, 99.9], by="model", bucket="day")

    def values(records):
        found = (MEASURES[measure](one) for one in records if one.outcome != "refused")
        return [one for one in found if one is not None]

    def close(row, records):
        assert row["calls"] == len(values(records))
        for one in row["percentiles"]:
            assert one["value"] == pytest.approx(percentile(values(records), one["p"]), rel=0.0101, abs=0.002)

    close(answer["total"], told.records)
    expected = by(told.records, lambda one: one.model)
    assert {row["value"] for row in answer["rows"]} == set(expected)
    for row in answer["rows"]:
        close(row, expected[row["value"]])
    for point in answer["points"]:
        at_s = point["at_ms"] // 1000
        close(point, within(told.records, at_s, at_s + 86_400))


async def test_days_on_which_the_clock_is_changed_have_23_and_25_hours(told):
    spring = {"from": "2026-03-28", "to": "2026-03-31", "tz": "Europe/Berlin"}
    days = (await told.ask("timeseries", bucket="day", **spring))["series"][0]["points"]
    lengths = [after["at_ms"] - before["at_ms"] for before, after in pairwise(days)]
    assert [length // 3_600_000 for length in lengths] == [24, 23]
    hours = (await told.ask("timeseries", bucket="hour", **spring))["series"][0]["points"]
    assert len(hours) == 71
    assert timedelta(milliseconds=hours[-1]["at_ms"] - hours[0]["at_ms"]) == timedelta(hours=70)
