"""Owns one session of Gemini's Live API, without its WebSocket: messages in, messages and charges out. Does no I/O.

Each turn is billed by itself, from the moment it is asked for.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from gateway.sandbox.bill import Model, Tokens, find_model
from gateway.sandbox.call import Call, Charge, prompt_tokens
from gateway.sandbox.gemini import camelised
from gateway.sandbox.google_json import Json, pretty
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
ENDPOINT = "bidi_generate_content"

# https://ai.google.dev/gemini-api/docs/audio : 32 tokens a second, of 16 kHz in and 24 kHz out, two bytes a sample.
_INPUT_TOKEN_BYTES = 16_000 * 2 // 32
_OUTPUT_TOKEN_BYTES = 24_000 * 2 // 32
_OUTPUT_MIME_TYPE = "audio/pcm;rate=24000"

# What one session remembers: more than a test says, and little enough to be read again for every turn.
_HEARD_MAX = 10_000

# RFC 6455 §7.4.1: what the real service closes with.
_INVALID = 1007
_POLICY = 1008


class Sent(NamedTuple):
    """One message for the client, and the tokens the model wrote for it."""

    data: bytes
    output: int = 0
    reasoning: int = 0
    output_audio: int = 0


class Billed(NamedTuple):
    """A turn begins: everything sent until the next one counts as its output."""

    charge: Charge


class Closed(NamedTuple):
    """The session is over: the status and reason of its close frame."""

    status: int
    reason: str


Outcome = Sent | Billed | Closed


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
        self._call = msgspec.structs.replace(call, endpoint=ENDPOINT)
        self._model: Model | None = None
        self._setup = _Setup("")
        # Every turn reads again all that was heard and said before it.
        self._heard: list[object] = []
        self._said_tokens = 0
        self._audio_bytes = 0
        self._turns = 0

    def receive(self, data: bytes) -> Iterator[Outcome]:
        """What follows from one message of the client. After Closed it must not be called again."""
        try:
            document = msgspec.json.encode(camelised(msgspec.json.decode(data)))
            message = msgspec.json.decode(document, type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield Closed(_INVALID, f"Invalid JSON payload received. {error}"[:120])
            return
        if len(self._heard) > _HEARD_MAX:
            yield Closed(_POLICY, "The session is too long")
        elif self._model is None:
            yield from self._begin(message.setup)
        elif message.setup:
            yield Closed(_INVALID, "setup must be the first message and only the first")
        else:
            yield from self._hear(message)

    def _begin(self, setup: _Setup | None) -> Iterator[Outcome]:
        if setup is None:
            yield Closed(_INVALID, "setup must be the first message and only the first")
            return
        name = setup.model.removeprefix("models/")
        model = find_model(name, "gemini", "live")
        if model is None:
            yield Closed(_POLICY, f"models/{name} is not found for API version v1beta, or is not supported for bidi")
            return
        if problem := self._misused_control(model):
            yield Closed(_POLICY, problem)
            return
        self._model, self._setup = model, setup
        yield _sent({"setupComplete": {}})

    def _misused_control(self, model: Model) -> str:
        """A control that would be ignored, which is an error."""
        controls = self._call.controls
        bucket = model.unbillable(prompt_tokens(controls, 0))
        if bucket:
            return f"{model.name} has no price for {bucket}"
        asked = (controls.web_searches, controls.iterations != "none", controls.error_after_chunks is not None)
        return "this x-sandbox-* control has no meaning in a Live session" if any(asked) else ""

    def _hear(self, message: _Message) -> Iterator[Outcome]:
        if message.client_content:
            self._heard += [content.parts for content in message.client_content.turns]
            if message.client_content.turn_complete:
                yield from self._turn()
        elif message.realtime_input:
            try:
                self._audio_bytes += self._listen(message.realtime_input)
            except binascii.Error:
                yield Closed(_INVALID, "realtimeInput.audio.data is not base64")
                return
            if message.realtime_input.ends_turn:
                yield from self._turn()
        elif message.tool_response is not None:
            self._heard.append(message.tool_response)
            yield from self._turn()
        else:
            yield Closed(_INVALID, "The message has none of setup, clientContent, realtimeInput and toolResponse")

    def _listen(self, given: _RealtimeInput) -> int:
        """Bytes of sound in it; its words are remembered."""
        self._heard.append(given.text)
        blobs = [blob for blob in (given.audio, *given.media_chunks) if blob and blob.mime_type.startswith("audio/")]
        return sum(len(base64.b64decode(blob.data, validate=True)) for blob in blobs)

    def _turn(self) -> Iterator[Outcome]:
        """The answer to all that was heard, its usage last."""
        assert self._model is not None
        self._turns += 1
        prompt = self._prompt()
        yield Billed(Charge(self._model, prompt, ENDPOINT, f"{self._call.request_id}-{self._turns}"))
        written = Tokens(reasoning=self._call.controls.reasoning_tokens)
        reasoning = written.reasoning
        for document, spoken, tokens in self._pieces():
            written.output += 0 if spoken else tokens
            written.output_audio += tokens if spoken else 0
            yield _sent(document)._replace(
                output=0 if spoken else tokens, output_audio=tokens if spoken else 0, reasoning=reasoning
            )
            reasoning = 0
        yield _sent({"serverContent": {"generationComplete": True}})._replace(reasoning=reasoning)
        usage = _usage(prompt, written)
        yield _sent({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

    def _prompt(self) -> Tokens:
        instruction = self._setup.system_instruction
        counted = (
            1 + self._said_tokens + count_tokens(instruction.parts if instruction else None) + count_tokens(self._heard)
        )
        prompt = prompt_tokens(self._call.controls, counted)
        prompt.input_audio = -(-self._audio_bytes // _INPUT_TOKEN_BYTES)
        return prompt

    def _pieces(self) -> Iterator[tuple[Json, bool, int]]:
        """(document, whether it is sound, its tokens): words, or sound of that many tokens and its transcript."""
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


def _sent(document: Json) -> Sent:
    return Sent(pretty(document) + b"\n")


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
