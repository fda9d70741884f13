import pytest

from gateway.admit import Gate, admit
from gateway.faults import CODES


def test_a_call_passes_an_open_gate():
    assert admit(Gate(inflight_max=2, inflight=1), journal_accepting=True) is None


@pytest.mark.parametrize(
    ("gate", "journal_accepting", "code", "retry_after_s"),
    [
        (Gate(inflight_max=2, inflight=2), True, "overloaded", 1),
        (Gate(inflight_max=2), False, "journal_unavailable", 5),
        (Gate(inflight_max=2, draining=True), True, "shutting_down", 1),
        # A gateway that goes away says so, whatever else is wrong with it: another one can take the call.
        (Gate(inflight_max=2, inflight=2, draining=True), False, "shutting_down", 1),
    ],
)
def test_a_call_that_may_not_pass_now_is_told_when_to_try_again(gate, journal_accepting, code, retry_after_s):
    refusal = admit(gate, journal_accepting=journal_accepting)
    assert refusal is not None
    assert (refusal.code, refusal.status, refusal.retry_after_s) == (code, 503, retry_after_s)
    assert CODES[code].retryable
