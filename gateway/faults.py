"""Owns what the gateway answers when it cannot or will not: the table of refusals and their wire shapes.

A refusal is a value. Exceptions here name whose fault something was. Shapes and statuses follow
provider_facts §6: each SDK raises its own class and retries only what is worth a retry.
"""

import msgspec

from gateway.endpoints import METHODS, Dialect
from gateway.wire import eventstream
from gateway.wire.http1 import REASONS


class GatewayFault(Exception):
    """A bug or a broken machine of ours."""


class Code(msgspec.Struct, frozen=True):
    """One reason to refuse. `openai`, `anthropic` and `google` are the type words of those error shapes."""

    status: int
    openai: str
    anthropic: str
    google: str
    meaning: str
    retryable: bool = False


_INVALID = ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT")
_UNAUTHENTICATED = ("invalid_request_error", "authentication_error", "UNAUTHENTICATED")
_FORBIDDEN = ("invalid_request_error", "permission_error", "PERMISSION_DENIED")
_UNAVAILABLE = ("server_error", "api_error", "UNAVAILABLE")
_TIMEOUT = ("server_error", "timeout_error", "DEADLINE_EXCEEDED")

CODES: dict[str, Code] = {
    "malformed_request": Code(400, *_INVALID, "The HTTP request is malformed or ambiguous; the connection is closed."),
    "malformed_body": Code(400, *_INVALID, "The body is not the JSON object the endpoint takes."),
    "invalid_header": Code(400, *_INVALID, "An x-lensai-* header has a value out of bounds."),
    "ambiguous_credentials": Code(400, *_INVALID, "More than one credential was sent; exactly one is needed."),
    "missing_key": Code(401, *_UNAUTHENTICATED, "No LensAI key was sent, in no credential slot and not in the path."),
    "invalid_key": Code(401, *_UNAUTHENTICATED, "The key is unknown, disabled or expired."),
    "missing_credential": Code(
        401, *_UNAUTHENTICATED, "The policy has no provider key for this upstream and the client sent none of its own."
    ),
    "key_scope": Code(403, *_FORBIDDEN, "The key may not use this upstream, endpoint or model."),
    "endpoint_not_metered": Code(
        403, *_FORBIDDEN, "The gateway cannot meter this endpoint, and never forwards what it cannot meter."
    ),
    "shared_credential": Code(
        403, *_FORBIDDEN, "The operation lists what every project on the upstream's credential has stored there."
    ),
    "resource_not_allowed": Code(403, *_FORBIDDEN, "The Azure resource is not in the upstream's list."),
    "unknown_upstream": Code(
        404, "invalid_request_error", "not_found_error", "NOT_FOUND", "The path names no upstream of the policy."
    ),
    "method_not_allowed": Code(405, *_INVALID, "Only DELETE, GET and POST are served."),
    "request_timeout": Code(408, *_TIMEOUT, "The request did not arrive in time.", retryable=True),
    "body_too_large": Code(
        413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT", "Over body_bytes_max."
    ),
    "unsupported_encoding": Code(415, *_INVALID, "The body's content-encoding is not gzip, deflate, br or zstd."),
    "header_too_large": Code(431, *_INVALID, "Over header_bytes_max or header_count_max."),
    "gateway_error": Code(500, *_UNAVAILABLE, "The gateway failed; its log names the request id.", retryable=True),
    "upstream_unreachable": Code(502, *_UNAVAILABLE, "No connection to the provider could be made.", retryable=True),
    "upstream_broken": Code(
        502, *_UNAVAILABLE, "The provider closed the connection or broke HTTP before its answer was complete."
    ),
    "overloaded": Code(503, *_UNAVAILABLE, "A limit of the gateway on work in flight is reached.", retryable=True),
    "journal_unavailable": Code(
        503, *_UNAVAILABLE, "The journal cannot be written, so calls could not be accounted for.", retryable=True
    ),
    "shutting_down": Code(
        503, *_UNAVAILABLE, "The gateway is draining; another one should take the call.", retryable=True
    ),
    "upstream_timeout": Code(504, *_TIMEOUT, "The provider did not answer within the configured time."),
}


