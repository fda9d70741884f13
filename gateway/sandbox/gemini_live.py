"""Owns one session of Gemini's Live API, without its WebSocket: messages in, messages and charges out. Does no I/O.

Each turn is billed by itself, from the moment it is asked for. It never detects speech: `audioStreamEnd`,
`activityEnd` or text ends a turn. Why a session is closed is worded approximately.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.sandbox.bill import Model, Tokens, find_model
from gateway.sandbox.call import Answer, Call, Charge, Said, prompt_tokens
from gateway.sandbox.controls import misused_on_socket
from gateway.sandbox.gemini import camelised, refuse, refuse_control
from gateway.sandbox.google_json import Json, pretty
from gateway.sandbox.text import count_tokens, seed_of, write_chunks
from gateway.sandbox.websocket import refuse_handshake

# https://ai.google.dev/gemini-api/docs/audio : 32 tokens a second, of 16 kHz in and 24 kHz out, two bytes a sample.
_INPUT_TOKEN_BYTES = 16_000 * 2 // 32
_OUTPUT_TOKEN_BYTES = 24_000 * 2 // 32
_OUTPUT_MIME_TYPE = "audio/pcm;rate=24000"

# What one session remembers: more than a test says, and little enough to be read again for every turn.
_HEARD_MAX = 10_000

# RFC 6455 §7.4.1. Which of them the real service chooses when is an approximation.
_INVALID = 1007
_POLICY = 1008
# §5.5: what a close frame has room for beside its code.
_REASON_BYTES_MAX = 123


def connect(call: Call) -> Answer:
    problem = refuse_handshake(call.request)
    if problem:
        return refuse(400, f"Invalid WebSocket handshake: {problem}.")
    misused = misused_on_socket(call.request.headers)
    return refuse_control(call, misused) if misused else Answer(101, (), talk=LiveSession(call))


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    response_modalities: tuple[Literal["TEXT", "AUDIO"], ...] = ("AUDIO",)
    max_output_tokens: int | None = None


class _Content(msgspec.Struct, frozen=True):
    parts: list[Json] = []
    role: str = "user"


class _Setup(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    model: str
    generation_config: _Config = _Config()
    system_instruction: _Content | None = None
    tools: list[Json] = []
    realtime_input_config: Json = {}
    session_resumption: Json | None = None
    context_window_compression: Json | None = None
    input_audio_transcription: Json | None = None
    output_audio_transcription: Json | None = None
    proactivity: Json | None = None
    history_config: Json | None = None
    safety_settings: list[Json] = []


class _ClientContent(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    turns: list[_Content] = []
    turn_complete: bool = False


class _Blob(msgspec.Struct, frozen=True, rename="camel"):
    data: str
    mime_type: str


class _RealtimeInput(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    audio: _Blob | None = None
    video: _Blob | None = None
    text: str = ""
    media_chunks: list[_Blob] = []
    audio_stream_end: bool = False
    activity_start: Json | None = None
    activity_end: Json | None = None

    @property
    def ends_turn(self) -> bool:
        """What stands for the silence after speech, which the simulated model cannot hear."""
        return bool(self.text) or self.audio_stream_end or self.activity_end is not None


class _Message(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One of these, as in a union of protobuf's."""

    setup: _Setup | None = None
    client_content: _ClientContent | None = None
    realtime_input: _RealtimeInput | None = None
    tool_response: Json | None = None


