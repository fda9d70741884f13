import secrets
import time
from pathlib import Path

import msgspec
import pytest

from gateway.books import TRUSTED_AFTER_S, EmbeddedBooks, LeaseBooks
from gateway.contract.record import Record, encode_record
from gateway.faults import GatewayFault
from gateway.journal.frame import FINAL, INTENT, SIGNAL, Frame
from gateway.journal.writer import Journal
from gateway.ledger.agent import RedisLedger
from gateway.ledger.base import Balance, Crossed, Shortage
from gateway.ledger.embedded import EmbeddedLedger
from tests.contract.ledgers import ModelStore, take
from tests.support.holds import hold, holds

NOW_S = 1_800_000_000


def final(seq: int, **counters: int) -> bytes:
    return encode_record(Record(request_id=f"r{seq}", ts_ns=1, counters=counters or None, ledger_seq=seq))


def embedded() -> EmbeddedBooks:
    return EmbeddedBooks(EmbeddedLedger(), lambda: NOW_S, monotonic_s=lambda: 0.0)


def opened(directory: Path) -> tuple[Journal, EmbeddedLedger]:
    books = embedded()
    return journal_of(directory, books), books.ledger


async def opened_shared(directory: Path, store: ModelStore) -> tuple[Journal, RedisLedger]:
    books = LeaseBooks(store, lambda: NOW_S, monotonic_s=time.monotonic, nodes_min=1)
    journal = journal_of(directory, books)
    while not books.ledger.open:
        await books.ledger.step()
    return journal, books.ledger


def journal_of(directory: Path, books: EmbeddedBooks | LeaseBooks) -> Journal:
    return Journal.open(
        directory,
        node_id="node",
        now_ns=0,
        resolve=lambda intent: intent,
        segment_bytes_max=1 << 20,
        segment_age_ms=1000,
        free_bytes_min=0,
        books=books,
    )


async def spend(journal: Journal, ledger: EmbeddedLedger | RedisLedger, calls: int) -> None:
    """As many calls as that, of 1 each, and a stop."""
    for _ in range(calls):
        id = secrets.token_hex(8)
        assert await take(ledger, id, holds(hold("q@2027-01", 1, 100))) is None
        journal.final(id.encode(), final(ledger.settle(id, {"q@2027-01": 1}), **{"q@2027-01": 1}))
        journal.flush(0)
    if isinstance(ledger, RedisLedger):
        await ledger.leave()
    journal.close(10**12)


def landed_sum(directory: Path) -> int:
    """What a process that is alone finds spent, once the lake has taken all that is sealed."""
    for sealed in directory.glob("*.seg"):
        sealed.unlink()
    journal, ledger = opened(directory)
    journal.close(10**12)
    return ledger.balance("q@2027-01").settled


def test_what_was_settled_is_known_after_a_restart_wherever_it_lies(tmp_path: Path):
    journal, ledger = opened(tmp_path)
    for number in range(1, 31):
        ledger.reserve(str(number), holds(hold("q@total", 5, None)))
        journal.final(b"%d" % number, final(ledger.settle(str(number), {"q@total": number}), **{"q@total": number}))
        journal.flush(number * 300_000_000)  # every fourth rotates
        if number % 7 == 0:
            journal.sync()  # seals what was rotated out, which the lake may delete from now on
            for sealed in tmp_path.glob("*.seg"):
                sealed.unlink()
    journal.close(10**12)

    _, again = opened(tmp_path)

    assert again.counters() == {"q@total": Balance(sum(range(1, 31)))}
    assert again.seq == 30


def test_a_record_of_a_later_version_is_a_fault_that_says_what_to_do():
    later = msgspec.msgpack.encode([*msgspec.msgpack.decode(final(1))[:18], "postponed"])
    with pytest.raises(GatewayFault, match="a later version wrote it, so start that one"):
        embedded().fold(Frame(FINAL, b"a", later))


def test_only_numbered_finals_and_signals_are_counted():
    books = embedded()
    ledger = books.ledger
    books.restore(Path(), None)
    books.fold(Frame(INTENT, b"a", final(0, q=5)))
    books.fold(Frame(FINAL, b"b", final(0)))
    books.fold(Frame(FINAL, b"c", final(1, q=7)))
    books.fold(Frame(SIGNAL, b"q", msgspec.msgpack.encode(Crossed("q", 50, 7, 14))))

    assert ledger.counters() == {"q": Balance(7)}
    ledger.reserve("d", holds(hold("q", 0, 14, thresholds=(50,))))
    ledger.settle("d", {"q": 1})
    assert not ledger.crossed()


def test_a_clock_that_is_months_ahead_as_a_machine_starts_ends_no_window():
    monotonic_s = [0.0]
    books = EmbeddedBooks(EmbeddedLedger(), lambda: NOW_S, monotonic_s=lambda: monotonic_s[0])
    books.ledger.fold(1, {"q@2026-09": 5, "q@2027-01": 7})  # it is September

    for monotonic_s[0] in (0, TRUSTED_AFTER_S - 1):
        assert books.snapshot().sums.encode()
        assert books.ledger.balance("q@2026-09").settled == 5
    monotonic_s[0] = TRUSTED_AFTER_S
    books.snapshot()
    assert set(books.ledger.counters()) == {"q@2027-01"}


def test_a_checkpoint_of_another_version_stops_the_start():
    with pytest.raises(GatewayFault, match="cannot be used: format 99"):
        embedded().restore(Path(), msgspec.msgpack.encode((99, 1, {})))


async def test_a_budget_does_not_begin_anew_where_its_ledger_is_shared_no_more_or_again(tmp_path: Path):
    store = ModelStore()
    await spend(*await opened_shared(tmp_path, store), 60)
    assert landed_sum(tmp_path) == 60
    await spend(*opened(tmp_path), 20)
    assert landed_sum(tmp_path) == 80
    journal, ledger = await opened_shared(tmp_path, store)
    assert await take(ledger, "x", holds(hold("q@2027-01", 21, 100))) == Shortage("q@2027-01", 21, 20)
    await spend(journal, ledger, 5)
    assert landed_sum(tmp_path) == 85


async def test_what_was_lent_to_a_process_that_was_killed_counts_as_spent_where_nobody_is_asked(tmp_path: Path):
    journal, ledger = await opened_shared(tmp_path, ModelStore())
    assert await take(ledger, "x", holds(hold("q@2027-01", 10, 100))) is None
    lent = ledger.checkpoint().claims["q@2027-01"][1]
    journal.final(b"x", final(ledger.settle("x", {"q@2027-01": 4}), **{"q@2027-01": 4}))
    journal.close(10**12)
    assert landed_sum(tmp_path) == lent
