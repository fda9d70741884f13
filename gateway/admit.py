"""Stage 4: may it pass now. Owns the gate in front of the provider.

Work in flight, a draining process, a journal that cannot be written. Kill switches, rate limits and budgets are
gateway/enforce.py's.
"""

import msgspec

from gateway.faults import Refusal


class Gate(msgspec.Struct):
    """What admission depends on besides the request; kept current by the server."""

    inflight_max: int
    inflight: int = 0
    draining: bool = False


def admit(gate: Gate, *, journal_accepting: bool) -> Refusal | None:
    """Why a call may not be forwarded now (503), or None. A call that passes counts as in flight until it ends."""
    if gate.draining:
        return Refusal("shutting_down", "This gateway is shutting down: try again", retry_after_s=1)
    if not journal_accepting:
        return Refusal("journal_unavailable", "The journal cannot be written: free its disk", retry_after_s=5)
    if gate.inflight >= gate.inflight_max:
        return Refusal("overloaded", "inflight_max requests are in flight: try again", retry_after_s=1)
    return None
