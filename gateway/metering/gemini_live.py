"""Owns the reading of Gemini Live sessions, turn by turn.

A turn's usage is its own, and its prompt is all the session's context, billed again: of two recorded turns the
responses were 51 and 63, not 51 and 114, and three turns on two models likewise (github.com/pydantic/pydantic-ai,
pull 7269). Within a turn the last usage holds. Thoughts are beside the response, and mostly beside the total.
"""

import re

import msgspec

from gateway.metering import gemini
from gateway.metering.counts import INCONSISTENT, Count, is_stated, text_or_none
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext

# What of the client's asks for a turn, as the first member of a message, in both spellings that SDKs use.
_ASKS = re.compile(rb'\s*\{\s*"(?:clientContent|client_content)"')


class _Usage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Vertex says candidates for response."""

    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    response_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None
    prompt_tokens_details: list[gemini.Part] | None = None
    cache_tokens_details: list[gemini.Part] | None = None
    response_tokens_details: list[gemini.Part] | None = None
    candidates_tokens_details: list[gemini.Part] | None = None
    tool_use_prompt_tokens_details: list[gemini.Part] | None = None
    service_tier: object = None
    traffic_type: object = None


class _Present(msgspec.Struct, frozen=True, gc=False):
    """A member of which only that it is there matters. Its audio is skipped: 20 kB take 12 us, three searches 27."""


class _Content(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    model_turn: _Present | None = None
    output_transcription: _Present | None = None
    turn_complete: object = None
    grounding_metadata: gemini.Grounding | None = None


class _Message(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    server_content: _Content | None = None
    tool_call: _Present | None = None
    usage_metadata: msgspec.Raw = msgspec.Raw()


class _Setup(msgspec.Struct, frozen=True, gc=False):
    model: object = None


class _First(msgspec.Struct, frozen=True, gc=False):
    """The client's first message."""

    setup: _Setup


_NOTHING = _Message()
_messages = msgspec.json.Decoder(_Message)
_usages = msgspec.json.Decoder(_Usage)
_firsts = msgspec.json.Decoder(_First)


class LiveSession:
    """One socket: at most one turn at a time."""

    def __init__(self, about: About) -> None:
        self._model: str | None = None
        self._is_open = False
        self._has_ended = False  # a turn whose usage may yet come in a message of its own
        self._reading: Reading | None = None
        self._searches = 0

    @property
    def open(self) -> int:
        return int(self._is_open)

    def sent(self, payload: bytes) -> None:
        if self._model is None:
            self._model = _model(payload)
        if not self._is_open and _ASKS.match(payload):
            self._is_open = True

    def received(self, payload: bytes) -> Reading | None:
        message = _decoded(payload)
        content = message.server_content or _Content()
        begins = content.model_turn or content.output_transcription or message.tool_call
        unpaid = self._next_turn() if begins else None
        if content.grounding_metadata:
            self._searches = max(self._searches, content.grounding_metadata.queries)
        if is_stated(message.usage_metadata):
            self._reading = _read(message.usage_metadata, self._model, self._searches)
        if content.turn_complete is True and self._is_open:
            self._has_ended = True
        is_over = self._has_ended or not self._is_open
        return self._end() if is_over and self._reading else unpaid

    def pending(self) -> tuple[Reading, ...]:
        """The turn that has not ended, with the last usage that was stated of it."""
        if not self._is_open:
            return ()
        reading = self._reading or Reading(model=self._model)
        return (msgspec.structs.replace(reading, provenance="partial" if reading.lines else "unknown"),)

    def _next_turn(self) -> Reading | None:
        """What there is to tell of a turn that ended without a usage, now that another one begins."""
        unpaid = self._end() if self._has_ended else None
        self._is_open = True
        return unpaid

    def _end(self) -> Reading:
        reading = self._reading or Reading(model=self._model)
        self._is_open, self._has_ended, self._reading, self._searches = False, False, None, 0
        return reading


def _decoded(payload: bytes) -> _Message:
    try:
        return jsontext.decode(_messages, payload)
    except (jsontext.NotJson, msgspec.ValidationError):
        return _NOTHING


def _model(payload: bytes) -> str | None:
    """As the client set the session up: "models/gemini-3.8-live", or the long names of Vertex, by their last part."""
    try:
        named = text_or_none(jsontext.decode(_firsts, payload).setup.model)
    except (jsontext.NotJson, msgspec.ValidationError):
        return None
    return named and (named.rpartition("/")[2] or None)


def _read(stated: msgspec.Raw, model: str | None, searches: int) -> Reading:
    try:
        usage = jsontext.decode_member(_usages, stated)
    except msgspec.ValidationError:
        return Reading(model=model, flags=(INCONSISTENT,))
    response = usage.candidates_token_count if usage.response_token_count is None else usage.response_token_count
    if usage.prompt_token_count is None and response is None:
        return Reading(model=model)
    prompt = _pools(usage.prompt_token_count, usage.prompt_tokens_details)
    tools = _pools(usage.tool_use_prompt_token_count, usage.tool_use_prompt_tokens_details)
    output = _pools(response, usage.response_tokens_details or usage.candidates_tokens_details)
    whole = sum(prompt) + sum(tools) + sum(output)
    thoughts = usage.thoughts_token_count or 0
    searches = gemini.billed_searches(model, searches)
    cached = gemini.drawn(prompt, usage.cached_content_token_count or 0, usage.cache_tokens_details)
    traffic = text_or_none(usage.traffic_type)
    return Reading(
        lines=(Line(gemini.buckets(prompt, tools, cached, output, thoughts, searches)),),
        provenance="reported",
        model=model,
        service_tier=text_or_none(usage.service_tier),
        context=(("traffic_type", traffic),) if traffic else (),
        flags=() if usage.total_token_count in (None, 0, whole, whole + thoughts) else (INCONSISTENT,),
    )


def _pools(total: int | None, details: list[gemini.Part] | None) -> list[int]:
    """The total by modality; details that exceed it are the session's context, which is what is billed.

    Recorded were 535 tokens of text and 50 of audio beside a count of 50 (provider_facts section 1).
    """
    detailed = sum(part.token_count or 0 for part in details or ())
    return gemini.pools(max(total or 0, detailed), details)
