import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from control_plane.lake.table import CHECKPOINT_EVERY, Change, File, State, Table
from gateway.lake.store import StoreFault, open_store

SCHEMA = pa.schema([("ts", pa.timestamp("us", tz="UTC")), ("dt", pa.date32()), ("project_id", pa.string())])


def table(root: Path) -> Table:
    return Table(str(root), open_store(str(root)), "t", lambda: SCHEMA, ("dt", "project_id"), "ts")


def file(name: str, project_id: str | None = "p", rows: int = 3, from_us: int = 1_764_028_800_000_123) -> File:
    return File(f"dt=2025-11-25/project_id=p/{name}", "2025-11-25", project_id, rows, 10, from_us, from_us + 1, 5)


def add(*files: File, **ours: object) -> Change:
    return Change("WRITE", files, (), dict(ours))


def test_what_is_committed_is_what_every_engine_reads(tmp_path: Path) -> None:
    one = table(tmp_path)
    assert one.follow() == State()
    assert one.commit(State(), add(file("a"), file("b", None), word=1), 7)
    assert one.commit(one.state, Change("OPTIMIZE", [file("c", rows=6)], [file("a")], {}, rearranged=True), 8)

    read = DeltaTable(one.url)
    assert (read.version(), sorted(read.file_uris())) == (
        1,
        sorted(f"{one.url}/dt=2025-11-25/project_id=p/{name}" for name in "bc"),
    )
    assert [entry["operation"] for entry in read.history()] == ["OPTIMIZE", "WRITE"]
    actions = pa.table(read.get_add_actions(flatten=True)).to_pylist()
    assert {row["path"][-1]: (row["partition.project_id"], row["num_records"]) for row in actions} == {
        "b": (None, 3),
        "c": ("p", 6),
    }


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_process_that_knows_nothing_finds_the_same_state(tmp_path: Path, checkpoint: bool) -> None:
    writer = table(tmp_path)
    writer.commit(State(), add(file("a"), file("b", None)), 7)
    writer.commit(writer.state, Change("DELETE", (), [file("a")], {}), 8)
    if checkpoint:
        writer.checkpoint()
    reader = table(tmp_path)
    assert list(reader.follow().files) == [file("b").path]
    found = reader.state.files[file("b").path]
    # Bounds are to the millisecond, outwards.
    assert (found.from_us, found.to_us) == (1_764_028_800_000_000, 1_764_028_800_001_000)
    assert (found.project_id, found.rows, found.dt) == (None, 3, "2025-11-25")
    assert json.loads(reader.state.schema) == json.loads(writer.state.schema)


def test_a_reader_stops_at_a_version_goes_on_and_goes_back(tmp_path: Path) -> None:
    writer, reader = table(tmp_path), table(tmp_path)
    for number in range(4):
        writer.commit(writer.state, add(file(str(number))), number)
    assert len(reader.follow(1).files) == 2
    assert len(reader.follow(2).files) == 3
    assert len(reader.follow().files) == 4
    assert len(reader.follow(0).files) == 1
    assert reader.state.version == 0


def test_of_two_commits_to_one_version_the_second_is_refused(tmp_path: Path) -> None:
    first, second = table(tmp_path), table(tmp_path)
    assert first.commit(State(), add(file("a")), 7)
    assert not second.commit(State(), add(file("b")), 7)
    assert list(second.follow().files) == [file("a").path]
    assert second.commit(second.state, add(file("b")), 8)


def test_a_commit_whose_answer_was_lost_is_known_again(tmp_path: Path) -> None:
    writer = table(tmp_path)

    class Forgetful:
        """A store whose driver asks a second time for what it has done."""

        def __getattr__(self, name: str) -> object:
            return getattr(open_store(str(tmp_path)), name)

        def create(self, key: str, data: bytes) -> bool:
            open_store(str(tmp_path)).create(key, data)
            return False

    writer._store = Forgetful()  # type: ignore[assignment]
    assert writer.commit(State(), add(file("a")), 7)
    assert list(table(tmp_path).follow().files) == [file("a").path]


def test_a_reader_whose_commits_were_cleared_begins_anew(tmp_path: Path) -> None:
    writer, reader = table(tmp_path), table(tmp_path)
    writer.commit(State(), add(file("0")), 0)
    reader.follow()
    for number in range(1, CHECKPOINT_EVERY):
        writer.commit(writer.state, add(file(str(number))), number)
    writer.checkpoint()
    assert writer.clear_log(CHECKPOINT_EVERY, 1e10) == CHECKPOINT_EVERY - 1
    assert writer.clear_log(CHECKPOINT_EVERY, 1e10) == 0
    assert len(reader.follow().files) == CHECKPOINT_EVERY
    assert len(table(tmp_path).follow().files) == CHECKPOINT_EVERY


def test_commits_that_are_young_or_needed_stay(tmp_path: Path) -> None:
    writer = table(tmp_path)
    for number in range(4):
        writer.commit(writer.state, add(file(str(number))), number)
    assert writer.clear_log(4, 1e10) == 0, "there is no checkpoint"
    writer.checkpoint()
    assert writer.clear_log(4, 0) == 0
    assert writer.clear_log(2, 1e10) == 2
    assert writer.commit_at(3) is not None


def test_the_last_commit_with_a_word_is_found_behind_others(tmp_path: Path) -> None:
    writer = table(tmp_path)
    for ours in ({"word": 1}, {"word": 2, "other": 1}, {}):
        writer.commit(writer.state, add(**ours), 7)
    found = table(tmp_path)
    assert [entry and (entry[0].version, entry[1]) for entry in (found.latest("word", found.follow()),)] == [(1, 2)]
    assert found.latest("nothing", found.state) is None


def test_a_column_that_is_new_is_told_in_the_next_commit(tmp_path: Path) -> None:
    writer = table(tmp_path)
    writer.commit(State(), add(file("a")), 7)
    wider = SCHEMA.append(pa.field("more", pa.int64()))
    later = Table(str(tmp_path), open_store(str(tmp_path)), "t", lambda: wider, ("dt", "project_id"), "ts")
    later.commit(later.follow(), add(file("b")), 8)
    assert [field.name for field in DeltaTable(later.url).schema().fields] == wider.names


def test_a_commit_that_is_none_is_a_fault(tmp_path: Path) -> None:
    writer = table(tmp_path)
    writer.commit(State(), add(file("a")), 7)
    open_store(str(tmp_path)).create(f"t/_delta_log/{1:020d}.json", b"{half")
    with pytest.raises(StoreFault, match="commit 1 cannot be read"):
        writer.follow()


def test_files_of_no_version_are_vacuumed_after_their_time(tmp_path: Path) -> None:
    writer = table(tmp_path)
    store = open_store(str(tmp_path))
    for name in "abc":
        store.create(writer.key(file(name)), b"data")
    writer.commit(State(), add(file("a"), file("b")), 0)
    writer.commit(writer.state, Change("DELETE", (), [file("a")], {}), 0)  # removed in 1970
    assert writer.vacuum() == 1
    # What nobody committed may be somebody's who is at it.
    assert sorted(entry.key[-1] for entry in store.entries("t/dt=2025-11-25")) == ["b", "c"]
