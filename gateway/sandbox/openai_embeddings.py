"""Owns embeddings and moderations, OpenAI's and Azure's: answers that are numbers and never stream."""

import base64
import struct
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens, read_body
from gateway.sandbox.openai import Json, body_of, refuse, refuse_fault, resolve
from gateway.sandbox.text import count_prompt, seed_of, split_prompts, write_vector

# https://platform.openai.com/docs/api-reference/embeddings/create
EMBEDDING_FIELDS = frozenset(("input", "model", "dimensions", "encoding_format", "user"))
DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
# As many inputs as one real request may hold.
INPUTS_MAX = 2048

# https://platform.openai.com/docs/api-reference/moderations/object
MODERATION_FIELDS = frozenset(("input", "model"))
_CATEGORY_LIST = """
sexual sexual/minors harassment harassment/threatening hate hate/threatening illicit illicit/violent self-harm
self-harm/intent self-harm/instructions violence violence/graphic
"""
CATEGORIES = tuple(_CATEGORY_LIST.split())


class EmbeddingsRequest(msgspec.Struct, frozen=True):
    input: str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=INPUTS_MAX)]
    model: str = ""
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] = "float"


class ModerationsRequest(msgspec.Struct, frozen=True):
    input: str | list[object]
    model: str = "omni-moderation-latest"


def embeddings(call: Call) -> Answer:
    request = read_body(EmbeddingsRequest, call.request.body, EMBEDDING_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    dimensions = request.dimensions or DIMENSIONS[model.name]
    if dimensions > DIMENSIONS[model.name]:
        message = (
            f"Invalid value for 'dimensions' = {dimensions}. Must be less than or equal to {DIMENSIONS[model.name]}."
        )
        return refuse(400, message, None, "dimensions")
    return _embed(call, request, model, dimensions)


def _embed(call: Call, request: EmbeddingsRequest, model: Model, dimensions: int) -> Answer:
    inputs = split_prompts(request.input)
    prompt = prompt_tokens(call.controls, sum(map(count_prompt, inputs)))
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(request, model, given, dimensions)}
        for index, given in enumerate(inputs)
    ]
    usage = {"prompt_tokens": prompt.prompt, "total_tokens": prompt.prompt}
    document: Json = {"object": "list", "data": data, "model": model.version, "usage": usage}
    return Answer(200, (Piece(body_of(document)),), charge=Charge(model, prompt, call.endpoint))


def _vector(request: EmbeddingsRequest, model: Model, given: object, dimensions: int) -> list[float] | str:
    """The numbers, or their little-endian 32-bit floats as base64, which the official SDK asks for."""
    vector = write_vector(seed_of(model.name, given), dimensions)
    if request.encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()


def moderations(call: Call) -> Answer:
    """Nothing is ever flagged, and nothing billed."""
    request = read_body(ModerationsRequest, call.request.body, MODERATION_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "moderations")
    if isinstance(model, Answer):
        return model
    inputs = [request.input] if isinstance(request.input, str) else request.input
    document = {
        "id": "modr-" + call.id_hex(seed_of(model.name, request.input)),
        "model": model.version,
        "results": [_harmless() for _ in inputs],
    }
    return Answer(200, (Piece(body_of(document)),))


def _harmless() -> Json:
    return {
        "flagged": False,
        "categories": dict.fromkeys(CATEGORIES, False),
        "category_scores": dict.fromkeys(CATEGORIES, 0.000125),
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
