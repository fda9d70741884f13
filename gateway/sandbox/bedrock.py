"""Owns what Bedrock's operations share: who may call, errors in AWS's shapes, and which model a path names."""

import re
from urllib.parse import unquote

import msgspec

from gateway.sandbox.bill import Kind, Model, find_model
from gateway.sandbox.call import Answer, Call, Fault, Piece
from gateway.sandbox.eventstream import exception_message
from gateway.sandbox.sigv4 import SCHEME, verify

Json = dict[str, object]

# An account's own name for a model, as only its ARN can be called.
APPLICATION_PROFILES = {"sandboxprofile": "us.anthropic.claude-haiku-4-5-20251001-v1:0"}

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
_FAILURES = {
    400: ("ValidationException", "The request is invalid."),
    403: ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
    404: ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier."),
    408: ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
    424: ("ModelErrorException", "The request failed due to an error while processing the model."),
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: ("InternalServerException", "The system encountered an unexpected error during processing. Try again."),
    503: ("ServiceUnavailableException", "Bedrock is unable to process your request."),
}


def body_of(document: object) -> bytes:
    return msgspec.json.encode(document)


def refuse(status: int, kind: str, message: str) -> Answer:
    return Answer(status, (Piece(body_of({"message": message})),), headers=(("x-amzn-errortype", kind),))


def refuse_request(message: str) -> Answer:
    return refuse(400, "ValidationException", message)


def fail(call: Call, status: int) -> Answer:
    """The refusal a call asked for with `x-sandbox-fail-status`."""
    return refuse(status, *_FAILURES.get(status, ("UnknownException", f"Refused with {status} as asked")))


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    """A signature that is verified, or an API key as bearer token."""
    if presented is not None:
        if accepted:
            return None
        message = "Authentication failed: Please make sure your API Key is valid."
        return refuse(403, "AccessDeniedException", message)
    if not call.request.headers.get("authorization", "").startswith(SCHEME):
        return refuse(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    mistake = verify(call.request, "bedrock", call.now_s)
    return refuse(403, *mistake) if mistake else None


def refuse_path(call: Call) -> Answer:
    return refuse(404, "UnknownOperationException", "Unknown operation")


def refuse_control(call: Call, message: str) -> Answer:
    return refuse_request(message)


_FAULTS = {
    "json": "Unable to parse request body as JSON: {detail}",
    "unknown": "Malformed input request: #: extraneous key [{field}] is not permitted, "
    "please reformat your input and try again.",
    "missing": "Malformed input request: #: required key [{field}] not found, "
    "please reformat your input and try again.",
    "invalid": "Malformed input request: #/{field}: {detail}, please reformat your input and try again.",
}


def refuse_fault(fault: Fault) -> Answer:
    return refuse_request(_FAULTS[fault.kind].format(field=fault.field, detail=fault.detail))


_ARN = re.compile(
    r"arn:aws:bedrock:[a-z0-9-]+:\d*:(foundation-model|inference-profile|application-inference-profile)/(.+)"
)


def resolve(call: Call, kind: Kind) -> Model | Answer:
    """The model the path names: by its id, by an inference profile or by an ARN of either."""
    name = unquote(call.path_model)
    found = _ARN.fullmatch(name)
    if found:
        name = APPLICATION_PROFILES.get(found[2], "") if found[1].startswith("application") else found[2]
    model = find_model(name, "bedrock", kind)
    if model:
        return model
    if find_model("us." + name, "bedrock", kind):
        message = (
            f"Invocation of model ID {name} with on-demand throughput isn’t supported. Retry your request with the ID "
            "or ARN of an inference profile that contains this model."
        )
        return refuse_request(message)
    return refuse_request("The provided model identifier is invalid.")


def padding_of(seed: bytes, payload: bytes) -> str:
    """Characters that hide how long an event's text is, as `p` does."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return alphabet[: 1 + (seed[0] + len(payload)) % len(alphabet)]


STREAM_FAILURE = exception_message(
    "internalServerException",
    body_of({"message": "The system encountered an unexpected error during processing. Try your request again."}),
)
