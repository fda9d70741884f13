import contextlib
from itertools import product
from pathlib import Path

import pytest

from control_plane.lake.query import Lake, Question
from control_plane.lake.scope import FILTERS, NARROWED_BY, Scope, Sources, grain_of, rollup_sql, views
from gateway.lake.schema import SCHEMA
from tests.support.lake_calls import curated, varied

NOON_S = 1_790_000_000 // 86_400 * 86_400 + 43_200
RELATIONS = ("events", "hourly", "hourly_users", "hourly_latency")
SOURCES = ("their_events", "their_samples", "their_hours", "their_days")
HOSTILE = "x') OR 1=1; DROP VIEW events; --"


def _rolled_up(relation: str, *sources: str | None) -> tuple[str | None, ...]:
    return () if relation == "events" else sources


def scope(**changes) -> Scope:
    return Scope(**{"org_id": "org_a", "from_s": NOON_S - 86_400, "to_s": NOON_S} | changes)


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_view_holds_to_the_organization_and_the_time(relation):
    asked = scope(project_id=HOSTILE, filters=dict.fromkeys(FILTERS, (HOSTILE,)))
    for events, sampled, hours, days in product(*((None, name) for name in SOURCES)):
        made = " ".join(sql for _, sql in views(asked, relation, 3600, Sources(events, sampled, hours, days)))
        read = sum(made.count(f" FROM {name}") for name in ("fresh_rows", *SOURCES))
        assert read == 1 + sum(source is not None for source in (events, sampled, *_rolled_up(relation, hours, days)))
        assert made.count("org_id = getvariable('org_id')") == made.count("getvariable('from_us')") == read
        assert HOSTILE not in made
    assert asked.variables()["project_id"] == HOSTILE


@pytest.mark.parametrize("relation", RELATIONS)
async def test_no_value_reaches_anothers_calls_in_any_view(relation, tmp_path: Path):
    snapshot = curated(
        tmp_path, [*varied("org_a", 50, NOON_S), *varied("org_b", 50, NOON_S)], varied("org_b", 9, NOON_S, seed=2)
    )
    with contextlib.closing(Lake("", take=lambda *_: snapshot)) as lake:
        for asked in (
            scope(),
            scope(project_id="prj_a"),
            scope(filters={"model": ("gpt-4o",)}),
            scope(to_s=NOON_S - 1),
        ):
            rows = (await lake.ask(Question(f"SELECT DISTINCT org_id FROM {relation}", relation, asked))).rows
            assert rows == [{"org_id": "org_a"}]
        for asked in (scope(org_id=HOSTILE), scope(project_id=HOSTILE), scope(filters={"model": (HOSTILE,)})):
            assert (await lake.ask(Question(f"SELECT 1 FROM {relation}", relation, asked))).rows == []


def test_whole_hours_and_what_a_rollup_has_columns_for_are_answered_by_it():
    assert scope().is_rolled_up("hourly", 3600)
    assert scope(filters={"tag": ("a",)}).is_rolled_up("hourly", 3600)
    assert not scope().is_rolled_up("events", 3600)
    assert not scope().is_rolled_up("hourly", 900)
    assert not scope(from_s=NOON_S - 1).is_rolled_up("hourly", 3600)
    assert not scope(filters={"user_id": ("ada",)}).is_rolled_up("hourly", 3600)
    assert not scope(filters={"team": ("x",)}).is_rolled_up("hourly_latency", 3600)


def test_a_rollup_is_narrowed_by_columns_that_it_has():
    columns = {"tag": "tags"}
    for relation, names in NARROWED_BY.items():
        if relation != "events":
            shown = rollup_sql(relation).partition("SELECT")[2]
            assert all(columns.get(name, name) in shown for name in names)
    assert set(FILTERS) - {"tag"} <= set(SCHEMA.names)


@pytest.mark.parametrize(
    ("edges", "grain"),
    [((0, 86_400), 86_400), ((0, 7200), 3600), ((1800,), 900), ((300,), 300), ((60, 3600), 60), ((7,), 1)],
)
def test_the_grain_is_the_coarsest_that_has_all_edges(edges, grain):
    assert grain_of(edges) == grain


def test_days_stand_for_whole_utc_days_where_hours_need_not_be_told_apart():
    midnight_s = NOON_S - 43_200
    assert scope().whole_days(86_400) == (NOON_S, NOON_S)
    three = scope(from_s=midnight_s - 90_000, to_s=NOON_S)
    assert three.whole_days(86_400) == (midnight_s - 86_400, midnight_s)
    assert three.whole_days(3600) == (NOON_S, NOON_S)
