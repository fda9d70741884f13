"""Owns what Anthropic's operations share: errors, worded as Anthropic's where those are known, and the models."""

from collections.abc import Mapping

import msgspec

from gateway.sandbox.bill import Model, find_model, list_models
from gateway.sandbox.call import Answer, Call, Fault, Piece

Json = dict[str, object]


def body_of(document: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(document)


def error_of(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


def refuse(call: Call, status: int, kind: str, message: str) -> Answer:
    return Answer(status, (Piece(body_of({**error_of(kind, message), "request_id": call.refusal_id})),))


# https://docs.anthropic.com/en/api/errors
_FAILURES = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def fail(call: Call, status: int) -> Answer:
    """The refusal a call asked for with `x-sandbox-fail-status`."""
    return refuse(call, status, *_FAILURES.get(status, ("api_error", f"Refused with {status} as asked")))


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    if presented is None:
        return refuse(call, 401, "authentication_error", "x-api-key header is required")
    return None if accepted else fail(call, 401)


def refuse_version(call: Call) -> Answer | None:
    if "anthropic-version" in call.request.headers:
        return None
    return refuse(call, 400, "invalid_request_error", "anthropic-version: header is required")


def refuse_path(call: Call) -> Answer:
    return fail(call, 404)


def refuse_control(call: Call, message: str) -> Answer:
    return refuse(call, 400, "invalid_request_error", message)


_FAULTS = {
    "json": "The request body is not valid JSON: {detail}",
    "unknown": "{field}: Extra inputs are not permitted",
    "missing": "{field}: Field required",
    "invalid": "{field}: {detail}",
}


def refuse_fault(call: Call, fault: Fault) -> Answer:
    message = _FAULTS[fault.kind].format(field=fault.field, detail=fault.detail)
    return refuse(call, 400, "invalid_request_error", message)


def refuse_model(call: Call, name: str) -> Answer:
    return refuse(call, 404, "not_found_error", f"model: {name}")


def _model_object(model: Model) -> Json:
    return {
        "type": "model",
        "id": model.version,
        "display_name": model.name.replace("-", " ").title(),
        "created_at": "2025-10-01T00:00:00Z",
        "lifecycle": "active",
    }


def models_list(call: Call) -> Answer:
    data = [_model_object(model) for model in list_models("anthropic")]
    page = {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return Answer(200, (Piece(body_of(page)),))


def models_retrieve(call: Call) -> Answer:
    model = find_model(call.path_model, "anthropic", "chat")
    if model is None:
        return refuse_model(call, call.path_model)
    return Answer(200, (Piece(body_of(_model_object(model))),))
