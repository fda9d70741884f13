"""Owns what a realtime session is made of: its settings, its items, its turns and what they use. Says nothing."""

from typing import cast

import msgspec

from gateway.sandbox.bill import Model, Tokens, find_model
from gateway.sandbox.call import Budget, prompt_tokens
from gateway.sandbox.controls import Controls
from gateway.sandbox.openai import Json
from gateway.sandbox.text import count_tokens

# Tokens: https://platform.openai.com/docs/guides/realtime-costs
MS_PER_INPUT_TOKEN = 100
AUDIO_TOKENS_PER_WORD = 2
IMAGE_TOKENS = 323
# Bytes of one millisecond by format: 24 kHz of 16 bits, or 8 kHz of 8.
BYTES_PER_MS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}


class Turn(msgspec.Struct):
    """One response of the model, from its creation on."""

    id: str
    item_id: str
    seed: bytes
    prompt: Tokens
    budget: Budget
    modality: str
    kept: bool  # in the conversation
    metadata: object
    limit: int | None
    words: int = 0
    cancelled: bool = False

    @property
    def spoken(self) -> bool:
        return self.modality == "audio"

    @property
    def status(self) -> str:
        return "cancelled" if self.cancelled else "incomplete" if self.budget.capped else "completed"

    def details(self) -> Json | None:
        reasons = {"cancelled": "client_cancelled", "incomplete": "max_output_tokens"}
        return {"type": self.status, "reason": reasons[self.status]} if self.status in reasons else None

    def usage(self) -> Json:
        prompt, audio = self.prompt, self.words * AUDIO_TOKENS_PER_WORD if self.spoken else 0
        cached = {
            "text_tokens": prompt.cache_read,
            "audio_tokens": prompt.cache_read_audio,
            "image_tokens": prompt.cache_read_image,
        }
        return {
            "total_tokens": prompt.prompt + self.words + audio,
            "input_tokens": prompt.prompt,
            "output_tokens": self.words + audio,
            "input_token_details": {
                "text_tokens": prompt.input + prompt.cache_read,
                "audio_tokens": prompt.input_audio + prompt.cache_read_audio,
                "image_tokens": prompt.input_image + prompt.cache_read_image,
                "cached_tokens": sum(cached.values()),
                "cached_tokens_details": cached,
            },
            "output_token_details": {"text_tokens": self.words, "audio_tokens": audio},
        }


def _parts(item: Json) -> list[Json]:
    content = item.get("content")
    return [object_of(part) for part in cast(list[object], content)] if isinstance(content, list) else []


def count_items(controls: Controls, items: list[Json], instructions: object) -> Tokens:
    """Everything the model reads, by modality."""
    parts = [part for item in items for part in _parts(item)]
    text = sum(count_tokens(part.get("text")) + count_tokens(part.get("transcript")) for part in parts)
    text += sum(count_tokens(item.get("arguments")) + count_tokens(item.get("output")) for item in items)
    audio_ms = sum(_audio_ms(part) for part in parts if part.get("type") == "input_audio")
    return msgspec.structs.replace(
        prompt_tokens(controls, text + count_tokens(instructions)),
        input_audio=-(-audio_ms // MS_PER_INPUT_TOKEN),
        input_image=IMAGE_TOKENS * sum(part.get("type") == "input_image" for part in parts),
    )


def _audio_ms(part: Json) -> int:
    """Of what was committed, or of base64 within the item, whose format is the default one."""
    known, sent = part.get("audio_ms"), part.get("audio")
    if isinstance(known, int):
        return known
    return len(sent) * 3 // 4 // BYTES_PER_MS["audio/pcm"] if isinstance(sent, str) else 0


def new_session(name: str, model: Model, created_s: int) -> Json:
    listening = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
    pcm = {"type": "audio/pcm", "rate": 24_000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": name,
        "model": model.version,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": created_s + 3600,
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {**listening, "create_response": True, "interrupt_response": True},
            },
            "output": {"format": pcm, "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def merge(held: Json, given: Json) -> Json:
    """What was held, with what is given over it, object by object."""
    merged = dict(held)
    for name, value in given.items():
        inner = held.get(name)
        both = isinstance(value, dict) and isinstance(inner, dict)
        merged[name] = merge(cast(Json, inner), cast(Json, value)) if both else value
    return merged


def object_of(value: object) -> Json:
    """The value, if it is an object; else an empty one, which then lacks what it must have."""
    return cast(Json, value) if isinstance(value, dict) else {}


def member(value: object, *path: str) -> object:
    for name in path:
        value = object_of(value).get(name)
    return value


def transcriber(session: Json) -> Model | None:
    name = member(session, "audio", "input", "transcription", "model")
    return find_model(str(name), "openai", "transcription")


def transcript_tokens(model: Model, audio_ms: int, written: int) -> tuple[Tokens, Json]:
    """What is billed for hearing it, and the usage that says so."""
    if model.audio_hour_nanousd:
        seconds = -(-audio_ms // 1000)
        return Tokens(input_audio_ms=seconds * 1000), {"type": "duration", "seconds": seconds}
    heard = -(-audio_ms // MS_PER_INPUT_TOKEN)
    usage: Json = {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": written,
    }
    return Tokens(input_audio=heard), usage


def error_object(kind: str, code: str | None, message: str, param: str | None, event_id: object) -> Json:
    return {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}


def shown(item: Json) -> Json:
    """The item as it is told: sound is not sent back, and how long it was is ours to know."""
    if "content" not in item:
        return item
    hidden = ("audio", "audio_ms")
    content = [{name: value for name, value in part.items() if name not in hidden} for part in _parts(item)]
    return {**item, "content": content}


def part_of(response: Turn, text: str) -> Json:
    return {"type": "audio", "transcript": text} if response.spoken else {"type": "text", "text": text}


def spoken_item(response: Turn, status: str, text: str | None) -> Json:
    member, kind = ("transcript", "output_audio") if response.spoken else ("text", "output_text")
    content: list[Json] = [] if text is None else [{"type": kind, member: text}]
    return {"id": response.item_id, "type": "message", "status": status, "role": "assistant", "content": content}
