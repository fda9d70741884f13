"""Owns the reading of Realtime sessions, of OpenAI, Azure and xAI: responses, and transcriptions beside them.

Usage is stated once for each response and is its own, not the session's (provider_facts section 1). Transcriptions
are of a model of their own; where none is stated (Azure Voice Live, xAI), they are part of another price.
"""

import msgspec

from gateway.metering.counts import (
    INCONSISTENT,
    PROVIDER_ERROR,
    Contradiction,
    Seconds,
    is_stated,
    milliseconds,
    text_or_none,
)
from gateway.metering.openai_events import OpenAnswers, may_be
from gateway.metering.openai_transcription import transcription_usage
from gateway.metering.openai_usage import TokenUsage
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# In place of a name that no side has said: it has no price, where the session's own model would have a wrong one.
UNNAMED_TRANSCRIBER = "unnamed-transcriber"

_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
_SESSION = ("session.created", "session.updated", "transcription_session.created", "transcription_session.updated")
_RECEIVED = frozenset(name.encode() for name in (*_SESSION, "response.created", "response.done", _TRANSCRIBED, "error"))
_SENT = frozenset((b"response.create", b"session.update", b"transcription_session.update", b"conversation.item.create"))

# What xAI does not bill as a text message: docs.x.ai/developers/models/speech-to-speech, "What counts".
_NO_MESSAGE = frozenset(("function_call_output",))
_AUDIO = frozenset(("input_audio", "audio"))


class _Named(msgspec.Struct, frozen=True, gc=False):
    model: object = None


class _Input(msgspec.Struct, frozen=True, gc=False):
    transcription: _Named | None = None


class _Audio(msgspec.Struct, frozen=True, gc=False):
    input: _Input | None = None


class _Session(msgspec.Struct, frozen=True, gc=False):
    model: object = None
    audio: _Audio | None = None
    input_audio_transcription: _Named | None = None  # before general availability, and Azure Voice Live


class _Typed(msgspec.Struct, frozen=True, gc=False):
    type: object = None


