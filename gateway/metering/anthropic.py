"""Owns the reading of Anthropic's Messages: a start, a delta that overrides it, and iterations on several models.

The rules are provider_facts section 0 (4 and 5) and section 1: input excludes both caches, thinking
is part of the output, and the 5-minute and 1-hour split of cache writes stands in `message_start` alone.
"""

from typing import Annotated

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, draw, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# A hop that was declined before a fallback model answered: whether it is billed was not to be found out.
FALLBACK_UNCERTAIN = "fallback_uncertain"
# Each is a pass of a model, of which an answer takes some tens, and each is priced by itself.
ITERATIONS_MAX = 256


class _CacheCreation(msgspec.Struct, frozen=True, gc=False):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _OutputDetails(msgspec.Struct, frozen=True, gc=False):
    thinking_tokens: Count | None = None


class _ServerTools(msgspec.Struct, frozen=True, gc=False):
    web_search_requests: Count | None = None


class _Counts(msgspec.Struct, frozen=True, gc=False):
    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens: Count | None = None
    output_tokens_details: _OutputDetails | None = None


class _Iteration(_Counts, frozen=True, gc=False):
    type: str = "message"
    model: str | None = None


class _Usage(_Counts, frozen=True, gc=False):
    server_tool_use: _ServerTools | None = None
    iterations: Annotated[list[_Iteration], msgspec.Meta(max_length=ITERATIONS_MAX)] | None = None
    service_tier: object = None
    speed: object = None
    inference_geo: object = None


class _Message(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    model: object = None
    usage: msgspec.Raw = msgspec.Raw()


class _Answer(_Message, frozen=True, gc=False):
    """A whole message, or an event; `message_start` holds the message that the later ones complete."""

    type: object = None
    message: _Message | None = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)

# Iterations whose sum is the usage beside them; compaction and advisors come on top of it.
_IN_TOTAL = frozenset(("message", "fallback_message"))


def read(payload: bytes, provider: str) -> Reading:
    """One whole message. Raises NotJson or msgspec.ValidationError for what is none."""
    message = MessageFold()
    message.merge(jsontext.decode(_answers, payload))
    return message.reading(complete=True)


def fold(provider: str) -> "MessageFold":
    """The state of one stream, the same for every provider that speaks this dialect."""
    return MessageFold()


class MessageFold:
    """One stream: what a later usage states replaces what the earlier ones did, field by field."""

    def __init__(self) -> None:
        self._usage: _Usage | None = None
        self._final = False
        self._message = _Message()
        self._flags: tuple[str, ...] = ()

    def take(self, payload: bytes) -> None:
        try:
            self.merge(jsontext.decode(_answers, payload))
        except (jsontext.NotJson, msgspec.ValidationError):
            self._flag(INCONSISTENT)

    def merge(self, answer: _Answer) -> None:
        """One event, or a whole message, which is its own end."""
        if answer.type == "error":
            self._flag(PROVIDER_ERROR)
        if answer.type in ("message_start", "message"):
            self._message = answer.message or answer
        stated = answer.message.usage if answer.message else answer.usage
        if is_stated(stated):
            self._override(stated)
            self._final = answer.type != "message_start"

    @property
    def is_named(self) -> bool:
        return self._message.model is not None

    def reading(self, complete: bool) -> Reading:
        usage = self._usage or _Usage()
        lines, flags = _lines(usage, text_or_none(self._message.model)) if self._usage else ((), ())
        final = self._final and INCONSISTENT not in self._flags
        return Reading(
            lines=lines,
            provenance="unknown" if not lines else "reported" if final else "partial",
            model=text_or_none(self._message.model),
            service_tier=text_or_none(usage.service_tier),
            context=_context(usage),
            response_id=text_or_none(self._message.id),
            flags=self._flags + tuple(flag for flag in flags if flag not in self._flags),
        )

    def _override(self, stated: msgspec.Raw) -> None:
        try:
            now = jsontext.decode_member(_usages, stated)
        except msgspec.ValidationError:
            self._flag(INCONSISTENT)
            return
        fields = {name: value for name in now.__struct_fields__ if (value := getattr(now, name)) is not None}
        self._usage = msgspec.structs.replace(self._usage or _Usage(), **fields)

    def _flag(self, flag: str) -> None:
        if flag not in self._flags:
            self._flags += (flag,)


def _context(usage: _Usage) -> tuple[tuple[str, str], ...]:
    """Price modifiers; "not_available" is what Anthropic says where it states no region."""
    stated = (("speed", text_or_none(usage.speed)), ("inference_geo", text_or_none(usage.inference_geo)))
    return tuple((name, value) for name, value in stated if value and value != "not_available")


def _lines(usage: _Usage, model: str | None) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    searches = usage.server_tool_use.web_search_requests if usage.server_tool_use else None
    tools = Usage(web_searches=searches or 0)
    if not usage.iterations:
        if usage.input_tokens is None and usage.output_tokens is None:
            return (), ()
        return (Line(_buckets(usage) + tools),), ()
    billed, flags = _billed(usage)
    lines = [Line(_buckets(hop), None if hop.model in (None, model) else hop.model) for hop in billed]
    return (*lines, Line(tools)) if searches else tuple(lines), flags


def _billed(usage: _Usage) -> tuple[list[_Iteration], tuple[str, ...]]:
    """Every iteration at its own model; a declined hop only if it put something out."""
    hops = usage.iterations or []
    if any(hop.type == "fallback_message" for hop in hops):
        return [hop for hop in hops if hop.output_tokens or hop.type != "message"], (FALLBACK_UNCERTAIN,)
    total = sum(hop.output_tokens or 0 for hop in hops if hop.type in _IN_TOTAL)
    return hops, () if total == (usage.output_tokens or 0) else (INCONSISTENT,)


def _buckets(counts: _Counts) -> Usage:
    output = [counts.output_tokens or 0]
    details = counts.output_tokens_details
    thinking = draw(output, (details.thinking_tokens or 0) if details else 0)[0]
    write_5m, write_1h = _writes(counts)
    return Usage(
        input_text=counts.input_tokens or 0,
        cache_read_text=counts.cache_read_input_tokens or 0,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        output_text=output[0],
        output_reasoning=thinking,
    )


def _writes(counts: _Counts) -> tuple[int, int]:
    """Cache writes for 5 minutes and for 1 hour.

    A server-tool loop writes more after the start (3068, then 3337 recorded) and does not say for how
    long: as long as the start's writes, and 5 minutes, the default, if it had none or both.
    """
    split = counts.cache_creation or _CacheCreation()
    minutes, hour = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
    total = counts.cache_creation_input_tokens
    if total is None:
        return minutes, hour
    hour = total if hour and not minutes else min(hour, total)
    return total - hour, hour
