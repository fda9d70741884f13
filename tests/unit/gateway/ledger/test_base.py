import msgspec

from gateway.ledger.base import Crossed, Hold, Terms, decode_crossed
from gateway.ledger.window import NEVER_S


def test_a_hold_of_which_nothing_more_is_said_is_of_a_window_that_never_ends():
    terms = Terms("q@total", 10)

    assert (terms.thresholds, terms.whole, terms.kept_until_s) == ((), None, NEVER_S)


def test_a_hold_tells_whose_it_is_and_what_limits_it():
    hold = Hold(Terms("q@total", 10), 5)

    assert (hold.counter, hold.limit, hold.amount) == ("q@total", 10, 5)


def test_what_was_crossed_reads_as_it_was_written():
    crossed = Crossed("q@2026-11|user=zoe", 80, 81, 100)

    assert decode_crossed(msgspec.msgpack.encode(crossed)) == crossed
