"""Owns what only Together has beside OpenAI's operations: its rerank and its images."""

import base64
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Tokens
from gateway.sandbox.call import Answer, Call, Charge, Piece, prompt_tokens
from gateway.sandbox.compatible import (
    OUTPUT_CONTROLS,
    PROMPT_CONTROLS,
    Json,
    read_request,
    refuse_ignored,
    resolve,
)
from gateway.sandbox.text import count_tokens, rank, seed_of


class _RerankRequest(msgspec.Struct, frozen=True):
    model: str
    query: str
    documents: Annotated[list[str | Json], Meta(min_length=1, max_length=1024)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


def rerank(call: Call) -> Answer:
    request = read_request(call, _RerankRequest, None)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "rerank")
    if isinstance(model, Answer):
        return model
    results = [_result(request, index, score) for index, score in rank(request.query, request.documents)]
    prompt = prompt_tokens(call.controls, count_tokens([request.query, *request.documents]))
    document = {
        "object": "rerank",
        "id": call.id_hex(seed_of(request.query)),
        "model": model.version,
        "results": results[: request.top_n],
        "usage": {"prompt_tokens": prompt.prompt, "completion_tokens": 0, "total_tokens": prompt.prompt},
    }
    charge = Charge(model, prompt, call.endpoint)
    return refuse_ignored(call, *OUTPUT_CONTROLS) or Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def _result(request: _RerankRequest, index: int, score: float) -> Json:
    given = request.documents[index]
    shown = given if isinstance(given, dict) else {"text": given}
    return {"index": index, "relevance_score": score, "document": shown if request.return_documents else {}}


class _ImagesRequest(msgspec.Struct, frozen=True):
    model: str
    prompt: str
    n: Annotated[int, Meta(ge=1, le=4)] | None = None
    width: Annotated[int, Meta(ge=64)] | None = None
    height: Annotated[int, Meta(ge=64)] | None = None
    response_format: Literal["url", "base64"] | None = None


# The smallest GIF there is stands for every picture.
_PICTURE = base64.b64encode(
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
).decode()


def images(call: Call) -> Answer:
    request = read_request(call, _ImagesRequest, None)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "images")
    if isinstance(model, Answer):
        return model
    count, identifier = request.n or 1, call.id_hex(seed_of(request.prompt))
    shown: Json = {"type": "b64_json", "b64_json": _PICTURE}
    if request.response_format != "base64":
        shown = {"type": "url", "url": f"https://api.together.example/shrt/{identifier}"}
    data = [{"index": index, "timings": {"inference": 0.2}, **shown} for index in range(count)]
    document = {"id": identifier, "model": model.version, "object": "list", "data": data}
    charge = Charge(model, Tokens(output_images=count), call.endpoint)
    return refuse_ignored(call, *PROMPT_CONTROLS, *OUTPUT_CONTROLS) or Answer(
        200, (Piece(msgspec.json.encode(document)),), charge=charge
    )
