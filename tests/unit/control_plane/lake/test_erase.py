import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from control_plane.lake import erase as module
from control_plane.lake import table
from control_plane.lake.curate import Beaten, absorb
from control_plane.lake.curated import Lake, open_tables
from control_plane.lake.erase import left, order, rewrite
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.standing import ERASED, Erasure, digest
from control_plane.lake.tidy import delete_raw, vacuum
from control_plane.lake.verify import verify
from gateway.contract.record import Record
from tests.support.lakes import DAY_S, NOW_MS, call, calls, cost, cure, land, look, rolled, rows, seen

LATER_MS = NOW_MS + 10 * 86_400_000
ZOE = Erasure("era_1", "org_a", "salt", digest("salt", "org_a", "zoe"))


def of_zoe(numbers: range) -> list[Record]:
    return calls(numbers, user_id="zoe", metadata='{"name":"zoe"}', counters={"users@total|user=zoe": 1})


def prepared(lake: Path) -> list[Record]:
    made = [*of_zoe(range(10)), *calls(range(10, 20), user_id="ann"), *calls(range(20, 25), org_id="org_b")]
    land(lake, "a", made)
    cure(lake)
    return made


def erased(lake: Lake) -> int:
    order(lake, [ZOE], LATER_MS)
    return rewrite(lake, [ZOE], LATER_MS)


def names(value: Any) -> bool:
    """Whether a value of any shape names her."""
    return "zoe" in str(value)


def holding(lake: Path) -> list[str]:
    """Every file of a lake, of whatever version, in which she is named."""
    found: list[str] = []
    for path in lake.rglob("*"):
        if path.suffix == ".parquet":
            if names(pq.ParquetFile(path).read().to_pylist()):
                found.append(str(path.relative_to(lake)))
        elif path.is_file() and b"zoe" in path.read_bytes():
            found.append(str(path.relative_to(lake)))
    return found


def test_a_person_is_nobody_and_totals_stay(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    assert erased(open_tables(str(tmp_path))) == 1
    taken = look(tmp_path)
    assert seen(taken) == rolled(taken) == cost(made)
    by_user = "SELECT user_id, sum(calls) AS calls, sum(cost_usd) AS cost_usd FROM rows GROUP BY ALL ORDER BY ALL"
    assert [row[:2] for row in rows(taken.hourly_users, by_user)] == [("", 5), (ERASED, 10), ("ann", 10)]
    assert not names(rows(taken.events, "SELECT * FROM rows"))
    assert verify(open_tables(str(tmp_path))).differences == []
    assert erased(open_tables(str(tmp_path))) == 0, "it is done already"


def test_calls_that_come_late_are_nobodys_too(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    erased(lake)
    land(tmp_path, "late", of_zoe(range(30, 35)))
    assert not names(look(tmp_path).fresh.to_pylist())
    cure(lake, LATER_MS)
    assert not names(rows(look(tmp_path).events, "SELECT * FROM rows"))
    assert seen(look(tmp_path)).calls == 30


def test_whoever_absorbs_while_it_is_ordered_is_beaten_and_obeys(tmp_path: Path) -> None:
    prepared(tmp_path)
    land(tmp_path, "b", of_zoe(range(30, 35)))

    def meanwhile(step: str) -> None:
        if step == "commit":
            order(open_tables(str(tmp_path)), [ZOE], LATER_MS)

    with pytest.raises(Beaten):
        absorb(open_tables(str(tmp_path)), LATER_MS, meanwhile)
    rewrite(open_tables(str(tmp_path)), [ZOE], LATER_MS)
    cure(tmp_path, LATER_MS)
    assert not names(rows(look(tmp_path).events, "SELECT * FROM rows"))


def test_a_commit_that_comes_between_is_no_reason_to_begin_again(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    order(lake, [ZOE], LATER_MS)
    land(tmp_path, "b", calls([40]))
    written: list[str] = []

    def meanwhile(step: str) -> None:
        written.append(step)
        if written.count("commit erasure") == 1 and step == "commit erasure":
            absorb(open_tables(str(tmp_path)), LATER_MS)

    assert rewrite(lake, [ZOE], LATER_MS, meanwhile) == 1
    assert (written.count("erase"), written.count("commit erasure")) == (1, 2)
    assert seen(look(tmp_path)).calls == 26


def test_a_person_is_erased_from_samples_and_from_rollups_of_calls_that_are_gone(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    retain(lake, Policy(Tier(5), {"org_a": Tier(one_of=3)}), LATER_MS)
    assert names(rows(look(tmp_path).sampled, "SELECT * FROM rows"))
    assert erased(lake) == 2
    taken = look(tmp_path)
    assert not names(rows(taken.sampled, "SELECT * FROM rows"))
    assert not names(rows(taken.hourly_users, "SELECT * FROM rows"))
    assert taken.daily is not None
    assert not names(rows(taken.daily["daily_users"], "SELECT * FROM rows"))
    assert rolled(taken) == cost(made)
    assert verify(lake).differences == []
    land(tmp_path, "again", of_zoe(range(10)))
    assert cure(lake, LATER_MS)[0].absorbed.duplicates == 10, "those that the sample dropped are known as before"


def test_in_the_end_no_file_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    # The real time: what is vacuumed is as old as it says.
    now_ms = int(time.time() * 1000)
    order(lake, [ZOE], now_ms)
    rewrite(lake, [ZOE], now_ms)
    assert left(lake, 2**62, 2**62) == (1, 3, 0)
    assert len(holding(tmp_path)) == 4
    delete_raw(lake, now_ms)
    vacuum(lake, now_ms)
    assert left(lake, 2**62, 2**62)[:2] == (0, 3), "a reader may still have them"
    monkeypatch.setattr(table, "VACUUM_AFTER_H", 0)
    vacuum(lake, now_ms)
    assert left(lake, 2**62, 2**62) == (0, 0, 0)
    assert holding(tmp_path) == []


def test_what_nobody_can_read_is_counted(tmp_path: Path) -> None:
    prepared(tmp_path)
    lake = open_tables(str(tmp_path))
    erased(lake)
    delete_raw(lake, LATER_MS)
    for name in ("landing/dt=2025-11-25/broken.parquet", "refused/ingest/dt=2025-11-25/x.ndjson"):
        lake.store.create(name, b"?")
    land(tmp_path, "waiting", calls([99]))
    assert left(lake, 2**62, 0) == (1, 0, 2)


def test_a_file_is_searched_once_however_many_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES_OF_A_COMMIT", 2)
    made = [call(n, DAY_S - n * 86_400, user_id="zoe" if n % 2 else "ann") for n in range(12)]
    land(tmp_path, "a", made)
    cure(tmp_path)
    lake = open_tables(str(tmp_path))
    searched: list[str] = []
    original = lake.store.open
    monkeypatch.setattr(lake.store, "open", lambda key: searched.append(key) or original(key))
    assert erased(lake) == 6
    assert len(searched) == 12 + 6  # and those of hers once more, to be written without her
    assert seen(look(tmp_path)) == cost(made)
