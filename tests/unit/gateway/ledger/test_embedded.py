import msgspec
import pytest

from gateway.ledger.base import Balance, Crossed, Shortage
from gateway.ledger.embedded import CheckpointUnusable, EmbeddedLedger
from tests.support.holds import hold, holds

NOW_S = 1_800_000_000


def restored(checkpoint: bytes | None = None) -> EmbeddedLedger:
    ledger = EmbeddedLedger()
    ledger.restore(checkpoint)
    return ledger


def test_it_reserves_extends_and_settles():
    ledger = restored()

    assert ledger.reserve("a", holds(hold("org", 60, 100))) is None
    assert ledger.extend("a", holds(hold("org", 50, 100))) == Shortage("org", 50, 40)
    assert ledger.balance("org") == Balance(0, 60)
    assert ledger.settle("a", {"org": 20}) == ledger.seq == 1
    assert ledger.counters() == {"org": Balance(20, 0)}
    assert ledger.balance("nobody") == Balance()


def test_a_sum_beyond_a_checkpoints_room_is_kept_as_the_most_that_has_room():
    ledger = restored()
    for id in "abc":
        ledger.reserve(id, holds(hold("org", 1, None)))
        ledger.settle(id, {"org": 2**63})

    assert restored(ledger.snapshot(NOW_S).encode()).balance("org") == Balance(2**63 - 1)


async def test_nothing_is_to_be_had_elsewhere():
    ledger = restored()
    ledger.reserve("a", holds(hold("org", 60, 100)))

    assert await ledger.obtain(holds(hold("org", 50, 100)), 1.0) == Shortage("org", 50, 40)
    assert await ledger.obtain(holds(hold("org", 40, 100)), 1.0) is None


def test_a_restart_has_what_the_checkpoint_has_and_what_was_settled_since():
    ledger = restored()
    for id in "abc":
        ledger.reserve(id, holds(hold("org", 10, 100, kept_until_s=NOW_S + 60)))
    finals = [(ledger.settle("a", {"org": 7}), {"org": 7})]
    checkpoint = ledger.snapshot(NOW_S).encode()
    finals += [(ledger.settle(id, {"org": 9}), {"org": 9}) for id in "bc"]

    again = restored(checkpoint)
    # The journal shows finals that the checkpoint has, and some of them twice.
    for seq, charged in (*finals, *finals):
        again.fold(seq, charged)

    assert again.counters() == {"org": Balance(25, 0)}
    assert again.seq == ledger.seq


def test_what_a_dead_call_held_counts_as_spent_and_is_numbered():
    ledger = restored()

    assert ledger.count_open({"org": 60}) == 1
    assert ledger.balance("org") == Balance(60, 0)
    again = restored()
    again.fold(1, {"org": 60})
    assert again.balance("org") == Balance(60, 0)
    assert again.reserve("b", holds(hold("org", 50, 100))) == Shortage("org", 50, 40)


def test_a_threshold_that_was_told_of_is_not_told_again_after_a_restart():
    ledger = restored()
    ledger.reserve("a", holds(hold("org", 60, 100, thresholds=(50, 90))))
    ledger.settle("a", {"org": 60})
    assert ledger.crossed() == [Crossed("org", 50, 60, 100)]
    assert not ledger.crossed()

    by_checkpoint, by_signal, untold = restored(ledger.snapshot(NOW_S).encode()), restored(), restored()
    for again in (by_signal, untold):
        again.fold(1, {"org": 60})
    by_signal.told("org", 50)
    for again in (by_checkpoint, by_signal, untold):
        again.reserve("b", holds(hold("org", 1, 100, thresholds=(50, 90))))
        again.settle("b", {"org": 1})

    assert not by_checkpoint.crossed()
    assert not by_signal.crossed()
    assert untold.crossed() == [Crossed("org", 50, 61, 100)]


def test_old_windows_leave_the_checkpoint():
    ledger = restored()
    ledger.reserve("a", holds(hold("old", 1, None, kept_until_s=NOW_S), hold("new", 1, None, kept_until_s=NOW_S + 1)))
    ledger.settle("a", {"old": 1, "new": 1})

    later = restored(ledger.snapshot(NOW_S + 1).encode())

    assert set(later.counters()) == {"new"}


def test_a_counter_known_from_a_final_alone_is_forgotten_in_the_end_and_a_total_never():
    ledger = restored()
    ledger.fold(1, {"org@2027-01": 1, "org@of old": 1, "org@total|user=x": 1})

    left = [{"org@2027-01", "org@of old", "org@total|user=x"}, {"org@of old", "org@total|user=x"}]
    for days, there in ((0, left[0]), (18, left[0]), (22, left[1]), (33, left[1])):
        ledger.snapshot(NOW_S + days * 24 * 3600)
        assert set(ledger.counters()) == there
    ledger.snapshot(NOW_S + 34 * 24 * 3600)

    assert set(ledger.counters()) == {"org@total|user=x"}


def test_a_total_whose_first_word_is_a_threshold_is_kept_too():
    ledger = restored()
    ledger.told("org@total", 90)
    ledger.fold(1, {"org@total": 90})

    for days in (0, 365):
        ledger.snapshot(NOW_S + days * 24 * 3600)

    assert ledger.balance("org@total") == Balance(90, 0)


def test_calls_at_a_time_are_over_when_their_process_is():
    ledger = restored(msgspec.msgpack.encode((1, 1, {"at-once@now": (2, 0, 2**52), "org@total": (5, 0, 2**52)})))
    ledger.count_open({"at-once@now|user=x": 1, "org@total": 5})
    ledger.fold(7, {"at-once@now": 1})

    assert ledger.counters() == {"org@total": Balance(10, 0)}


def test_what_nobody_has_spent_of_is_not_kept():
    ledger = restored()
    for number in range(3):
        ledger.reserve(str(number), holds(hold(f"at-once@now|user={number}", 1, 5)))
    ledger.settle("0", {"at-once@now|user=0": 0})
    ledger.settle("1", {})

    ledger.snapshot(NOW_S)

    assert set(ledger.counters()) == {"at-once@now|user=2"}


@pytest.mark.parametrize("checkpoint", [b"", b"\xc1", b"\x93\x02\x00\x80", b"\x93\x01\x00"])
def test_a_checkpoint_that_cannot_be_read_is_refused(checkpoint: bytes):
    with pytest.raises(CheckpointUnusable):
        restored(checkpoint)
