"""Owns how the providers beside OpenAI, Anthropic and Google say no: for each a shape and its own words.

The texts are the real services' where a recording, an SDK or their documentation shows them; the others are
approximations.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from gateway.sandbox.call import Answer, Call, Fault, Piece

Json = dict[str, object]
Code = str | int | None


class Said(NamedTuple):
    """One refusal. `{}` in the message is what it is about: a model, a path, a field."""

    status: int
    message: str
    kind: str = ""
    code: Code = None

    def about(self, what: str, detail: str = "") -> "Said":
        return self._replace(message=self.message.replace("{}", what).replace("{detail}", detail))


Shape = Callable[[Call, Said, str | None], object]


class Wording(NamedTuple):
    """A provider's refusals. One it does not distinguish has the words of the nearest."""

    shape: Shape
    no_key: Said
    wrong_key: Said
    model: Said
    path: Said
    body: Said  # not JSON
    missing: Said
    invalid: Said
    unknown: Said  # a field the operation does not know
    busy: Said
    broken: Said
    event: Literal["data", "error", "line"] = "data"  # how it fails in the middle of a stream


def refusal_uuid(call: Call) -> str:
    """What some put into the body of a refusal; the same for all when frozen."""
    number = 0 if call.controls.frozen else call.serial
    return f"00000000-0000-4000-8000-{number:012x}"


def _openai(call: Call, said: Said, param: str | None) -> object:
    return {"error": {"message": said.message, "type": said.kind, "param": param, "code": said.code}}


def _bare(call: Call, said: Said, param: str | None) -> object:
    """Moonshot: a message and a type."""
    return {"error": {"message": said.message, "type": said.kind}}


def _groq(call: Call, said: Said, param: str | None) -> object:
    error: Json = {"message": said.message, "type": said.kind}
    return {"error": error if said.code is None else {**error, "code": said.code}}


def _together(call: Call, said: Said, param: str | None) -> object:
    error = {"message": said.message, "type": said.kind, "param": param, "code": said.code}
    return {"id": call.refusal_id, "error": error}


def _mistral(call: Call, said: Said, param: str | None) -> object:
    """FastAPI's list for what it validated, a sentence from its front door, and an object for the rest."""
    if said.kind == "detail":
        return {"detail": said.message}
    if said.kind == "route":
        return {"message": said.message, "request_id": call.refusal_id}
    error = {"object": "error", "message": said.message, "type": said.kind, "param": param, "code": said.code}
    if said.status != 422:
        return error
    detail = {"type": said.kind, "loc": ["body", *_steps(param)], "msg": said.message}
    return {**error, "message": {"detail": [detail]}, "type": "invalid_request_error", "raw_status_code": 422}


def _steps(path: str | None) -> list[str | int]:
    """`tools[0].name` as pydantic writes it."""
    steps = (path or "").replace("[", ".").replace("]", "").split(".")
    return [int(step) if step.isdigit() else step for step in steps if step]


def _xai(call: Call, said: Said, param: str | None) -> object:
    return {"code": said.kind, "error": said.message}


def _cerebras(call: Call, said: Said, param: str | None) -> object:
    return {"message": said.message, "type": said.kind, "param": param, "code": said.code}


def _openrouter(call: Call, said: Said, param: str | None) -> object:
    error: Json = {"message": said.message, "code": said.status}
    if said.kind == "provider":
        error["metadata"] = {"provider_name": "Sandbox", "raw": said.message}
    return {"error": error, "user_id": "user_sandbox"}


def _status_code(call: Call, said: Said, param: str | None) -> object:
    """Perplexity and llama.cpp: the code is the status."""
    return {"error": {"message": said.message, "type": said.kind, "code": said.status}}


def _vllm(call: Call, said: Said, param: str | None) -> object:
    if said.kind in ("", "detail"):
        return {"detail" if said.kind else "error": said.message}
    return {"error": {"message": said.message, "type": said.kind, "param": param, "code": said.status}}


def _zai(call: Call, said: Said, param: str | None) -> object:
    return {"error": {"code": said.code, "message": said.message}}


