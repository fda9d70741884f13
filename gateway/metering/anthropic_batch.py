"""Owns the reading of the results of a batch of messages: one JSON object a line, and a message in most of them.

Shape is anthropic 2.12.0, types/messages/message_batch_individual_response.py. Here usages are summed: each line is
a call of its own. The batch's id is in no line, only in the path of the request.
"""

import msgspec

from gateway.metering import anthropic
from gateway.metering.counts import INCONSISTENT
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

UNREADABLE_RESULT = "result_unreadable"
MIXED_CONTEXT = "context_mixed"

# Messages are summed with those of their own length, in steps of so many input tokens: every edge of a long-context
# rate is a multiple of it.
_LENGTH_STEP = 1000
# A handful of models times the lengths there are: one of a million tokens has a thousand of them.
SUMS_MAX = 8192

_TIER = "batch"


class _Result(msgspec.Struct, frozen=True, gc=False):
    message: msgspec.Raw = msgspec.Raw()  # of those that succeeded; the others cost nothing


class _Line(msgspec.Struct, frozen=True, gc=False):
    result: _Result


_lines = msgspec.json.Decoder(_Line)


def read(payload: bytes, about: About) -> Reading:
    """Whole results. Raises NotJson or msgspec.ValidationError where no line of them is a result."""
    results = Results()
    lines = [line for line in payload.splitlines() if line.strip()]
    if not lines:
        raise NotJson("no line")
    jsontext.decode(_lines, lines[0])
    for line in lines:
        results.take(line)
    return results.reading(complete=True)


def fold(about: About) -> "Results":
    return Results()


class Results:
    """The sum of the lines so far, by model and length."""

    is_named = True  # there is no name to look for: every line has its own

    def __init__(self) -> None:
        self._usages: dict[tuple[str | None, int], Usage] = {}  # as many as there are models, times lengths
        self._contexts: dict[tuple[tuple[str, str], ...], None] = {}
        self._flags: dict[str, None] = {}
        self._has_results = self._is_no_batch = False

    def take(self, payload: bytes) -> None:
        try:
            message = jsontext.decode(_lines, payload).result.message
            self._has_results = True
            if message:
                self._add(anthropic.read(bytes(message), ""))
        except (NotJson, msgspec.ValidationError):
            self._flags[UNREADABLE_RESULT] = None

    def _add(self, reading: Reading) -> None:
        for line in reading.lines:
            each_in = -(-line.usage.tokens_in // _LENGTH_STEP) * _LENGTH_STEP
            alike = line.model or reading.model, each_in
            if len(self._usages) >= SUMS_MAX and alike not in self._usages:
                self._flags[INCONSISTENT] = None
                self._is_no_batch = True
                return
            self._usages[alike] = self._usages.get(alike, Usage()) + line.usage
        if len(self._contexts) < 2:  # of which one is taken
            self._contexts[reading.context] = None
        self._flags.update(dict.fromkeys(reading.flags))

    def reading(self, complete: bool) -> Reading:
        """All of it, or nothing yet: results that were not read to their end can be fetched again."""
        flags = tuple(self._flags)
        if not complete:
            return Reading(provenance="deferred", flags=flags)
        if self._is_no_batch:
            return Reading(flags=flags)
        if self._has_results and not self._usages and UNREADABLE_RESULT not in flags:
            return Reading(provenance="none", flags=flags)
        contexts = [context for context in self._contexts if context]
        if len(self._contexts) > 1:
            flags += (MIXED_CONTEXT,)
        return Reading(
            lines=tuple(Line(usage, model, each_in) for (model, each_in), usage in self._usages.items()),
            provenance="reported" if self._usages else "unknown",
            model=next((model for model, _ in self._usages), None),
            service_tier=_TIER,
            # Once more as a modifier: the tier of an answer is that of its own model's lines alone.
            context=(("service_tier", _TIER), *(contexts[0] if contexts else ())),
            flags=flags,
        )
