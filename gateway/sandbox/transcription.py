"""Owns transcription at Groq (whisper) and Mistral (Voxtral): a recording in, its words out.

Billed is the time it plays. Only WAV is understood; anything else is a file the provider cannot read.
"""

from collections.abc import Iterator

import msgspec

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece
from gateway.sandbox.compatible import PROMPT_CONTROLS, Json, answer_json, refuse_ignored, resolve
from gateway.sandbox.form import Form, read_form
from gateway.sandbox.media import wav_duration_ms
from gateway.sandbox.openai import event_of
from gateway.sandbox.refusals import error_event, refuse_fault, refuse_value
from gateway.sandbox.text import seed_of, write_chunks

# groq and mistralai: the parameters of their `audio.transcriptions` and `audio.translations`.
_FIELDS = {
    "groq": frozenset(
        ("model", "file", "url", "language", "prompt", "response_format", "temperature", "timestamp_granularities")
    ),
    "mistral": frozenset(
        (
            "model", "file", "file_url", "file_id", "language", "temperature", "stream", "diarize", "context_bias",
            "speaker_references", "timestamp_granularities",
        )
    ),
}  # fmt: skip
_GROQ_FORMATS = ("", "json", "text", "verbose_json")


class Heard(msgspec.Struct, frozen=True):
    """One accepted recording. `model.input_audio_ms_min` is the bill's affair."""

    call: Call
    model: Model
    form: Form
    played_ms: int
    seed: bytes

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.texts())

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.call.controls.tokens, self.call.controls.chunk_tokens)

    def charge(self, prompt_tokens: int = 0) -> Charge:
        tokens = Tokens(input=prompt_tokens, input_audio_ms=self.played_ms)
        return Charge(self.model, tokens, self.call.endpoint)


def _listen(call: Call) -> Heard | Answer:
    form = _form_of(call)
    if isinstance(form, Answer):
        return form
    model = resolve(call, form.text("model"), "transcription")
    if isinstance(model, Answer):
        return model
    upload = form.file("file")
    data = upload.data if upload else b""
    played_ms = wav_duration_ms(data)
    if played_ms is None:
        return refuse_value(call, "file", "could not process file - is it a valid media file?")
    ignored = refuse_ignored(call, *PROMPT_CONTROLS, "reasoning_tokens")
    return ignored or Heard(call, model, form, played_ms, seed_of(model.name, data.hex()))


def _form_of(call: Call) -> Form | Answer:
    """The form with what it must have and nothing else, or what is wrong with it."""
    form = read_form(call.request)
    if isinstance(form, str):
        return refuse_fault(call, Fault("json", "", f"the body is no multipart form: {form}"))
    unknown = next(iter(sorted(form.names - _FIELDS[call.dialect])), None)
    if unknown is not None:
        return refuse_fault(call, Fault("unknown", unknown, ""))
    missing = next((name for name in ("model", "file") if name not in form.names), None)
    if missing is not None:
        return refuse_fault(call, Fault("missing", missing, ""))
    return form


def groq(call: Call) -> Answer:
    """Whisper's, transcriptions and translations alike. Only `verbose_json` says how long it played."""
    heard = _listen(call)
    if isinstance(heard, Answer):
        return heard
    wanted = heard.form.text("response_format")
    if wanted not in _GROQ_FORMATS:
        return refuse_value(call, "response_format", "must be one of [json, text, verbose_json]")
    if wanted == "text":
        return Answer(200, (Piece(heard.text.encode()),), content_type="text/plain", charge=heard.charge())
    # Whisper's words are no tokens on the bill.
    document: Json = {"text": heard.text, "x_groq": {"id": "req_" + call.id_hex(heard.seed)}}
    if wanted == "verbose_json":
        document = {"task": "transcribe", "language": "English", "duration": heard.played_ms / 1000, **document}
        document["segments"] = [{"id": 0, "start": 0, "end": heard.played_ms / 1000, "text": heard.text}]
    return msgspec.structs.replace(answer_json(document), charge=heard.charge())


# What Voxtral is told beside the recording, and what a second of one makes.
_VOXTRAL_PROMPT_TOKENS = 4
_VOXTRAL_TOKENS_PER_S = 12


def _mistral_document(heard: Heard) -> Json:
    """Its seconds are whole; the tokens of the recording are in the total alone."""
    words, seconds = heard.call.controls.tokens, heard.played_ms // 1000
    usage = {
        "prompt_tokens": _VOXTRAL_PROMPT_TOKENS,
        "completion_tokens": words,
        "total_tokens": _VOXTRAL_PROMPT_TOKENS + words + seconds * _VOXTRAL_TOKENS_PER_S,
        "prompt_audio_seconds": seconds,
    }
    language = heard.form.text("language") or None
    return {"model": heard.model.version, "text": heard.text, "language": language, "segments": [], "usage": usage}


def mistral(call: Call) -> Answer:
    """Voxtral's, in one piece or as events; the whole seconds it states are what is billed."""
    heard = _listen(call)
    if isinstance(heard, Answer):
        return heard
    heard = msgspec.structs.replace(heard, played_ms=-(-heard.played_ms // 1000) * 1000)
    charge = heard.charge(_VOXTRAL_PROMPT_TOKENS)
    if heard.form.text("stream") != "true":
        document = msgspec.json.encode(_mistral_document(heard))
        return Answer(200, (Piece(document, call.controls.tokens),), charge=charge)
    return Answer(
        200,
        _mistral_events(heard),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=charge,
        error_event=error_event(call),
    )


def _mistral_events(heard: Heard) -> Iterator[Piece]:
    for text, tokens in heard.texts():
        delta = {"type": "transcription.text.delta", "text": text}
        yield Piece(event_of(delta, "transcription.text.delta"), tokens)
    done = {"type": "transcription.done", **_mistral_document(heard)}
    yield Piece(event_of(done, "transcription.done"))
