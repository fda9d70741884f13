from pathlib import Path

import msgspec
import pytest

from gateway.books import EmbeddedBooks
from gateway.contract.record import Record, encode_record
from gateway.faults import GatewayFault
from gateway.journal.frame import FINAL, INTENT, SIGNAL, Frame
from gateway.journal.writer import Journal
from gateway.ledger.base import Balance, Crossed
from gateway.ledger.embedded import EmbeddedLedger
from tests.support.holds import hold, holds

NOW_S = 1_800_000_000


def final(seq: int, **counters: int) -> bytes:
    return encode_record(Record(request_id=f"r{seq}", ts_ns=1, counters=counters or None, ledger_seq=seq))


def embedded() -> EmbeddedBooks:
    return EmbeddedBooks(EmbeddedLedger(), lambda: NOW_S, monotonic_s=lambda: 0.0)


def opened(directory: Path) -> tuple[Journal, EmbeddedLedger]:
    books = embedded()
    journal = Journal.open(
        directory,
        node_id="node",
        now_ns=0,
        resolve=lambda intent: intent,
        segment_bytes_max=1 << 20,
        segment_age_ms=1000,
        free_bytes_min=0,
        books=books,
    )
    return journal, books.ledger


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


def test_a_checkpoint_of_another_version_stops_the_start():
    with pytest.raises(GatewayFault, match="cannot be used: format 99"):
        embedded().restore(Path(), msgspec.msgpack.encode((99, 1, {})))
