"""A start that has much to take in: the ends of calls in open windows, of ten thousand counters.

What is sealed is in the checkpoint; what is not is read again, some 8 us each.

`make restart` has a million of them and shows the time; here are fewer. Another process writes them, through the
journal as gateways have it, and dies.
"""

import multiprocessing
import os
import time
from pathlib import Path

from gateway.books import EmbeddedBooks
from gateway.contract.record import Record, encode_record
from gateway.journal.writer import Journal
from gateway.ledger.embedded import EmbeddedLedger
from tests.support.holds import hold, holds

FINALS = int(os.environ.get("TESTS_RESTART_FINALS", "100000"))
COUNTERS = 10_000
AMOUNT = 7
# As many as a turn of a busy event loop ends.
PER_FLUSH = 100
# What a start with a million ends may take, on a machine that is busy with other things.
START_S_MAX = 5.0
SEGMENT_BYTES_MAX = 16 << 20
# A second of a busy gateway.
PER_SYNC = 20_000


def opened(directory: Path, ledger: EmbeddedLedger) -> Journal:
    return Journal.open(
        directory,
        node_id="node",
        now_ns=0,
        resolve=lambda intent: intent,
        segment_bytes_max=SEGMENT_BYTES_MAX,
        segment_age_ms=3_600_000,
        books=EmbeddedBooks(ledger, lambda: 1_800_000_000, monotonic_s=lambda: 0.0),
    )


def counter_of(number: int) -> str:
    return f"users@total|user={number % COUNTERS}"


def write(directory: Path) -> None:
    """What a gateway does until it is killed."""
    ledger = EmbeddedLedger()
    journal = opened(directory, ledger)
    for number in range(FINALS):
        id, counter = f"req_{number}", counter_of(number)
        ledger.reserve(id, holds(hold(counter, 10, 10**9)))
        seq = ledger.settle(id, {counter: AMOUNT})
        record = Record(request_id=id, ts_ns=number, outcome="ok", counters={counter: AMOUNT}, ledger_seq=seq)
        journal.final(id.encode(), encode_record(record))
        if number % PER_FLUSH == PER_FLUSH - 1:
            journal.flush(number)
        if number % PER_SYNC == PER_SYNC - 1:
            journal.sync()
    os._exit(0)


def test_a_start_takes_in_all_that_was_charged_within_seconds(tmp_path: Path):
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(tmp_path,))
    writer.start()
    writer.join()
    segments = [path.suffix for path in tmp_path.iterdir() if path.suffix in (".open", ".seg")]

    ledger = EmbeddedLedger()
    began_s = time.monotonic()
    journal = opened(tmp_path, ledger)
    took_s = time.monotonic() - began_s
    journal.close(0)
    print(
        f"\na start took in {FINALS:,} ends in {len(segments)} segments, {segments.count('.open')} unsealed,"
        f" in {took_s:.2f} s"
    )

    assert FINALS < 200_000 or len(segments) > 1, "it rotated"
    assert sum(balance.settled for balance in ledger.counters().values()) == AMOUNT * FINALS
    assert ledger.balance(counter_of(42)).settled == AMOUNT * FINALS // COUNTERS
    assert ledger.seq == FINALS
    assert took_s < START_S_MAX

    again = EmbeddedLedger()
    opened(tmp_path, again).close(0)
    assert again.counters() == ledger.counters()
