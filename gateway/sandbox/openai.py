"""Owns what all OpenAI operations share, Azure's included: errors, model lookup, usage numbers, event framing.

Error texts and codes are the real services' where a recording, an SDK or their documentation shows them; the others
are approximations.
"""

import msgspec

from gateway.sandbox.bill import DEPLOYMENTS, Kind, Model, Tokens, find_model, list_models
from gateway.sandbox.call import Answer, Call, Fault, Piece

Json = dict[str, object]

DONE = b"data: [DONE]\n\n"

# The sandbox has one service tier: whatever is asked for, this one answers and is billed.
SERVICE_TIER = "default"


def body_of(document: object) -> bytes:
    """JSON as OpenAI writes it where it does not stream: indented by two."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def event_of(document: object, name: str = "") -> bytes:
    """One server-sent event; only the Responses API names its events."""
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + msgspec.json.encode(document) + b"\n\n"


def error_of(message: str, code: str | None, param: str | None, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refuse(
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
) -> Answer:
    return Answer(status, (Piece(body_of(error_of(message, code, param, kind))),))


# What each status is called in `type` and `code`: https://platform.openai.com/docs/guides/error-codes
_FAILURES: dict[int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", None, "The engine is currently overloaded, please try again later"),
}


def fail(call: Call, status: int) -> Answer:
    """The refusal a call asked for with `x-sandbox-fail-status`."""
    kind, code, message = _FAILURES.get(status, ("invalid_request_error", None, f"Refused with {status} as asked"))
    return refuse(status, message, code, None, kind)


ERROR_EVENT = event_of(error_of("The server had an error while processing your request", None, None, "server_error"))


def refuse_fault(fault: Fault) -> Answer:
    name = repr(fault.field)
    if fault.kind == "json":
        return refuse(400, "We could not parse the JSON body of your request.")
    if fault.kind == "unknown":
        return refuse(400, f"Unknown parameter: {name}.", "unknown_parameter", fault.field)
    if fault.kind == "missing":
        return refuse(400, f"Missing required parameter: {name}.", "missing_required_parameter", fault.field)
    return refuse(400, f"Invalid value for {name}: {fault.detail}.", "invalid_value", fault.field)


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    """Nothing if the bearer token is good, else the 401. The refusal never repeats the token."""
    if presented is None:
        return refuse(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using "
            "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
    return None if accepted else fail(call, 401)


def refuse_path(call: Call) -> Answer:
    return refuse(404, f"Invalid URL ({call.request.method} {call.request.path})")


def refuse_control(call: Call, message: str) -> Answer:
    return refuse(400, message, "invalid_sandbox_control")


def resolve(call: Call, asked: str, kind: Kind) -> Model | Answer:
    """The model that answers, or why none does. Azure looks the deployment up, in the path before the body."""
    name = call.path_model or asked
    if not name:
        return refuse(400, "you must provide a model parameter")
    if call.dialect == "azure":
        name = DEPLOYMENTS.get(name, name)
    model = find_model(name, "openai", kind)
    if model:
        return model
    if call.dialect == "azure":
        return refuse(
            404,
            "The API deployment for this resource does not exist. If you created the deployment within the last "
            "5 minutes, please wait a moment and try again.",
            "DeploymentNotFound",
        )
    return refuse(404, f"The model `{name}` does not exist or you do not have access to it.", "model_not_found")


def usage_of(prompt: Tokens, visible: int, reasoning: int) -> Json:
    """Chat's usage: cached and cache-written tokens are part of the prompt, reasoning is part of the completion."""
    prompt_details: Json = {"cached_tokens": prompt.cache_read, "audio_tokens": 0}
    if prompt.cache_write:
        prompt_details["cache_write_tokens"] = prompt.cache_write
    return {
        "prompt_tokens": prompt.prompt,
        "completion_tokens": visible + reasoning,
        "total_tokens": prompt.prompt + visible + reasoning,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def padding_of(seed: bytes, text: str) -> str:
    """Characters that hide a chunk's length, as `obfuscation` does."""
    return seed.hex()[: 16 - len(text) % 16]


class StreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    include_usage: bool = False
    include_obfuscation: bool = True


def refuse_stream_options(call: Call, stream: bool, options: StreamOptions | None) -> Answer | None:
    """Why these stream options cannot be; nothing if they can."""
    if options is None:
        return None
    if not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return refuse(400, message, None, "stream_options")
    # Azure took stream_options from api-version 2024-09-01-preview on.
    version = call.request.query.get("api-version", "")
    if call.dialect == "azure" and version[:4].isdigit() and version < "2024-09-01":
        return refuse(400, "Unrecognized request argument supplied: stream_options")
    return None


def _model_object(model: Model) -> Json:
    return {"id": model.name, "object": "model", "created": 1_700_000_000, "owned_by": "system"}


def models_list(call: Call) -> Answer:
    listed = [_model_object(model) for model in list_models("openai")]
    return Answer(200, (Piece(body_of({"object": "list", "data": listed})),))


def models_retrieve(call: Call) -> Answer:
    found = next((model for model in list_models("openai") if call.path_model in (model.name, model.version)), None)
    if found is None:
        return refuse(404, f"The model '{call.path_model}' does not exist", "model_not_found", "model")
    return Answer(200, (Piece(body_of(_model_object(found))),))
