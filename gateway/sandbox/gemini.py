"""Owns what Gemini's operations share, Vertex's included: errors, model lookup, and the models list."""

import re

import msgspec

from gateway.sandbox import vertex
from gateway.sandbox.bill import Kind, Model, find_model, list_models
from gateway.sandbox.call import Answer, Call, Fault, Piece, T, read_body
from gateway.sandbox.google_json import CONTENT_TYPE, Json, pretty

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_of(status: int, message: str, details: list[Json] | None = None) -> Json:
    error: Json = {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}
    return {"error": {**error, "details": details} if details else error}


def refuse(status: int, message: str, details: list[Json] | None = None) -> Answer:
    return Answer(status, (Piece(pretty(error_of(status, message, details))),), CONTENT_TYPE)


_INVALID_KEY: Json = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    """A missing key is 403 and a wrong one 400: Google answers 401 to neither. An upload's own place needs none."""
    if presented is None and call.request.path.startswith("/upload/") and "upload_id" in call.request.query:
        return None
    if presented is None:
        message = (
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key "
            "or other form of API consumer identity to call this API."
        )
        return refuse(403, message)
    return None if accepted else refuse(400, "API key not valid. Please pass a valid API key.", [_INVALID_KEY])


def fail(call: Call, status: int) -> Answer:
    """The refusal a call asked for with `x-sandbox-fail-status`."""
    return refuse(status, f"Refused with {status} as asked")


def refuse_path(call: Call) -> Answer:
    return refuse(404, "Requested entity was not found.")


def refuse_control(call: Call, message: str) -> Answer:
    return refuse(400, message)


_FAULTS = {
    "json": "Invalid JSON payload received. {detail}",
    "unknown": 'Invalid JSON payload received. Unknown name "{field}": Cannot find field.',
    "missing": "* {field} is not specified",
    "invalid": "Invalid value at '{field}': {detail}",
}


def refuse_fault(fault: Fault) -> Answer:
    return refuse(400, _FAULTS[fault.kind].format(field=fault.field, detail=fault.detail))


def resolve(call: Call, kind: Kind, verb: str) -> Model | Answer:
    """The model the path names, or that there is none."""
    model = find_model(call.path_model, "gemini", kind)
    if model:
        return model
    if call.dialect == "vertex":
        return vertex.refuse_model(call)
    message = (
        f"models/{call.path_model} is not found for API version v1beta, or is not supported for {verb}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )
    return refuse(404, message)


_SNAKE = re.compile(r"_([a-z])")


def camelised(value: object) -> object:
    """A JSON value with every member's name in camel case."""
    if isinstance(value, dict):
        members: Json = value  # pyright: ignore[reportUnknownVariableType]
        return {_SNAKE.sub(lambda found: found[1].upper(), name): camelised(member) for name, member in members.items()}
    if isinstance(value, list):
        listed: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        return [camelised(member) for member in listed]
    return value


def read(kind: type[T], body: bytes, fields: frozenset[str]) -> T | Fault:
    """The body as that struct; protobuf's JSON takes every name in snake case too, so both are read as one."""
    try:
        named = msgspec.json.encode(camelised(msgspec.json.decode(body)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Fault("json", "", str(error))
    return read_body(kind, named, fields)


_METHODS = {"chat": ["generateContent", "countTokens"], "embeddings": ["embedContent"], "live": ["bidiGenerateContent"]}


def _model_object(model: Model) -> Json:
    return {
        "name": f"models/{model.name}",
        "version": "001",
        "displayName": model.name.replace("-", " ").title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": _METHODS[model.kind],
    }


def models_list(call: Call) -> Answer:
    document = {"models": [_model_object(model) for model in list_models("gemini")]}
    return Answer(200, (Piece(pretty(document)),), CONTENT_TYPE)


def models_retrieve(call: Call) -> Answer:
    model = next((model for model in list_models("gemini") if model.name == call.path_model), None)
    if model is None:
        return refuse(404, f"Model is not found: models/{call.path_model} for api version v1beta")
    return Answer(200, (Piece(pretty(_model_object(model))),), CONTENT_TYPE)