class _Item(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    content: list[_Typed] | None = None


class _Response(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    status: object = None
    usage: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct, frozen=True, gc=False):
    """One message, of either side. xAI states the usage beside the response, in which it leaves it empty."""

    type: object = None
    session: msgspec.Raw = msgspec.Raw()
    response: _Response | None = None
    item: msgspec.Raw = msgspec.Raw()
    item_id: object = None
    usage: msgspec.Raw = msgspec.Raw()


class _Usage(TokenUsage, frozen=True, gc=False):
    billable_audio_seconds: Seconds | None = None


_NOTHING = _Message()
_messages = msgspec.json.Decoder(_Message)
_usages = msgspec.json.Decoder(_Usage)
_sessions = msgspec.json.Decoder(_Session)
_items = msgspec.json.Decoder(_Item)


class RealtimeSession:
    """One socket."""

    def __init__(self, about: About) -> None:
        self._bills_audio_alone = about.provider == "xai"
        self._model: str | None = None
        self._transcriber: str | None = None
        self._answers = OpenAnswers()
        self._text_messages = 0  # of the client, since the last response
        self._billed_ms = 0  # xAI's running total

    @property
    def open(self) -> int:
        return len(self._answers)

    def sent(self, payload: bytes) -> None:
        message = _decoded(payload, _SENT)
        match message.type:
            case "response.create":
                self._answers.ask()
            case "session.update" | "transcription_session.update":
                self._configure(message.session)
            case "conversation.item.create":
                self._text_messages += _is_text_message(message.item)
            case _:
                pass

    def received(self, payload: bytes) -> Reading | None:
        message = _decoded(payload, _RECEIVED)
        match message.type:
            case "response.done":
                return self._done(message, message.response or _Response())
            case "response.created":
                self._begin(message.response or _Response())
            case "error":
                self._answers.refuse()
            case _ if message.type == _TRANSCRIBED:
                return self._transcribed(message)
            case _ if message.type in _SESSION:
                self._configure(message.session)
            case _:
                pass
        return None

    def pending(self) -> tuple[Reading, ...]:
        """Responses that have not ended; and text messages, which xAI bills, that no response came after."""
        rest: tuple[Reading, ...] = ()
        if self._bills_audio_alone and self._text_messages:
            line = Line(Usage(input_messages=self._text_messages))
            rest = (Reading((line,), "partial", self._model),)
        return self._answers.pending(self._model) + rest

    def _begin(self, response: _Response) -> None:
        answer_id = text_or_none(response.id) or ""
        self._answers.begin(answer_id, Reading(model=self._model, response_id=answer_id or None))

    def _done(self, message: _Message, response: _Response) -> Reading:
        self._answers.end(text_or_none(response.id) or "")
        usage, flags = self._usage(response.usage if _says_anything(response.usage) else message.usage)
        if response.status == "failed":
            flags += (PROVIDER_ERROR,)
        return _reading(usage, self._model, response.id, flags)

    def _usage(self, stated: msgspec.Raw) -> tuple[Usage | None, tuple[str, ...]]:
        if not _says_anything(stated):
            return None, ()
        try:
            usage = jsontext.decode_member(_usages, stated)
            if self._bills_audio_alone:
                return self._billed_audio(usage)
            return Usage(**usage.buckets()), (INCONSISTENT,) if usage.is_overdrawn else ()
        except (msgspec.ValidationError, Contradiction):
            return None, (INCONSISTENT,)

    def _billed_audio(self, usage: _Usage) -> tuple[Usage, tuple[str, ...]]:
        """xAI bills seconds of audio, sent or received, and text messages; no tokens.

        Its seconds are the session's so far (github.com/MemberJunction/MJ, packages/AI/CHANGELOG: "cumulative, not
        a per-response delta"). A total that falls is none.
        """
        total_ms = (
            self._billed_ms if usage.billable_audio_seconds is None else milliseconds(usage.billable_audio_seconds)
        )
        falls = total_ms < self._billed_ms
        billed_ms = total_ms if falls else total_ms - self._billed_ms
        messages, self._text_messages, self._billed_ms = self._text_messages, 0, total_ms
        # Which way the audio went is not said, and costs the same.
        return Usage(output_audio_ms=billed_ms, input_messages=messages), (INCONSISTENT,) if falls else ()

    def _transcribed(self, message: _Message) -> Reading | None:
        if not is_stated(message.usage):
            return None
        usage, flags = transcription_usage(message.usage)
        return _reading(usage, self._transcriber or UNNAMED_TRANSCRIBER, message.item_id, flags)

    def _configure(self, stated: msgspec.Raw) -> None:
        """Later statements win, and the provider's come last."""
        try:
            session = _sessions.decode(stated)
        except (ValueError, RecursionError):
            return
        named = session.input_audio_transcription
        if session.audio and session.audio.input and session.audio.input.transcription:
            named = session.audio.input.transcription
        self._model = text_or_none(session.model) or self._model
        self._transcriber = (text_or_none(named.model) if named else None) or self._transcriber


def _decoded(payload: bytes, types: frozenset[bytes]) -> _Message:
    """The message; an empty one if it is of no such type, or cannot be read."""
    if not may_be(payload, types):
        return _NOTHING
    try:
        return jsontext.decode(_messages, payload)
    except (jsontext.NotJson, msgspec.ValidationError):
        return _NOTHING


def _says_anything(usage: msgspec.Raw) -> bool:
    return is_stated(usage) and bytes(usage).translate(None, b" \t\r\n") != b"{}"


def _is_text_message(stated: msgspec.Raw) -> bool:
    try:
        item = _items.decode(stated)
    except (ValueError, RecursionError):
        return True
    return item.type not in _NO_MESSAGE and not any(part.type in _AUDIO for part in item.content or ())


def _reading(usage: Usage | None, model: str | None, answer_id: object, flags: tuple[str, ...]) -> Reading:
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        model=model,
        response_id=text_or_none(answer_id),
        flags=flags,
    )
