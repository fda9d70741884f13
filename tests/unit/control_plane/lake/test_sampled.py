from pathlib import Path

from control_plane.lake.curate import identities_in
from control_plane.lake.curated import open_tables
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.sampled import carry_dropped, dropped_key, dropped_of, is_sampled, is_sampled_path
from tests.support.lakes import NOW_MS, calls, cost, cure, land, look, rolled, rows

LATER_MS = NOW_MS + 10 * 86_400_000


def test_a_name_says_that_a_file_is_a_sample() -> None:
    assert is_sampled_path("dt=2025-11-25/project_id=prj_a/sampled-01.parquet")
    assert not is_sampled_path("dt=2025-11-25/project_id=sampled-/01.parquet")


def test_a_call_that_is_sent_again_is_known_though_it_was_dropped(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(20)))
    cure(lake)
    retain(lake, Policy(Tier(one_of=5)), LATER_MS)
    (file,) = lake.events.follow().files.values()
    assert is_sampled(file)
    assert (file.rows, len(dropped_of(lake.store, file)), len(identities_in(lake, file))) == (4, 16, 20)
    land(tmp_path, "again", calls(range(25)))
    assert cure(lake, LATER_MS)[0].absorbed[:3] == (1, 5, 20)
    assert rolled(look(tmp_path)) == cost(calls(range(25)))


def test_a_file_in_the_place_of_another_knows_whom_that_one_knew(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(20)))
    cure(lake)
    retain(lake, Policy(Tier(one_of=5)), LATER_MS)
    (file,) = lake.events.follow().files.values()
    other = file._replace(path=file.path.replace("sampled-", "sampled-f"))
    assert len(dropped_of(lake.store, other)) == 0
    carry_dropped(lake.store, [file], other)
    assert len(dropped_of(lake.store, other)) == 16
    assert [entry.key for entry in lake.store.entries("sampled_out")].count(dropped_key(other.path)) == 1
    assert rows(look(tmp_path).sampled, "SELECT sum(weight) AS calls FROM rows") == [(20,)]
