"""Owns how the events of one stream become one Reading. Knows no provider and no framing."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.metering.counts import INCONSISTENT, INPUT_NOT_COUNTED
from gateway.metering.reading import Line, Reading
from gateway.wire.jsontext import NotJson

UNREADABLE = "event_unreadable"

# With one of these a last running total is not the final one.
_UNSETTLED = frozenset((INCONSISTENT, INPUT_NOT_COUNTED))


class Fold(Protocol):
    """The state of one stream."""

    def take(self, payload: bytes) -> None:
        """One event's JSON. Never raises for what a provider sent."""
        ...

    def reading(self, complete: bool) -> Reading:
        """What is known so far; `complete`: the stream came to its end."""
        ...

    @property
    def is_named(self) -> bool:
        """Whether the answering model is known."""
        ...


class LastWins:
    """For families whose every usage is cumulative: the last valid one holds, and none is ever summed.

    `read` makes one event's own Reading: "reported" is final, "partial" a running total. It may raise
    NotJson and msgspec.ValidationError.
    """

    def __init__(self, read: Callable[[bytes], Reading]) -> None:
        self._read = read
        self._last = Reading()
        self._peak = Reading()

    def take(self, payload: bytes) -> None:
        try:
            now = self._read(payload)
        except (NotJson, msgspec.ValidationError):
            now = Reading(flags=(UNREADABLE,))
        self._last = _merge(self._last, now)
        if now.lines and _tokens(now) >= _tokens(self._peak):
            self._peak = self._last

    @property
    def is_named(self) -> bool:
        return self._last.model is not None

    def reading(self, complete: bool) -> Reading:
        last = self._last
        if last.provenance != "partial":
            return last
        if complete and _UNSETTLED.isdisjoint(last.flags):
            return msgspec.structs.replace(last, provenance="reported")
        # Of a stream that was cut, the largest running total is the nearest to the bill: some providers'
        # totals fall before they grow again (provider_facts section 1, Gemini).
        return msgspec.structs.replace(last, lines=self._peak.lines)


def _merge(before: Reading, now: Reading) -> Reading:
    """Later statements replace earlier ones; what is not stated again stays."""
    if now.lines:
        lines, provenance = _with_searches(now.lines, before.lines), now.provenance
    elif now.work_id and not before.lines:
        lines, provenance = (), now.provenance  # a background response states how far it is
    else:
        lines, provenance = before.lines, "partial" if before.lines and INCONSISTENT in now.flags else before.provenance
    # A valid usage settles what an invalid one before it left open.
    kept = tuple(flag for flag in before.flags if flag not in now.flags and not (now.lines and flag == INCONSISTENT))
    return Reading(
        lines=lines,
        provenance=provenance,
        model=now.model or before.model,
        service_tier=now.service_tier or before.service_tier,
        context=now.context or before.context,
        response_id=now.response_id or before.response_id,
        work_id=now.work_id or before.work_id,
        flags=kept + now.flags,
    )


def _with_searches(now: tuple[Line, ...], before: tuple[Line, ...]) -> tuple[Line, ...]:
    """Searches are reported once, on the chunk that shows their results, and not with the totals that follow."""
    if not before or before[0].usage.web_searches <= now[0].usage.web_searches:
        return now
    usage = msgspec.structs.replace(now[0].usage, web_searches=before[0].usage.web_searches)
    return (msgspec.structs.replace(now[0], usage=usage), *now[1:])


def _tokens(reading: Reading) -> int:
    return sum(line.usage.tokens_in + line.usage.tokens_out for line in reading.lines)