class LiveSession:
    """One connection's state. `call` is the upgrade, whose controls hold for every turn."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._model: Model | None = None
        self._setup = _Setup("")
        # Every turn reads again all that was heard and said before it.
        self._heard: list[object] = []
        self._said_tokens = 0
        self._audio_bytes = 0
        self._turns = 0

    def opening(self) -> tuple[Said, ...]:
        return ()

    def failure(self) -> bytes:
        return b""

    def hear(self, text: str) -> Iterator[Said]:
        """What follows from one message of the client. After a close it must not be called again."""
        try:
            document = msgspec.json.encode(camelised(msgspec.json.decode(text)))
            message = msgspec.json.decode(document, type=_Message)
        except msgspec.DecodeError as error:
            yield _closed(_INVALID, f"Invalid JSON payload received. {error}")
            return
        if len(self._heard) > _HEARD_MAX:
            yield _closed(_POLICY, "The session is too long")
        elif self._model is None:
            yield from self._begin(message.setup)
        elif message.setup:
            yield _closed(_INVALID, "setup must be the first message and only the first")
        else:
            yield from self._hear(message)

    def _begin(self, setup: _Setup | None) -> Iterator[Said]:
        if setup is None:
            yield _closed(_INVALID, "setup must be the first message and only the first")
            return
        name = setup.model.removeprefix("models/")
        model = find_model(name, "gemini", "live")
        if model is None:
            yield _closed(_POLICY, f"models/{name} is not found for API version v1beta, or is not supported for bidi")
            return
        if problem := self._misused_control(model):
            yield _closed(_POLICY, problem)
            return
        self._model, self._setup = model, setup
        yield _said({"setupComplete": {}})

    def _misused_control(self, model: Model) -> str:
        """A control that would be ignored, which is an error."""
        controls = self._call.controls
        bucket = model.unbillable(prompt_tokens(controls, 0))
        if bucket:
            return f"{model.name} has no price for {bucket}"
        asked = (controls.web_searches, controls.iterations != "none")
        return "this x-sandbox-* control has no meaning in a Live session" if any(asked) else ""

    def _hear(self, message: _Message) -> Iterator[Said]:
        if message.client_content:
            self._heard += [content.parts for content in message.client_content.turns]
            if message.client_content.turn_complete:
                yield from self._turn()
        elif message.realtime_input:
            try:
                self._audio_bytes += self._listen(message.realtime_input)
            except binascii.Error:
                yield _closed(_INVALID, "realtimeInput.audio.data is not base64")
                return
            if message.realtime_input.ends_turn:
                yield from self._turn()
        elif message.tool_response is not None:
            self._heard.append(message.tool_response)
            yield from self._turn()
        else:
            yield _closed(_INVALID, "The message has none of setup, clientContent, realtimeInput and toolResponse")

    def _listen(self, given: _RealtimeInput) -> int:
        """Bytes of sound in it; its words are remembered."""
        self._heard.append(given.text)
        blobs = [blob for blob in (given.audio, *given.media_chunks) if blob and blob.mime_type.startswith("audio/")]
        return sum(len(base64.b64decode(blob.data, validate=True)) for blob in blobs)

    def _turn(self) -> Iterator[Said]:
        """The answer to all that was heard: thinking is counted with its first message, usage is in its last."""
        assert self._model is not None
        self._turns += 1
        prompt = self._prompt()
        charge = Charge(self._model, prompt, self._call.endpoint, f"{self._call.request_id}-{self._turns}")
        written = Tokens()
        new = Tokens(reasoning=self._call.controls.reasoning_tokens)
        for document, spoken, count in self._pieces():
            new.output, new.output_audio = (0, count) if spoken else (count, 0)
            yield _said(document)._replace(charge=charge, tokens=new)
            written.output, written.output_audio = written.output + new.output, written.output_audio + new.output_audio
            written.reasoning += new.reasoning
            charge, new = None, Tokens()
        usage = _usage(prompt, written)
        yield _said({"serverContent": {"turnComplete": True}, "usageMetadata": usage})._replace(done=True)

    def _prompt(self) -> Tokens:
        instruction = self._setup.system_instruction
        counted = (
            1 + self._said_tokens + count_tokens(instruction.parts if instruction else None) + count_tokens(self._heard)
        )
        prompt = prompt_tokens(self._call.controls, counted)
        prompt.input_audio = -(-self._audio_bytes // _INPUT_TOKEN_BYTES)
        return prompt

    def _pieces(self) -> Iterator[tuple[Json, bool, int]]:
        """(document, whether it is sound, its tokens): words, or sound and its transcript, and the end."""
        assert self._model is not None
        controls = self._call.controls
        limit = self._setup.generation_config.max_output_tokens
        tokens_wanted = controls.tokens if limit is None else min(limit, controls.tokens)
        seed = seed_of(self._model.name, self._heard, self._turns)
        speaks = "AUDIO" in self._setup.generation_config.response_modalities
        for text, tokens in write_chunks(seed, tokens_wanted, controls.chunk_tokens):
            self._said_tokens += tokens
            if not speaks:
                yield _model_turn({"text": text}), False, tokens
                continue
            sound = base64.b64encode(bytes(_OUTPUT_TOKEN_BYTES * tokens)).decode()
            yield _model_turn({"inlineData": {"mimeType": _OUTPUT_MIME_TYPE, "data": sound}}), True, tokens
            if self._setup.output_audio_transcription is not None:
                yield {"serverContent": {"outputTranscription": {"text": text}}}, True, 0
        yield {"serverContent": {"generationComplete": True}}, False, 0


def _said(document: Json) -> Said:
    """JSON in a binary frame, which Google's SDKs take as well as text."""
    return Said(pretty(document) + b"\n", binary=True)


def _closed(status: int, reason: str) -> Said:
    return Said(reason.encode("ascii", "replace")[:_REASON_BYTES_MAX], close_code=status)


def _model_turn(part: Json) -> Json:
    return {"serverContent": {"modelTurn": {"parts": [part], "role": "model"}}}


def _usage(prompt: Tokens, written: Tokens) -> Json:
    """As Gemini's other usage, but what answers is called the response; a modality with no tokens is not listed."""
    response = written.output + written.output_audio
    usage: Json = {
        "promptTokenCount": prompt.prompt,
        "responseTokenCount": response,
        "totalTokenCount": prompt.prompt + response + written.reasoning,
        "promptTokensDetails": _by_modality(prompt.prompt - prompt.input_audio, prompt.input_audio),
        "responseTokensDetails": _by_modality(written.output, written.output_audio),
    }
    if written.reasoning:
        usage["thoughtsTokenCount"] = written.reasoning
    return usage


def _by_modality(text: int, audio: int) -> list[Json]:
    counts = (("TEXT", text), ("AUDIO", audio))
    return [{"modality": modality, "tokenCount": tokens} for modality, tokens in counts if tokens]