def _cohere(call: Call, said: Said, param: str | None) -> object:
    return {"id": refusal_uuid(call), "message": said.message}


def _voyage(call: Call, said: Said, param: str | None) -> object:
    return {"detail": said.message}


def _ollama(call: Call, said: Said, param: str | None) -> object:
    """A sentence of its own API, OpenAI's object of the compatible one."""
    if call.request.path.startswith("/v1/"):
        return {"error": {"message": said.message, "type": said.kind, "param": None, "code": None}}
    return {"error": said.message}


_INVALID = "invalid_request_error"

WORDINGS: dict[str, Wording] = {
    # docs.mistral.ai/api ; 422 as the service has answered unknown fields since 2024.
    "mistral": Wording(
        _mistral,
        no_key=Said(401, "Unauthorized", "detail"),
        wrong_key=Said(401, "Unauthorized", "detail"),
        model=Said(400, "Invalid model: {}", "invalid_model", "1500"),
        path=Said(404, "no Route matched with those values", "route"),
        body=Said(422, "JSON decode error", "json_invalid"),
        missing=Said(422, "Field required", "missing"),
        invalid=Said(422, "{detail}", "value_error"),
        unknown=Said(422, "Extra inputs are not permitted", "extra_forbidden"),
        busy=Said(429, "Rate limit exceeded", "rate_limited", "1300"),
        broken=Said(500, "Internal server error", "internal_server_error", "1000"),
    ),
    # console.groq.com/docs/errors ; recorded: 404, and failures in the middle of a stream.
    "groq": Wording(
        _groq,
        no_key=Said(401, "Invalid API Key", _INVALID, "invalid_api_key"),
        wrong_key=Said(401, "Invalid API Key", _INVALID, "invalid_api_key"),
        model=Said(
            404, "The model `{}` does not exist or you do not have access to it.", _INVALID, "model_not_found"
        ),
        path=Said(404, "Unknown request URL: {}. Please check the URL for typos.", _INVALID, "unknown_url"),
        body=Said(400, "could not parse the request body as JSON", _INVALID),
        missing=Said(400, "property '{}' is missing", _INVALID),
        invalid=Said(400, "'{}' : {detail}", _INVALID),
        unknown=Said(400, "property '{}' is unsupported", _INVALID),
        busy=Said(429, "Rate limit reached for model", "tokens", "rate_limit_exceeded"),
        broken=Said(500, "Internal Server Error", "internal_server_error"),
        event="error",
    ),
    # docs.cohere.com/reference/errors ; recorded: 404.
    "cohere": Wording(
        _cohere,
        no_key=Said(401, "no api key supplied"),
        wrong_key=Said(401, "invalid api token"),
        model=Said(
            404,
            "model '{}' not found, make sure the correct model ID was used and that you have access to the model.",
        ),
        path=Said(404, "404 page not found"),
        body=Said(400, "invalid request: the body is not valid JSON"),
        missing=Said(400, "invalid request: {} must be specified"),
        invalid=Said(400, "invalid request: {}: {detail}"),
        unknown=Said(422, "unknown field: parameter '{}' is not a valid field"),
        busy=Said(429, "You have reached the rate limit of this API key."),
        broken=Said(500, "internal server error"),
    ),
    # docs.together.ai/docs/error-codes
    "together": Wording(
        _together,
        no_key=Said(401, "Missing Authorization header", _INVALID, "missing_api_key"),
        wrong_key=Said(401, "Invalid API key provided.", _INVALID, "invalid_api_key"),
        model=Said(
            404,
            "Unable to access model {}. Please visit the list of supported models.",
            _INVALID,
            "model_not_available",
        ),
        path=Said(404, "Not found: {}", _INVALID),
        body=Said(400, "Request body is not valid JSON", _INVALID),
        missing=Said(400, "Missing required field: {}", _INVALID),
        invalid=Said(400, "Invalid value for {}: {detail}", _INVALID),
        unknown=Said(400, "Unknown field: {}", _INVALID),
        busy=Said(429, "You have reached the rate limit for this model.", "rate_limit", "rate_limit_exceeded"),
        broken=Said(500, "Internal server error", "server_error"),
    ),
    # github.com/ollama/ollama/blob/main/docs/api.md ; recorded: 404.
    "ollama": Wording(
        _ollama,
        no_key=Said(401, "unauthorized", "authentication_error"),
        wrong_key=Said(401, "unauthorized", "authentication_error"),
        model=Said(404, "model '{}' not found", "not_found_error"),
        path=Said(404, "404 page not found", "not_found_error"),
        body=Said(400, "{detail}", _INVALID),
        missing=Said(400, "{} is required", _INVALID),
        invalid=Said(400, "{}: {detail}", _INVALID),
        unknown=Said(400, "unknown field {}", _INVALID),
        busy=Said(503, "server busy, please try again.  maximum pending requests exceeded", "api_error"),
        broken=Said(500, "an error was encountered while running the model", "api_error"),
        event="line",
    ),
    # api-docs.deepseek.com/quick_start/error_codes
    "deepseek": Wording(
        _openai,
        no_key=Said(401, "Authentication Fails (auth header format should be Bearer sk-...)", "authentication_error"),
        wrong_key=Said(401, "Authentication Fails, Your api key is invalid", "authentication_error", _INVALID),
        model=Said(400, "Model Not Exist", _INVALID, _INVALID),
        path=Said(404, "Not Found", _INVALID, _INVALID),
        body=Said(400, "Failed to parse the request body as JSON", _INVALID, _INVALID),
        missing=Said(422, "Failed to deserialize the JSON body: missing field `{}`", _INVALID, _INVALID),
        invalid=Said(422, "Failed to deserialize the JSON body: {}: {detail}", _INVALID, _INVALID),
        unknown=Said(422, "Failed to deserialize the JSON body: unknown field `{}`", _INVALID, _INVALID),
        busy=Said(429, "Rate limit reached", "rate_limit_error"),
        broken=Said(500, "Server error", "server_error"),
    ),
    # docs.x.ai/docs/key-information/debugging ; a wrong key is 400 there.
    "xai": Wording(
        _xai,
        no_key=Said(401, "No API key provided.", "Unauthenticated"),
        wrong_key=Said(400, "Incorrect API key provided.", "Client specified an invalid argument"),
        model=Said(
            404, "The model {} does not exist or your team does not have access to it.",
            "Some requested entity was not found",
        ),
        path=Said(404, "The requested resource was not found.", "Some requested entity was not found"),
        body=Said(400, "Failed to parse the request body as JSON", "Client specified an invalid argument"),
        missing=Said(422, "missing field `{}`", "Client specified an invalid argument"),
        invalid=Said(422, "{}: {detail}", "Client specified an invalid argument"),
        unknown=Said(400, "Argument not supported: {}", "Client specified an invalid argument"),
        busy=Said(429, "Too many requests", "Some resource has been exhausted"),
        broken=Said(500, "Internal error", "Internal error"),
    ),
    # openrouter.ai/docs/api-reference/errors ; recorded: 429.
    "openrouter": Wording(
        _openrouter,
        no_key=Said(401, "No auth credentials found"),
        wrong_key=Said(401, "User not found."),
        model=Said(400, "{} is not a valid model ID"),
        path=Said(404, "Not Found"),
        body=Said(400, "Invalid JSON in the request body"),
        missing=Said(400, "Input required: {}"),
        invalid=Said(400, "Invalid input: {}: {detail}"),
        unknown=Said(400, "Unrecognized key: {}"),
        busy=Said(429, "Provider returned error", "provider"),
        broken=Said(502, "Provider returned error", "provider"),
    ),
    # docs.perplexity.ai/guides/perplexity-sdk-error-handling
    "perplexity": Wording(
        _status_code,
        no_key=Said(401, "Missing API key", "unauthorized"),
        wrong_key=Said(401, "Invalid API key provided", "unauthorized"),
        model=Said(400, "Invalid model '{}'.", "invalid_model"),
        path=Said(404, "Not Found", "not_found"),
        body=Said(400, "Request body is not valid JSON", "invalid_request"),
        missing=Said(400, "['body', '{}']: Field required", "bad_request"),
        invalid=Said(400, "['body', '{}']: {detail}", "bad_request"),
        unknown=Said(400, "['body', '{}']: Extra inputs are not permitted", "bad_request"),
        busy=Said(429, "Request rate limit exceeded", "request_rate_limit_exceeded"),
        broken=Said(500, "Internal server error", "internal_error"),
    ),
    # inference-docs.cerebras.ai/support/error
    "cerebras": Wording(
        _cerebras,
        no_key=Said(401, "No API key provided", _INVALID, "missing_api_key"),
        wrong_key=Said(401, "Wrong API Key", _INVALID, "wrong_api_key"),
        model=Said(
            404, "Model {} does not exist or you do not have access to it.", "not_found_error", "model_not_found"
        ),
        path=Said(404, "Unknown request URL: {}", _INVALID, "unknown_url"),
        body=Said(400, "Request body is not valid JSON", _INVALID, "wrong_api_format"),
        missing=Said(422, "{}: Field required", _INVALID, "wrong_api_format"),
        invalid=Said(422, "{}: {detail}", _INVALID, "wrong_api_format"),
        unknown=Said(400, "property '{}' is unsupported", _INVALID, "wrong_api_format"),
        busy=Said(429, "Requests per minute limit exceeded", "too_many_requests_error", "request_quota_exceeded"),
        broken=Said(500, "Encountered a server error, please try again.", "server_error", "server_error"),
    ),
    # platform.moonshot.ai/docs/api/chat
    "moonshot": Wording(
        _bare,
        no_key=Said(401, "Incorrect API key provided", "incorrect_api_key_error"),
        wrong_key=Said(401, "Invalid Authentication", "invalid_authentication_error"),
        model=Said(404, "Not found the model {} or Permission denied", "resource_not_found_error"),
        path=Said(404, "Not found: {}", "resource_not_found_error"),
        body=Said(400, "Invalid request: the body is not JSON", _INVALID),
        missing=Said(400, "Invalid request: {} is required", _INVALID),
        invalid=Said(400, "Invalid request: {}: {detail}", _INVALID),
        unknown=Said(400, "Invalid request: unknown field {}", _INVALID),
        busy=Said(429, "Your account reached its request limit, please try again later", "rate_limit_reached_error"),
        broken=Said(500, "Server error", "unexpected_output"),
    ),
    # docs.z.ai/api-reference/api-code
    "zai": Wording(
        _zai,
        no_key=Said(401, "Header lacks an Authorization parameter", code="1001"),
        wrong_key=Said(401, "token expired or incorrect", code="401"),
        model=Said(400, "Unknown Model, please check the model code.", code="1211"),
        path=Said(404, "Not Found", code="404"),
        body=Said(400, "The request body is not JSON", code="1210"),
        missing=Said(400, "{} cannot be empty", code="1213"),
        invalid=Said(400, "Invalid API parameter: {}: {detail}", code="1210"),
        unknown=Said(400, "Invalid API parameter: {}", code="1210"),
        busy=Said(429, "Rate limit reached for requests", code="1302"),
        broken=Said(500, "Internal network failure", code="500"),
    ),
    # docs.voyageai.com/docs/error-codes ; recorded: 400.
    "voyage": Wording(
        _voyage,
        no_key=Said(401, "You have not provided an API key in the Authorization header."),
        wrong_key=Said(401, "Provided API key is invalid."),
        model=Said(400, "Model {} is not supported. Supported models are {detail}."),
        path=Said(404, "Not Found"),
        body=Said(400, "The request body is not valid JSON, or some arguments were not specified properly."),
        missing=Said(400, "Argument '{}' is required."),
        invalid=Said(400, "The value of argument '{}' is invalid: {detail}"),
        unknown=Said(400, "Argument '{}' is not supported by our API."),
        busy=Said(429, "You have exceeded your rate limit, requests per minute."),
        broken=Said(500, "An unexpected error occurred on our side."),
    ),
    # vllm/entrypoints/openai/api_server.py
    "vllm": Wording(
        _vllm,
        no_key=Said(401, "Unauthorized"),
        wrong_key=Said(401, "Unauthorized"),
        model=Said(404, "The model `{}` does not exist.", "NotFoundError"),
        path=Said(404, "Not Found", "detail"),
        body=Said(400, "JSON decode error", "Bad Request"),
        missing=Said(400, "Field required: {}", "Bad Request"),
        invalid=Said(400, "{}: {detail}", "Bad Request"),
        unknown=Said(400, "{}", "Bad Request"),
        busy=Said(429, "Too many requests", "TooManyRequests"),
        broken=Said(500, "Internal server error", "InternalServerError"),
    ),
    # github.com/ggml-org/llama.cpp/blob/master/tools/server/server.cpp
    "llama.cpp": Wording(
        _status_code,
        no_key=Said(401, "Invalid API Key", "authentication_error"),
        wrong_key=Said(401, "Invalid API Key", "authentication_error"),
        model=Said(404, "model not found", "not_found_error"),
        path=Said(404, "File Not Found", "not_found_error"),
        body=Said(400, "Failed to parse the request body as JSON", _INVALID),
        missing=Said(400, "'{}' is required", _INVALID),
        invalid=Said(400, "'{}': {detail}", _INVALID),
        unknown=Said(400, "unsupported param: {}", _INVALID),
        busy=Said(503, "Loading model", "unavailable_error"),
        broken=Said(500, "Compute error.", "server_error"),
    ),
}  # fmt: skip


