"""Owns what Cohere's operations share, its models, and tokenize."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Kind, Model, list_models
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.compatible import Json, answer_json, read_request
from gateway.sandbox.refusals import refusal_uuid, refuse_model
from gateway.sandbox.text import count_tokens

# What `endpoints` of a model says: docs.cohere.com/reference/list-models
_ENDPOINTS: dict[Kind, str] = {"chat": "chat", "embeddings": "embed", "rerank": "rerank"}


def meta_of(call: Call, units: Json) -> Json:
    """What an answer that is no chat was billed as."""
    version = "2" if call.request.path.startswith("/v2/") else "1"
    return {"api_version": {"version": version}, "billed_units": units}


def id_of(call: Call) -> str:
    return refusal_uuid(call)


def _describe(model: Model) -> Json:
    return {
        "name": model.name,
        "is_deprecated": False,
        "endpoints": [_ENDPOINTS[model.kind]],
        "finetuned": False,
        "context_length": 128_000,
        "tokenizer_url": None,
        "default_endpoints": [],
        "features": None,
    }


def models_list(call: Call) -> Answer:
    return answer_json({"models": [_describe(model) for model in list_models("cohere")]})


def models_retrieve(call: Call) -> Answer:
    found = next((model for model in list_models("cohere") if model.name == call.path_model), None)
    return refuse_model(call, call.path_model) if found is None else answer_json(_describe(found))


# docs.cohere.com/reference/tokenize
_Text = Annotated[str, Meta(min_length=1, max_length=65536)]


class _TokenizeRequest(msgspec.Struct, frozen=True):
    text: _Text
    model: str


def _is_offered(name: str) -> bool:
    return any(model.name == name for model in list_models("cohere"))


def tokenize(call: Call) -> Answer:
    """As many tokens as the sandbox counts, four bytes each; free."""
    request = read_request(call, _TokenizeRequest, frozenset(("text", "model")))
    if isinstance(request, Answer):
        return request
    if not _is_offered(request.model):
        return refuse_model(call, request.model)
    raw = request.text.encode()
    strings = [raw[start : start + 4].decode("utf-8", "replace") for start in range(0, len(raw), 4)]
    assert len(strings) == count_tokens(request.text)
    tokens = [int.from_bytes(raw[start : start + 4]) for start in range(0, len(raw), 4)]
    return answer_json({"tokens": tokens, "token_strings": strings, "meta": {"api_version": {"version": "1"}}})


class _DetokenizeRequest(msgspec.Struct, frozen=True):
    tokens: Annotated[list[Annotated[int, Meta(ge=0, lt=1 << 32)]], Meta(min_length=1, max_length=65536)]
    model: str


def detokenize(call: Call) -> Answer:
    """What `tokenize` took apart; free."""
    request = read_request(call, _DetokenizeRequest, frozenset(("tokens", "model")))
    if isinstance(request, Answer):
        return request
    if not _is_offered(request.model):
        return refuse_model(call, request.model)
    raw = b"".join(token.to_bytes(4).lstrip(b"\0") for token in request.tokens)
    return answer_json({"text": raw.decode("utf-8", "replace"), "meta": {"api_version": {"version": "1"}}})
