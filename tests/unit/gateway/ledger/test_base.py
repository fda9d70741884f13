import msgspec

from gateway.ledger.base import Crossed, Hold, decode_crossed
from gateway.ledger.window import NEVER_S


def test_a_hold_of_which_nothing_more_is_said_is_of_a_window_that_never_ends():
    hold = Hold("q@total", 5, 10)

    assert (hold.thresholds, hold.whole, hold.ends_at_s) == ((), None, NEVER_S)


def test_what_was_crossed_reads_as_it_was_written():
    crossed = Crossed("q@2026-11|user=zoe", 80, 81, 100)

    assert decode_crossed(msgspec.msgpack.encode(crossed)) == crossed