def refuse(call: Call, said: Said, param: str | None = None) -> Answer:
    document = WORDINGS[call.dialect].shape(call, said, param)
    return Answer(said.status, (Piece(msgspec.json.encode(document)),))


def refuse_model(call: Call, name: str, offered: str = "") -> Answer:
    return refuse(call, WORDINGS[call.dialect].model.about(name, offered), "model")


def refuse_fault(call: Call, fault: Fault) -> Answer:
    """What is wrong with a body, in the provider's words."""
    wording = WORDINGS[call.dialect]
    said = {"json": wording.body, "missing": wording.missing, "invalid": wording.invalid, "unknown": wording.unknown}
    return refuse(call, said[fault.kind].about(fault.field, fault.detail), fault.field or None)


def refuse_value(call: Call, field: str, detail: str) -> Answer:
    """A value that decodes and still cannot be."""
    return refuse_fault(call, Fault("invalid", field, detail))


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    """Nothing if the credential is good. The refusal never repeats it."""
    wording = WORDINGS[call.dialect]
    return None if accepted else refuse(call, wording.no_key if presented is None else wording.wrong_key)


def refuse_path(call: Call) -> Answer:
    return refuse(call, WORDINGS[call.dialect].path.about(f"{call.request.method} {call.request.path}"))


