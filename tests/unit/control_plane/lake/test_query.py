import os
from pathlib import Path

import pytest

from control_plane.lake import query
from control_plane.lake.query import Unanswered, top_models
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet

DAY_S = 86_400
NOON_S = 1_790_000_000 // DAY_S * DAY_S + DAY_S // 2


def land(root: Path, day: str, name: str, *records: Record) -> None:
    file = root / "landing" / f"dt={day}" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_parquet(to_table(records), "digest"))


def call(
    model: str, cost_nanousd: int | None, at_s: int = NOON_S, project: str = "prj_a", org: str = "org_a"
) -> Record:
    return Record(
        request_id=f"{model}-{cost_nanousd}-{at_s}-{project}-{org}",
        ts_ns=at_s * 10**9,
        model=model,
        cost_nanousd=cost_nanousd,
        project_id=project,
        org_id=org,
    )


@pytest.fixture
def lake(tmp_path: Path) -> str:
    land(tmp_path, "2026-09-21", "n-1-1", call("small", 1), call("large", 2_000_000_001), call("small", 5))
    land(tmp_path, "2026-09-22", "n-1-2", call("late", 3), call("unpriced", None), call("free", 0))
    land(tmp_path, "2026-09-21", "n-1-3", call("theirs", 9, org="org_b"), call("beside", 8, project="prj_b"))
    land(tmp_path, "2026-09-21", "n-1-4", call("early", 9, at_s=NOON_S - DAY_S))
    return str(tmp_path)


async def test_models_come_dearest_first_with_the_exact_sum_of_a_project(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 10)
    assert found == (NOON_S - 60, [("large", 2_000_000_001), ("small", 6), ("late", 3)])


async def test_so_many_and_no_more(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 1)
    assert found.costs == [("large", 2_000_000_001)]


async def test_an_organization_is_all_of_its_projects_and_nobody_elses(lake):
    found = await top_models(lake, "org_a", None, NOON_S - 60, NOON_S + 60, 2)
    assert found.costs == [("large", 2_000_000_001), ("beside", 8)]


async def test_a_time_without_calls_cost_nothing(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S + DAY_S * 9, NOON_S + DAY_S * 10, 3)
    assert found.costs == []


@pytest.mark.parametrize("where", ["s3://bucket/lake", "/nowhere/at/all"])
async def test_a_lake_that_is_not_there_is_unanswered_and_not_nothing(where):
    with pytest.raises(Unanswered):
        await top_models(where, "org_a", "prj_a", NOON_S, NOON_S + 60, 3)


async def test_a_damaged_file_is_unanswered(lake):
    (Path(lake) / "landing/dt=2026-09-21/n-1-5.parquet").write_bytes(b"PAR1")
    with pytest.raises(Unanswered):
        await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 3)


async def test_a_window_without_end_is_unanswered(lake):
    with pytest.raises(Unanswered, match="days"):
        await top_models(lake, "org_a", "prj_a", 0, NOON_S, 3)


async def test_of_more_files_than_can_be_opened_the_newest_say_since_when_they_know(tmp_path, monkeypatch):
    monkeypatch.setattr(query, "FILES_MAX", 2)
    for minute, model in enumerate(("oldest", "older", "newer", "newest")):
        land(tmp_path, "2026-09-21", f"n-1-{minute}", call(model, 1, at_s=NOON_S + minute * 60))
        file = tmp_path / f"landing/dt=2026-09-21/n-1-{minute}.parquet"
        os.utime(file, (NOON_S + minute * 60 + 30,) * 2)
    found = await top_models(str(tmp_path), "org_a", "prj_a", NOON_S, NOON_S + 600, 9)
    assert found == (NOON_S + 2 * 60 + 31, [("newest", 1)])


async def test_looking_for_files_takes_of_the_time_too(lake):
    with pytest.raises(Unanswered, match="files"):
        await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 3, within_s=-1)


async def test_a_question_ends_with_its_time(lake):
    for number in range(200):
        land(Path(lake), "2026-09-21", f"n-2-{number}", call("small", number))
    with pytest.raises(Unanswered):
        await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 3, within_s=0.01)
