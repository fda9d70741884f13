"""Owns embeddings in OpenAI's shape, where Mistral, Together, vLLM, Ollama and Cohere's endpoint for it have them."""

import base64
import struct
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Piece, prompt_tokens
from gateway.sandbox.compatible import read_request, resolve
from gateway.sandbox.quirks import Json
from gateway.sandbox.text import count_prompt, seed_of, split_prompts, write_vector

Inputs = str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=2048)]

# The providers that refuse names they do not know: docs.mistral.ai/api, docs.cohere.com/docs/compatibility-api
_FIELDS = {
    "mistral": frozenset(("model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format")),
    "cohere": frozenset(("model", "input", "encoding_format")),
}

# As many numbers as make a vector readable; real ones have a thousand.
DIMENSIONS_DEFAULT = 64


class _EmbeddingsRequest(msgspec.Struct, frozen=True):
    model: str
    input: Inputs
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None
    output_dimension: Annotated[int, Meta(ge=1, le=4096)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


def embeddings(call: Call) -> Answer:
    request = read_request(call, _EmbeddingsRequest, _FIELDS.get(call.dialect))
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    inputs = split_prompts(request.input)
    dimensions = request.dimensions or request.output_dimension or DIMENSIONS_DEFAULT
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(model, given, dimensions, request)}
        for index, given in enumerate(inputs)
    ]
    prompt = prompt_tokens(call.controls, sum(map(count_prompt, inputs)))
    usage = {"prompt_tokens": prompt.prompt, "total_tokens": prompt.prompt}
    document = {**_head(call, model, inputs), "data": data, "model": model.version, "usage": usage}
    if call.dialect == "mistral":
        document["usage"] = {**usage, "completion_tokens": 0, "prompt_tokens_details": None}
    return Answer(200, (Piece(msgspec.json.encode(document)),), charge=Charge(model, prompt, call.endpoint))


def _head(call: Call, model: Model, inputs: object) -> Json:
    return {"id": call.id_hex(seed_of(model.name, inputs)), "object": "list"}


def vector_of(model: Model, given: object, dimensions: int, request: _EmbeddingsRequest) -> list[float] | str:
    return encode_vector(write_vector(seed_of(model.name, given), dimensions), request.encoding_format == "base64")


def encode_vector(vector: list[float], as_base64: bool) -> list[float] | str:
    """The numbers, or their little-endian 32-bit floats as base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if as_base64 else vector
