"""Owns what the operations of the OpenAI-compatible providers share: bodies, models, stream options."""

from typing import TypeVar

import msgspec

from gateway.sandbox.bill import Kind, Model, find_model, list_models
from gateway.sandbox.call import Answer, Call, Fault, Piece, read_body
from gateway.sandbox.controls import HEADER_PREFIX, Controls
from gateway.sandbox.refusals import refuse_control, refuse_fault, refuse_model, refuse_value

T = TypeVar("T")
Json = dict[str, object]


def answer_json(document: object, status: int = 200) -> Answer:
    return Answer(status, (Piece(msgspec.json.encode(document)),))


def read_request(call: Call, kind: type[T], fields: frozenset[str] | None) -> T | Answer:
    """The body as that struct, or the refusal. Without `fields` every name is taken, as that provider does."""
    content_type = call.request.headers.get("content-type", "application/json")
    if not content_type.startswith("application/json"):
        return refuse_fault(call, Fault("json", "", f"the content type is {content_type}"))
    known = frozenset(_names_of(call.request.body)) if fields is None else fields
    request = read_body(kind, call.request.body, known)
    return refuse_fault(call, request) if isinstance(request, Fault) else request


def _names_of(body: bytes) -> list[str]:
    try:
        return list(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def resolve(call: Call, name: str, *kinds: Kind) -> Model | Answer:
    """The provider's model of that name that does one of these, or why there is none."""
    family = call.dialect
    for kind in kinds:
        # A dialect of this table bears its family's name.
        model = find_model(name, family, kind)  # pyright: ignore[reportArgumentType]
        if model:
            return model
    offered = str([model.name for model in list_models(family) if model.kind in kinds])  # pyright: ignore[reportArgumentType]
    return refuse_model(call, name, offered)


# The controls of an input counted in tokens, and of an output.
PROMPT_CONTROLS = ("input_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")
OUTPUT_CONTROLS = ("tokens", "reasoning_tokens")

_DEFAULTS = Controls()


def refuse_ignored(call: Call, *names: str) -> Answer | None:
    """A refusal if a control is set that this operation has no use for."""
    for name in names:
        if getattr(call.controls, name) != getattr(_DEFAULTS, name):
            return refuse_control(call, f"{HEADER_PREFIX}{name.replace('_', '-')}: this operation has no such tokens")
    return None


class StreamOptions(msgspec.Struct, frozen=True):
    """As most servers read it; `continuous_usage_stats` is vLLM's."""

    include_usage: bool | None = None
    continuous_usage_stats: bool = False


def refuse_stream_options(call: Call, stream: bool, options: StreamOptions | None) -> Answer | None:
    """vLLM alone refuses them where nothing streams; the others do not look."""
    if options is None or stream or call.dialect != "vllm":
        return None
    return refuse_value(call, "stream_options", "Stream options can only be defined when `stream=True`.")


def _model_object(model: Model) -> Json:
    return {"id": model.name, "object": "model", "created": 1_700_000_000, "owned_by": model.family}


# Mistral's cards say what a model can do: docs.mistral.ai/api/endpoint/models
_ABILITIES: dict[Kind, str] = {
    "chat": "completion_chat",
    "completions": "completion_fim",
    "ocr": "ocr",
    "transcription": "audio_transcription",
    "moderations": "moderation",
}


def _mistral_card(model: Model) -> Json:
    abilities = {ability: kind == model.kind for kind, ability in _ABILITIES.items()}
    more: Json = {"aliases": [], "max_context_length": 32768, "type": "base", "capabilities": abilities}
    return {**_model_object(model), **more}


def _cards(call: Call) -> list[Json]:
    describe = _mistral_card if call.dialect == "mistral" else _model_object
    return [describe(model) for model in list_models(call.dialect)]  # pyright: ignore[reportArgumentType]


def models_list(call: Call) -> Answer:
    """Together's is a bare array."""
    cards = _cards(call)
    if call.dialect == "together":
        return answer_json([{**card, "type": "chat"} for card in cards])
    return answer_json({"object": "list", "data": cards})


def models_retrieve(call: Call) -> Answer:
    found = next((card for card in _cards(call) if card["id"] == call.path_model), None)
    return refuse_model(call, call.path_model) if found is None else answer_json(found)
