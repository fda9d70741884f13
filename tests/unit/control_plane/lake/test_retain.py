import tempfile
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.lake.absorbed import absorbed
from control_plane.lake.curate import Beaten, absorb
from control_plane.lake.curated import open_tables, statement
from control_plane.lake.retain import Policy, Retained, Tier, retain
from control_plane.lake.standing import orders
from control_plane.lake.verify import verify
from gateway.lake.batch import to_table
from tests.support.lakes import DAY_S, NOW_MS, Totals, call, calls, cost, cure, land, look, rolled, rows, seen

DAY_MS = 86_400_000
LATER_MS = NOW_MS + 10 * DAY_MS
NOTHING = Retained(Counter(), Counter(), Counter())
FIVE_DAYS = Policy(Tier(5))


def prepared(lake: Path) -> None:
    """Two organizations, one of which shares its project's name with the other, and a call of today."""
    land(lake, "a", [*calls(range(100)), *calls(range(100, 150), org_id="org_b"), call(200, LATER_MS // 1000)])
    cure(lake, LATER_MS)


def test_what_is_past_its_time_goes_and_rollups_stay(tmp_path: Path) -> None:
    prepared(tmp_path)
    before = rolled(look(tmp_path))
    done = retain(open_tables(str(tmp_path)), FIVE_DAYS, LATER_MS)
    assert (done.deleted, done.days) == (Counter(org_a=100, org_b=50), 1)
    assert seen(look(tmp_path)) == cost([call(200)])
    assert rolled(look(tmp_path)) == before
    assert verify(open_tables(str(tmp_path))).differences == []
    assert retain(open_tables(str(tmp_path)), FIVE_DAYS, LATER_MS) == NOTHING


def test_each_organization_has_its_own_time(tmp_path: Path) -> None:
    prepared(tmp_path)
    done = retain(open_tables(str(tmp_path)), Policy(Tier(5), {"org_a": Tier(30)}), LATER_MS)
    assert done.deleted == Counter(org_b=50)
    assert seen(look(tmp_path)) == cost([*calls(range(100)), call(200)])
    assert rolled(look(tmp_path)).calls == 151
    assert verify(open_tables(str(tmp_path))).differences == []


def test_the_day_on_which_the_time_ends_is_kept_whole(tmp_path: Path) -> None:
    prepared(tmp_path)
    assert not retain(open_tables(str(tmp_path)), Policy(Tier(10)), LATER_MS).anything
    assert retain(open_tables(str(tmp_path)), Policy(Tier(10)), LATER_MS + DAY_MS).deleted.total() == 150


def test_late_calls_of_a_time_that_is_gone_do_not_come_back(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    before = rolled(look(tmp_path))
    retain(lake, FIVE_DAYS, LATER_MS)
    land(tmp_path, "late", [*calls(range(105)), call(300, LATER_MS // 1000)], "2025-12-05")
    assert seen(look(tmp_path)) == cost([call(200), call(300)]), "readers of raw files do not see them either"
    assert cure(lake, LATER_MS)[0].absorbed.expired == 105
    assert rolled(look(tmp_path)) == Totals(before.calls + 1, before.cost_usd + cost([call(300)]).cost_usd)
    assert verify(lake).differences == []


def test_a_longer_time_or_a_hold_brings_nothing_back(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    retain(lake, FIVE_DAYS, LATER_MS)
    retain(lake, Policy(Tier(100), {"org_a": Tier(50)}, frozenset({"org_b"})), LATER_MS)
    standing = orders(lake.events, lake.events.follow())
    for org_id in ("org_a", "org_b", "org_c"):
        assert standing.kept_from(org_id, "prj_a") == "2025-11-30"


@pytest.mark.parametrize(("held", "left"), [("org_a", 100), ("org_a/prj_a", 100), ("org_b", 50), ("org_a/prj_b", 0)])
def test_nothing_that_is_held_goes(tmp_path: Path, held: str, left: int) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    held_policy = Policy(Tier(5, 6), {}, frozenset({held}))
    assert retain(lake, held_policy, LATER_MS).deleted.total() == 150 - left
    assert seen(look(tmp_path)).calls == left + 1
    assert rolled(look(tmp_path)).calls == left + 1
    assert retain(lake, Policy(Tier(5, 6)), LATER_MS).deleted.total() == left
    assert rolled(look(tmp_path)) == cost([call(200)])
    assert verify(lake).differences == []


def test_rollups_go_later(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    policy = Policy(Tier(5), {"org_a": Tier(5, 8)})
    done = retain(lake, policy, LATER_MS)
    assert done.rollup_rows.keys() == {"org_a"}
    assert rolled(look(tmp_path)) == cost([*calls(range(100, 150), org_id="org_b"), call(200)])
    assert verify(lake).differences == []
    assert not retain(lake, policy, LATER_MS).anything


def test_a_dry_run_says_what_a_run_does_and_does_nothing(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    policy = Policy(Tier(one_of=5), {"org_a": Tier(5, 8)})
    version, there = lake.events.follow().version, sorted(tmp_path.rglob("*"))
    would = retain(lake, policy, LATER_MS, dry_run=True)
    assert (would.deleted, would.dropped) == (Counter(org_a=100), Counter(org_b=40))
    assert (lake.events.follow().version, sorted(tmp_path.rglob("*"))) == (version, there)
    # Rollups of calls that a run deletes first are deleted in the same run.
    assert retain(lake, policy, LATER_MS) == would


def test_who_commits_first_is_not_overridden(tmp_path: Path) -> None:
    prepared(tmp_path)
    land(tmp_path, "b", [call(400, LATER_MS // 1000)])

    def meanwhile(step: str) -> None:
        if step == "commit retention":
            absorb(open_tables(str(tmp_path)), LATER_MS)

    with pytest.raises(Beaten):
        retain(open_tables(str(tmp_path)), FIVE_DAYS, LATER_MS, meanwhile)
    assert retain(open_tables(str(tmp_path)), FIVE_DAYS, LATER_MS).deleted.total() == 150
    assert seen(look(tmp_path)) == cost([call(200), call(400)])


def test_raw_files_that_are_named_stay_named(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    retain(lake, FIVE_DAYS, LATER_MS)
    assert set(absorbed(lake.events, lake.events.follow())) == {"landing/dt=2025-11-25/a.parquet"}


def test_a_lake_without_a_table_is_left_alone(tmp_path: Path) -> None:
    assert retain(open_tables(str(tmp_path)), FIVE_DAYS, LATER_MS) == NOTHING
    assert list(tmp_path.iterdir()) == []


def test_a_day_is_sampled_only_when_it_is_over_and_late_calls_have_come(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    policy = Policy(Tier(one_of=10))
    assert not retain(lake, policy, DAY_S * 1000 + 3 * DAY_MS - 1).anything
    assert retain(lake, policy, DAY_S * 1000 + 3 * DAY_MS).dropped == Counter(org_a=90, org_b=45)


def test_the_same_calls_are_kept_wherever_they_are_sampled(tmp_path: Path) -> None:
    kept: list[list[tuple[object, ...]]] = []
    for name, numbers in (("one", range(60)), ("other", reversed(range(60)))):
        shuffled = list(numbers)
        for part in range(0, 60, 20):
            land(tmp_path / name, f"{part:02d}", calls(shuffled[part : part + 20]))
        cure(tmp_path / name, LATER_MS)
        retain(open_tables(str(tmp_path / name)), Policy(Tier(one_of=7)), LATER_MS)
        kept.append(rows(look(tmp_path / name).sampled, "SELECT request_id, weight FROM rows ORDER BY ALL"))
    assert kept[0] == kept[1]
    assert len(kept[0]) == 9


_Made = tuple[int, str, str, str, str, int | None]
_CALLS: st.SearchStrategy[list[_Made]] = st.lists(
    st.tuples(
        st.integers(0, 47),  # the hour
        st.sampled_from(("org_a", "org_b")),
        st.sampled_from(("prj_a", "prj_b", "")),
        st.sampled_from(("gpt-5", "gpt-5-mini")),
        st.sampled_from(("ok", "error")),
        st.one_of(st.none(), st.integers(0, 10**12)),
    ),
    min_size=1,
    max_size=40,
)
_BY = "org_id, project_id, provider, model, outcome"


# Each is two lakes that are curated several times.
@settings(max_examples=3)
@given(batches=st.lists(_CALLS, min_size=1, max_size=2), one_of=st.integers(2, 9))
def test_totals_of_a_sampled_lake_are_those_of_all_calls(batches: list[list[_Made]], one_of: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        sampled, whole = Path(directory, "sampled"), Path(directory, "whole")
        policy, number = Policy(Tier(one_of=one_of)), 0
        for name, batch in enumerate(batches):
            made = []
            for hour, org_id, project_id, model, outcome, nanousd in batch:
                names = ("org_id", "project_id", "model", "outcome", "cost_nanousd")
                fields = dict(zip(names, (org_id, project_id, model, outcome, nanousd), strict=True))
                made.append(call(number, DAY_S + hour * 3_600, **fields))
                number += 1
            for lake in (sampled, whole):
                land(lake, str(name), made)
                # What has come already comes again.
                land(lake, f"{name}-again", made)
                cure(lake, LATER_MS)
            retain(open_tables(str(sampled)), policy, LATER_MS)
            assert not retain(open_tables(str(sampled)), policy, LATER_MS).anything
        for name in ("hourly", "hourly_users", "hourly_latency"):
            assert summed(getattr(look(sampled), name)) == summed(getattr(look(whole), name))
        weighed = f"SELECT {_BY}, CAST(sum({{}}) AS BIGINT) AS calls FROM rows GROUP BY ALL ORDER BY ALL"
        assert rows(look(sampled).sampled, weighed.format("weight")) == rows(look(whole).events, weighed.format("1"))
        assert verify(open_tables(str(sampled))).differences == []


@settings(max_examples=25)
@given(strata=st.lists(st.integers(1, 40), min_size=1, max_size=5), one_of=st.integers(2, 50))
def test_weights_of_a_stratum_are_whole_and_add_up_to_its_calls(strata: list[int], one_of: int) -> None:
    made = [
        call(1000 * stratum + number, model=f"model-{stratum}")
        for stratum, count in enumerate(strata)
        for number in range(count)
    ]
    sums = "sum(weight), count(*) FILTER (weight > 0), max(weight)"
    with duckdb.connect() as database:
        database.register("part", to_table(made))
        select = f"SELECT {sums} FROM ({statement('sample')}) GROUP BY model ORDER BY model"
        found = database.execute(select, {"of": one_of, "org_id": "org_a"}).fetchall()
    for count, (weights, kept, most) in zip(strata, found, strict=True):
        assert (weights, kept) == (count, -(-count // one_of))
        assert most <= one_of


def summed(files: tuple[str, ...]) -> list[tuple[object, ...]]:
    """A rollup's rows by all that it is grouped by, however many files they are in."""
    with_cost = "cost_usd" in rows(files, "SELECT string_agg(column_name) AS n FROM (DESCRIBE rows)")[0][0]
    sums = "sum(calls) AS calls" + (", sum(cost_usd) AS cost_usd, sum(tokens_in) AS tokens_in" if with_cost else "")
    names = [
        name
        for (name,) in rows(files, "SELECT column_name FROM (DESCRIBE rows)")
        if name in ("hour", "org_id", "project_id", "provider", "model", "outcome", "bucket", "measure", "user_id")
    ]
    return rows(files, f"SELECT {', '.join(names)}, {sums} FROM rows GROUP BY ALL ORDER BY ALL")
