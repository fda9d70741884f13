"""Owns transcriptions and translations, OpenAI's and Azure's: a sound in, its words out, in five formats."""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens
from gateway.sandbox.media import wav_duration_ms
from gateway.sandbox.openai import ERROR_EVENT, Json, body_of, event_of, refuse, refuse_fault, resolve
from gateway.sandbox.openai_forms import Filled, convert_fields, read_fields
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://platform.openai.com/docs/api-reference/audio
_SHARED = frozenset(("model", "prompt", "response_format", "temperature"))
TRANSCRIPTION_FIELDS = _SHARED | {"chunking_strategy", "include", "language", "stream", "timestamp_granularities"}
FILES = frozenset(("file",))
# One token of audio is a tenth of a second.
MS_PER_TOKEN = 100


class TranscriptionRequest(msgspec.Struct, frozen=True):
    model: str = ""
    prompt: str = ""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    language: str = ""
    stream: bool = False
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.0
    timestamp_granularities: list[Literal["word", "segment"]] = []


class _Hearing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    request: TranscriptionRequest
    model: Model
    seed: bytes
    duration_ms: int
    task: Literal["transcribe", "translate"]

    @property
    def per_token(self) -> bool:
        return "input_audio" in self.model.rates

    @property
    def seconds(self) -> int:
        """As billed: begun seconds are whole ones."""
        return -(-self.duration_ms // 1000)

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.call.controls.tokens, self.call.controls.chunk_tokens)

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.texts())

    def prompt(self) -> Tokens:
        """What is billed for the sound; the words come on top where the model counts tokens."""
        if not self.per_token:
            return Tokens(input_audio_ms=self.seconds * 1000)
        counted = prompt_tokens(self.call.controls, count_tokens(self.request.prompt))
        return msgspec.structs.replace(counted, input_audio=-(-self.duration_ms // MS_PER_TOKEN))

    def usage(self) -> Json:
        if not self.per_token:
            return {"type": "duration", "seconds": self.seconds}
        heard, written = self.prompt(), self.call.controls.tokens
        return {
            "type": "tokens",
            "input_tokens": heard.prompt,
            "input_token_details": {"text_tokens": heard.input, "audio_tokens": heard.input_audio},
            "output_tokens": written,
            "total_tokens": heard.prompt + written,
        }


def transcriptions(call: Call) -> Answer:
    return _hear(call, TRANSCRIPTION_FIELDS, "transcribe")


def translations(call: Call) -> Answer:
    return _hear(call, _SHARED, "translate")


def _hear(call: Call, fields: frozenset[str], task: Literal["transcribe", "translate"]) -> Answer:
    filled = read_fields(call, fields, FILES)
    if isinstance(filled, Answer):
        return filled
    request = convert_fields(TranscriptionRequest, filled)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "transcription")
    if isinstance(model, Answer):
        return model
    return _refuse(request, model, task) or _hear_file(call, request, model, filled, task)


def _refuse(request: TranscriptionRequest, model: Model, task: str) -> Answer | None:
    """What this model does not do."""
    if "input_audio" not in model.rates:
        return None
    if task == "translate":
        return refuse(400, f"Translation is not supported with model '{model.name}'.", "invalid_value", "model")
    if request.response_format not in ("json", "text"):
        message = f"response_format '{request.response_format}' is not compatible with model '{model.name}'. "
        return refuse(400, message + "Use 'json' or 'text' instead.", "unsupported_value", "response_format")
    return None


def _hear_file(
    call: Call, request: TranscriptionRequest, model: Model, filled: Filled, task: Literal["transcribe", "translate"]
) -> Answer:
    upload = filled.form.file("file")
    if upload is None:
        return refuse_fault(Fault("missing", "file", ""))
    duration_ms = wav_duration_ms(upload.data)
    if duration_ms is None:
        return refuse(400, "Audio file might be corrupted or unsupported", "invalid_value", "file")
    seed = seed_of(model.name, upload.data.hex(), task)
    return _answer(_Hearing(call, request, model, seed, duration_ms, task))


def _answer(hearing: _Hearing) -> Answer:
    charge = Charge(hearing.model, hearing.prompt(), hearing.call.endpoint)
    if hearing.request.stream and hearing.per_token:
        return Answer(
            200,
            _stream(hearing),
            content_type="text/event-stream; charset=utf-8",
            stream=True,
            charge=charge,
            error_event=ERROR_EVENT,
        )
    write, content_type = _FORMATS[hearing.request.response_format]
    written = hearing.call.controls.tokens if hearing.per_token else 0
    return Answer(200, (Piece(write(hearing), written),), content_type=content_type, charge=charge)


def _stream(hearing: _Hearing) -> Iterator[Piece]:
    for text, tokens in hearing.texts():
        yield Piece(event_of({"type": "transcript.text.delta", "delta": text}), tokens)
    yield Piece(event_of({"type": "transcript.text.done", "text": hearing.text, "usage": hearing.usage()}))


def _json(hearing: _Hearing) -> bytes:
    """A translation does not say what it used."""
    usage = {"usage": hearing.usage()} if hearing.task == "transcribe" else {}
    return body_of({"text": hearing.text, **usage})


def _verbose(hearing: _Hearing) -> bytes:
    document: Json = {
        "task": hearing.task,
        "language": "english",
        "duration": hearing.duration_ms / 1000,
        "text": hearing.text,
    }
    granularities = hearing.request.timestamp_granularities or ["segment"]
    if "segment" in granularities:
        document["segments"] = [_segment(hearing)]
    if "word" in granularities:
        document["words"] = _words(hearing)
    if hearing.task == "transcribe":
        document["usage"] = hearing.usage()
    return body_of(document)


def _segment(hearing: _Hearing) -> Json:
    return {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": hearing.duration_ms / 1000,
        "text": hearing.text,
        "tokens": [],
        "temperature": hearing.request.temperature,
        "avg_logprob": -0.25,
        "compression_ratio": 1.5,
        "no_speech_prob": 0.0,
    }


def _words(hearing: _Hearing) -> list[Json]:
    """Each as long as the others."""
    words = hearing.text.split()
    edges = [hearing.duration_ms * number // max(1, len(words)) / 1000 for number in range(len(words) + 1)]
    return [{"word": word, "start": edges[at], "end": edges[at + 1]} for at, word in enumerate(words)]


def _clock(duration_ms: int, separator: str) -> str:
    minutes, ms = divmod(duration_ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}{separator}{ms % 1000:03d}"


def _text(hearing: _Hearing) -> bytes:
    return f"{hearing.text}\n".encode()


def _srt(hearing: _Hearing) -> bytes:
    return f"1\n{_clock(0, ',')} --> {_clock(hearing.duration_ms, ',')}\n{hearing.text}\n\n\n".encode()


def _vtt(hearing: _Hearing) -> bytes:
    return f"WEBVTT\n\n{_clock(0, '.')} --> {_clock(hearing.duration_ms, '.')}\n{hearing.text}\n\n".encode()


_PLAIN = "text/plain; charset=utf-8"
_FORMATS: dict[str, tuple[Callable[[_Hearing], bytes], str]] = {
    "json": (_json, "application/json"),
    "verbose_json": (_verbose, "application/json"),
    "text": (_text, _PLAIN),
    "srt": (_srt, _PLAIN),
    "vtt": (_vtt, _PLAIN),
}
