"""Owns predict, as Vertex answers it for text embeddings: a list of instances, counted by tokens and characters."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens
from gateway.sandbox.gemini import read, refuse_fault, resolve
from gateway.sandbox.gemini_embed import DIMENSIONS_MAX
from gateway.sandbox.google_json import CONTENT_TYPE, Json, pretty
from gateway.sandbox.text import count_tokens, seed_of, write_vector
from gateway.sandbox.vertex import characters_of

# https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
FIELDS = frozenset(("instances", "parameters", "labels"))


class Instance(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    content: str
    title: str = ""
    task_type: str = ""
    mime_type: str = ""


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    output_dimensionality: Annotated[int, Meta(ge=1, le=DIMENSIONS_MAX)] = DIMENSIONS_MAX


class PredictRequest(msgspec.Struct, frozen=True):
    instances: Annotated[list[Instance], Meta(min_length=1, max_length=250)]
    parameters: Parameters = Parameters()


def predict(call: Call) -> Answer:
    model = resolve(call, "embeddings", "predict")
    if isinstance(model, Answer):
        return model
    request = read(PredictRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    prompt = prompt_tokens(call.controls, sum(count_tokens(instance.content) for instance in request.instances))
    document = {
        "predictions": _predictions(model, request, prompt.prompt),
        "metadata": {"billableCharacterCount": sum(characters_of(instance.content) for instance in request.instances)},
    }
    return Answer(200, (Piece(pretty(document)),), CONTENT_TYPE, charge=Charge(model, prompt, call.endpoint))


def _predictions(model: Model, request: PredictRequest, total: int) -> list[Json]:
    """Each instance's vector and tokens, whose sum is what is billed: a control's number is the first one's."""
    later = [count_tokens(instance.content) for instance in request.instances[1:]]
    counts = [max(0, total - sum(later)), *later] if total >= sum(later) else [total, *(0 for _ in later)]
    return [
        {
            "embeddings": {
                "statistics": {"truncated": False, "token_count": tokens},
                "values": write_vector(seed_of(model.name, instance.content), request.parameters.output_dimensionality),
            }
        }
        for instance, tokens in zip(request.instances, counts, strict=True)
    ]