def refuse_control(call: Call, message: str) -> Answer:
    """Not the provider's words, but in its shape."""
    invalid = WORDINGS[call.dialect].invalid
    return refuse(call, invalid._replace(status=400, message=message))


def fail(call: Call, status: int) -> Answer:
    """The refusal a call asked for with `x-sandbox-fail-status`, as the nearest one the provider has."""
    wording = WORDINGS[call.dialect]
    nearest = {401: wording.wrong_key, 404: wording.path, wording.busy.status: wording.busy, 429: wording.busy}
    said = nearest.get(status, wording.broken if status >= 500 else wording.invalid.about("request", "as asked"))
    return refuse(call, said._replace(status=status))


def error_event(call: Call) -> bytes:
    """How the provider fails in the middle of a stream, whose status was 200."""
    wording = WORDINGS[call.dialect]
    document = msgspec.json.encode(wording.shape(call, wording.broken, None))
    if wording.event == "line" and not call.request.path.startswith("/v1/"):
        return document + b"\n"
    if wording.event != "error":
        return b"data: " + document + b"\n\n"
    # Recorded from Groq: the status that would have been.
    error = {"message": wording.broken.message, "type": wording.broken.kind, "status_code": wording.broken.status}
    return b"event: error\ndata: " + msgspec.json.encode({"error": error}) + b"\n\n"
