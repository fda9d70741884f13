from pathlib import Path

import pytest

from control_plane.lake.compact import FILES_OF_A_SIZE, ROWS_MAX, Compacted, compact, groups
from control_plane.lake.curate import Beaten, absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.table import File, State
from tests.support.lakes import DAY, DAY_S, NOW_MS, calls, cost, cure, land, look, rolled, rows, seen

TOMORROW_MS = NOW_MS + 86_400_000


def state(*counts: int, dt: str = DAY, written_ms: int = NOW_MS) -> State:
    files = [
        File(f"{number:03d}", dt, "p", count, 10, number * 10, number * 10 + 9, written_ms)
        for number, count in enumerate(counts)
    ]
    return State(1, {file.path: file for file in files})


def wanted(state: State, now_ms: int) -> list[list[str]]:
    return [[file.path for file in group] for group in groups(state, now_ms)]


@pytest.mark.parametrize(
    ("counts", "merged"),
    [
        ([10] * (FILES_OF_A_SIZE - 1), []),
        ([10] * FILES_OF_A_SIZE, [FILES_OF_A_SIZE]),
        ([10] * 5 + [1000] * 5, []),
        ([10] * 8 + [1000] * 8, [8, 8]),
        ([ROWS_MAX] * 20, []),
    ],
)
def test_while_a_day_goes_on_files_of_one_size_are_merged(counts: list[int], merged: list[int]) -> None:
    assert [len(group) for group in wanted(state(*counts), NOW_MS)] == merged


@pytest.mark.parametrize(
    ("counts", "written_ms", "merged"),
    [
        ([10], 0, []),
        ([10, 10], TOMORROW_MS, [["000", "001"]]),
        ([10_000, 10], TOMORROW_MS, []),  # a few late calls wait for others
        ([10_000, 10], NOW_MS, [["000", "001"]]),
        ([100_000] * 5, TOMORROW_MS, [["000", "001"], ["002", "003"]]),
    ],
)
def test_when_a_day_is_over_what_is_small_is_merged(
    counts: list[int], written_ms: int, merged: list[list[str]]
) -> None:
    assert wanted(state(*counts, written_ms=written_ms), TOMORROW_MS) == merged


def test_merged_files_have_the_same_rows_sorted_and_older_readers_keep_theirs(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    for number in range(FILES_OF_A_SIZE):
        land(tmp_path, str(number), calls(range(number, 80, 8), every_s=1 / 3))
        absorb(lake, NOW_MS)
    cured = look(tmp_path)
    assert compact(lake, NOW_MS) == Compacted(1, FILES_OF_A_SIZE, 80)
    assert compact(lake, NOW_MS) is None
    before = look(tmp_path)
    cure(tmp_path)
    after = look(tmp_path)
    assert [len(taken.events) for taken in (cured, before, after)] == [0, 0, 1]
    assert seen(cured) == seen(before) == seen(after) == rolled(after) == cost(calls(range(80)))
    times = [row[0] for row in rows(after.events, "SELECT epoch_us(ts) FROM rows")]
    assert times == sorted(times)


def test_a_merge_that_comes_second_is_refused(tmp_path: Path) -> None:
    lake, other = open_tables(str(tmp_path)), open_tables(str(tmp_path))
    for number in range(FILES_OF_A_SIZE):
        land(tmp_path, str(number), calls([number]))
        absorb(lake, NOW_MS)
    land(tmp_path, "late", calls([8]))

    def meanwhile(step: str) -> None:
        if step == "commit":
            absorb(other, NOW_MS)

    with pytest.raises(Beaten):
        compact(lake, NOW_MS, meanwhile)
    assert compact(lake, NOW_MS) == Compacted(1, 9, 9)


def test_days_of_wrong_clocks_are_merged_too(tmp_path: Path) -> None:
    for number in range(3):
        land(tmp_path, str(number), calls([number], ts_ns=(DAY_S + 10**9) * 10**9))
        cure(tmp_path)
    for number in range(3, 8):
        land(tmp_path, str(number), calls([number], ts_ns=(DAY_S + 10**9) * 10**9))
        cure(tmp_path)
    assert len(look(tmp_path).events) == 1
