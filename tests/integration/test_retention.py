"""Retention, sampling and erasure by processes that die at any step: nothing is lost, and the next run ends it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.lake.curate import Step
from control_plane.lake.curated import open_tables
from control_plane.lake.erase import order, rewrite
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.standing import ERASED, Erasure, digest
from control_plane.lake.verify import verify
from gateway.contract.record import Record
from tests.support.lakes import DAY_S, NOW_MS, Totals, call, calls, cost, cure, land, look, rolled, rows, seen

LATER_MS = NOW_MS + 10 * 86_400_000
# One organization is sampled, the other's calls go.
POLICY = Policy(Tier(5), {"org_a": Tier(one_of=3)})
ZOE = Erasure("era_1", "org_a", "salt", digest("salt", "org_a", "zoe"))


class Died(BaseException):
    """Stands for the end of a process."""


def retained(lake: Path, step: Step) -> None:
    retain(open_tables(str(lake)), POLICY, LATER_MS, step)


def erased(lake: Path, step: Step) -> None:
    tables = open_tables(str(lake))
    order(tables, [ZOE], LATER_MS, step)
    rewrite(tables, [ZOE], LATER_MS, step)


def prepared(lake: Path) -> Totals:
    """Two days, three partitions, a day that was thinned already and has late calls; some are a person's."""
    early: list[Record] = [
        *calls(range(8), user_id="zoe"),
        *calls(range(8, 14), org_id="org_b", project_id="prj_b", user_id="zoe"),
    ]
    late = [call(20, DAY_S + 50, user_id="zoe"), call(21, DAY_S + 90_000, user_id="zoe"), call(22, DAY_S + 90_000)]
    land(lake, "early", early)
    cure(lake)
    retain(open_tables(str(lake)), Policy(Tier(one_of=2)), LATER_MS)
    land(lake, "late", [*late, *early])
    cure(lake, LATER_MS)
    return cost([*early, *late])


def whole(lake: Path, expected: Totals) -> None:
    assert rolled(look(lake)) == expected
    assert verify(open_tables(str(lake))).differences == []


@pytest.mark.parametrize("work", [retained, erased])
def test_a_process_that_dies_at_any_step_leaves_a_whole_lake_that_the_next_one_finishes(
    tmp_path: Path, work: Callable[[Path, Step], None]
) -> None:
    expected = prepared(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "counted")
    steps: list[str] = []
    work(tmp_path / "counted", steps.append)
    whole(tmp_path / "counted", expected)
    finished = contents(tmp_path / "counted")
    assert len(steps) > 8
    for last in range(len(steps)):
        with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
            lake = Path(directory, "lake")
            shutil.copytree(tmp_path / "whole", lake)
            left = last

            def die(_step: str) -> None:
                nonlocal left
                if left == 0:
                    raise Died
                left -= 1

            with pytest.raises(Died):
                work(lake, die)
            assert rolled(look(lake)) == expected, f"step {last}, {steps[last]}"
            work(lake, lambda _: None)
            whole(lake, expected)
            assert contents(lake) == finished, f"step {last}, {steps[last]}"


def contents(lake: Path) -> list[object]:
    """What a reader sees, whatever the files are called."""
    taken = look(lake)
    by_user = "SELECT user_id, org_id, CAST(sum(calls) AS BIGINT) AS calls FROM rows GROUP BY ALL ORDER BY ALL"
    listed = "SELECT request_id, org_id, user_id FROM rows ORDER BY ALL"
    return [
        seen(taken),
        rows(taken.hourly_users, by_user),
        *(rows(files, listed) if files else [] for files in (taken.events, taken.sampled)),
    ]


def test_in_the_end_nobody_is_named_and_the_others_zoe_is_still_there(tmp_path: Path) -> None:
    expected = prepared(tmp_path)
    erased(tmp_path, lambda _: None)
    users = "SELECT org_id, user_id, CAST(sum(calls) AS BIGINT) AS calls FROM rows GROUP BY ALL ORDER BY ALL"
    assert rows(look(tmp_path).hourly_users, users) == [
        ("org_a", "", 1),
        ("org_a", ERASED, 10),
        ("org_b", "zoe", 6),
    ]
    whole(tmp_path, expected)
