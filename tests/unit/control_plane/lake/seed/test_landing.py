from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import OtherSeed, Seeded
from control_plane.lake.seed.story import Plan
from gateway.lake.landed import landed_files, landed_ids
from gateway.lake.store import Directory, StoreFault

PLAN = Plan(2_000, 3, 7, int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp()))
SEEDED = Seeded(PLAN, plain_places("org_demo"))


def write(root: Path) -> landing.Done:
    generator = Generator(PLAN, SEEDED.places)
    try:
        return landing.write(Directory(root), SEEDED, generator, lambda rows: None)
    finally:
        generator.close()


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_a_lake_has_the_files_and_says_what_they_are_of(tmp_path):
    made = write(tmp_path)
    files = landed_files(tmp_path)

    assert [file.parent.name for file in files] == ["dt=2026-11-24", "dt=2026-11-25", "dt=2026-11-26"]
    assert sum(len(landed_ids(file)) for file in files) == made.rows == 2_000
    assert made.bytes == sum(file.stat().st_size for file in files)
    assert landing.begun(Directory(tmp_path)) == SEEDED


def test_it_is_done_when_it_is_said_to_be(tmp_path):
    store = Directory(tmp_path)
    assert landing.begun(store) is None
    made = write(tmp_path)

    assert landing.done(store) is None
    landing.finish(store, made)
    assert landing.done(store) == made


def test_whoever_begins_again_makes_what_is_missing_and_leaves_the_rest(tmp_path):
    write(tmp_path)
    before = contents(tmp_path)
    landed_files(tmp_path)[1].unlink()

    assert write(tmp_path).rows == 2_000
    assert contents(tmp_path) == before


def test_a_second_world_in_one_lake_is_refused():
    assert landing.same_but_for_the_time(Plan(2_000, 3, 7, PLAN.now_s + 999), SEEDED) == PLAN
    with pytest.raises(OtherSeed, match="--rows 2000 --days 3 --seed 7"):
        landing.same_but_for_the_time(Plan(2_000, 3, 8, PLAN.now_s), SEEDED)


def test_a_name_that_something_else_has_is_told(tmp_path):
    write(tmp_path)
    landed_files(tmp_path)[0].write_bytes(b"another")

    with pytest.raises(OtherSeed, match="is there already"):
        write(tmp_path)


def test_a_store_that_fails_is_no_empty_one(tmp_path):
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed/plan.json").mkdir()

    with pytest.raises(StoreFault):
        landing.begun(Directory(tmp_path))