# What Bedrock calls them: botocore 1.44, bedrock-runtime service-2.json.
_AWS_ERRORS = {
    400: "ValidationException",
    401: "AccessDeniedException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "ValidationException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    415: "ValidationException",
    429: "ThrottlingException",
    431: "ValidationException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


# And in the midst of a stream: the members of ConverseStreamOutput and ResponseStream there.
_AWS_STREAM_ERRORS = {
    400: "validationException",
    429: "throttlingException",
    503: "serviceUnavailableException",
    504: "modelTimeoutException",
}


class Refusal(msgspec.Struct, frozen=True):
    """Why a call was not forwarded, or ended early. `code` is a key of `CODES`; `message` names the fix."""

    code: str
    message: str
    retry_after_s: int | None = None

    @property
    def status(self) -> int:
        return CODES[self.code].status


def render_answer(refusal: Refusal, dialect: Dialect, request_id: str, *, close: bool) -> bytes:
    """A whole HTTP answer of a refusal, in the error shape of the dialect's provider."""
    row = CODES[refusal.code]
    body = msgspec.json.encode(_shape(refusal, row, dialect, request_id))
    lines = [
        b"HTTP/1.1 %d %b\r\n" % (row.status, REASONS.get(row.status, b"")),
        b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
    ]
    if not row.retryable:
        # The Stainless SDKs retry 408, 409, 429 and 5xx unless told not to.
        lines.append(b"x-should-retry: false\r\n")
    if dialect == "bedrock":
        lines.append(b"x-amzn-errortype: %b\r\n" % _AWS_ERRORS.get(row.status, "InternalServerException").encode())
    if row.status == 405:
        lines.append(b"allow: %b\r\n" % ", ".join(METHODS).encode())  # RFC 9110 §15.5.6
    if refusal.retry_after_s is not None:
        lines.append(b"retry-after: %d\r\n" % refusal.retry_after_s)
    if request_id:
        lines.append(b"x-lensai-request-id: %b\r\n" % request_id.encode())
    if close:
        lines.append(b"connection: close\r\n")
    return b"%b\r\n%b" % (b"".join(lines), body)


def render_stream_error(
    refusal: Refusal, dialect: Dialect, endpoint: str, request_id: str, *, lines: bool = False
) -> bytes:
    """The event that ends a stream early, as the dialect's provider would send it; `lines`: in a stream of lines."""
    row = CODES[refusal.code]
    if endpoint == "responses":
        body = {"type": "error", "code": refusal.code, "message": refusal.message, "param": None, "sequence_number": 0}
        return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"
    body = msgspec.json.encode(_shape(refusal, row, dialect, request_id))
    if dialect == "bedrock":
        kind = _AWS_STREAM_ERRORS.get(row.status, "internalServerException")
        headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
        return eventstream.encode(headers, body)
    if lines:
        return body + b"\n"
    if dialect == "anthropic":
        return b"event: error\ndata: " + body + b"\n\n"
    return b"data: " + body + (b"\r\n\r\n" if dialect == "gemini" else b"\n\n")


def _shape(refusal: Refusal, row: Code, dialect: Dialect, request_id: str) -> dict[str, object]:
    message = f"{refusal.message} (LensAI request {request_id})" if request_id else refusal.message
    match dialect:
        case "bedrock" | "cohere":
            return {"message": message, "id": request_id} if dialect == "cohere" else {"message": message}
        case "ollama":
            return {"error": message}
        case "voyage":
            return {"detail": message}
        case "anthropic":
            error: dict[str, object] = {
                "type": row.anthropic,
                "message": message,
                "details": {"error_code": refusal.code},
            }
            return {"type": "error", "error": error, "request_id": request_id}
        case "gemini":
            return {"error": {"code": row.status, "message": message, "status": row.google}}
        case "openai" | "azure":
            return {"error": {"message": message, "type": row.openai, "param": None, "code": refusal.code}}
