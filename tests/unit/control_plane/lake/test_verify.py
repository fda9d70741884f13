from decimal import Decimal
from pathlib import Path

import pytest

from control_plane.lake.curate import put
from control_plane.lake.curated import open_tables
from control_plane.lake.table import Change
from control_plane.lake.verify import Verified, verify
from gateway.contract.record import Record, encode_record
from gateway.journal import checkpoint
from gateway.journal.disk import Disk
from gateway.journal.writer import Journal
from gateway.lake.batch import to_table
from gateway.ledger.embedded import EmbeddedLedger
from tests.support.lakes import DAY, NOW_MS, calls, cure, land


def checked(lake: Path, journal: Path | None = None) -> Verified:
    return verify(open_tables(str(lake)), journal)


def test_a_lake_that_adds_up_has_no_difference(tmp_path: Path) -> None:
    assert checked(tmp_path)[:3] == (0, Decimal(0), 0)
    land(tmp_path, "a", [*calls(range(5)), *calls(range(5, 9), org_id="org_b", cost_nanousd=None)])
    cure(tmp_path)
    land(tmp_path, "b", calls(range(9, 11)))
    found = checked(tmp_path)
    assert found[:3] == (9, Decimal("0.000000010"), 2)
    assert found.differences == []
    assert len(found.compared) == 8


def test_rows_that_came_twice_or_are_missing_are_named(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(5)))
    cure(tmp_path)
    lake = open_tables(str(tmp_path))
    again = put(lake, to_table(calls(range(2))), DAY, "prj_a", NOW_MS)
    lake.events.commit(lake.events.follow(), Change("WRITE", [again], (), {}), NOW_MS)
    cure(tmp_path)
    assert checked(tmp_path).differences == [f"events of {DAY}: 2 calls stand twice"]

    for file in list(lake.events.follow().files.values()):
        lake.events.commit(lake.events.state, Change("DELETE", (), [file], {}), NOW_MS)
    cure(tmp_path)
    assert checked(tmp_path).differences == [f"landing/dt={DAY}/a.parquet: 5 of its calls are not in events"]


def test_a_rollup_that_says_something_else_is_named(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(5)))
    cure(tmp_path)
    lake = open_tables(str(tmp_path))
    hourly = lake.hourly.follow()
    lake.hourly.commit(hourly, Change("DELETE", (), list(hourly.files.values()), {}), NOW_MS)
    (difference,) = checked(tmp_path).differences
    assert difference.startswith(f"hourly of {DAY}, organization 'org_a': None; in events: (5, ")


def test_a_raw_file_that_nobody_can_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"landing/dt={DAY}/a.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    land(tmp_path, "b", calls(range(2)))
    cure(tmp_path)
    assert checked(tmp_path).differences == [f"landing/dt={DAY}/a.parquet cannot be read (ArrowInvalid)"]


def settle(number: int, amount: int) -> Record:
    return calls([number], counters={"team@month|": amount}, ledger_seq=number)[0]


@pytest.mark.parametrize("lost", [False, True])
def test_the_ledgers_sums_are_those_of_the_lake_and_of_what_waits(tmp_path: Path, lost: bool) -> None:
    worker = tmp_path / "journal" / "worker-0"
    journal = Journal.open(
        worker, node_id="n", now_ns=0, resolve=lambda intent: intent, segment_bytes_max=1 << 20, segment_age_ms=1
    )
    record = settle(4, 40)
    journal.intent(b"4", b"intent")
    journal.final(b"4", encode_record(record))
    journal.flush(0)
    journal.flush(10**9)
    assert journal.sync()
    journal.close(0)
    ledger = EmbeddedLedger()
    for number in range(1, 5):
        ledger.fold(number, {"team@month|": number * 10})
    checkpoint.write(worker, ledger.snapshot(0).encode(), Disk())

    land(tmp_path, "a", [settle(1, 10), settle(2, 20)])
    cure(tmp_path)
    # Settled after the checkpoint, so it is not in its sums.
    land(tmp_path, "b", [settle(5, 50)] if lost else [settle(3, 30), settle(5, 50)])
    found = checked(tmp_path, tmp_path / "journal")
    assert found.differences == (["counter team@month|: the ledger has 100, the lake 70"] if lost else [])
    assert found.compared[-1].startswith("the ledger's checkpoint")
