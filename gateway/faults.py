"""Owns what the gateway answers when it cannot or will not: the table of refusals and their wire shapes.

A refusal is a value. Exceptions here name whose fault something was. Shapes and statuses follow
provider_facts §6: each SDK raises its own class and retries only what is worth a retry.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from gateway.endpoints import METHODS, Dialect
from gateway.wire import eventstream
from gateway.wire.http1 import REASONS
from pricing.money import usd


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
_SPENT = ("insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED")
_THROTTLED = ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED")

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
    "budget_exceeded": Code(
        402, *_SPENT, "A budget has too little left for what the call may cost; 429 where the quota says `answers_429`."
    ),
    "budget_exhausted_midstream": Code(
        402,
        *_SPENT,
        "A budget ran out under a stream, which ends here; what it held is charged, unless the provider reported its "
        "usage.",
    ),
    "key_scope": Code(403, *_FORBIDDEN, "The key may not use this upstream, endpoint or model."),
    "endpoint_not_metered": Code(
        403, *_FORBIDDEN, "The gateway cannot meter this endpoint, and never forwards what it cannot meter."
    ),
    "shared_credential": Code(
        403, *_FORBIDDEN, "The operation lists what every project on the upstream's credential has stored there."
    ),
    "resource_not_allowed": Code(403, *_FORBIDDEN, "The Azure resource is not in the upstream's list."),
    "kill_switch": Code(403, *_FORBIDDEN, "A kill switch of the policy ends such calls; the message has its reason."),
    "unbounded_cost": Code(
        403, *_FORBIDDEN, "Nothing bounds what the call may cost or use, and a quota that blocks has no ceiling for it."
    ),
    "unpriced_model": Code(
        403,
        *_FORBIDDEN,
        "The model has no price, and a budget of money that blocks has no ceiling for it: state a price in "
        "`price_overrides`.",
    ),
    "scope_values_exceeded": Code(
        403,
        *_FORBIDDEN,
        "A quota counts as many users, tags or other values in this window as its `values_max` allows.",
    ),
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
    "rate_limited": Code(
        429,
        *_THROTTLED,
        "A limit of requests, tokens or calls at a time is reached. Not to be retried where the answer "
        "says `x-should-retry: false`: the window is then a long one, or the call too large for it.",
        retryable=True,
    ),
    "gateway_error": Code(500, *_UNAVAILABLE, "The gateway failed; its log names the request id.", retryable=True),
    "upstream_unreachable": Code(502, *_UNAVAILABLE, "No connection to the provider could be made.", retryable=True),
    "upstream_broken": Code(
        502, *_UNAVAILABLE, "The provider closed the connection or broke HTTP before its answer was complete."
    ),
    "overloaded": Code(503, *_UNAVAILABLE, "A limit of the gateway on work in flight is reached.", retryable=True),
    "journal_unavailable": Code(
        503, *_UNAVAILABLE, "The journal cannot be written, so calls could not be accounted for.", retryable=True
    ),
    "ledger_unavailable": Code(
        503,
        *_UNAVAILABLE,
        "The ledger of a budget that blocks cannot be asked, and nothing is lent to this gateway.",
        retryable=True,
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
    402: "throttlingException",  # "exceeding the account quotas": the nearest member there is
    403: "validationException",
    429: "throttlingException",
    503: "serviceUnavailableException",
    504: "modelTimeoutException",
}


# Operations of the Responses API, each of whose events has a `sequence_number` (openai-python 2, responses/*_event.py).
NUMBERED = frozenset(("responses", "responses.retrieve"))


class QuotaHit(msgspec.Struct, frozen=True):
    """The counter that stood in the way. Amounts are nano-USD where the unit is usd, else counts; None: unknown."""

    quota: str
    unit: str
    window: str
    scope: Mapping[str, str] = {}  # dimension -> value, as it was counted
    limit: int | None = None
    wanted: int | None = None
    remaining: int | None = None
    resets_at_s: int | None = None  # None: never

    def details(self) -> dict[str, object]:
        """The hit for programs: money as decimal USD, moments as RFC 3339."""
        return {
            "quota": self.quota,
            "unit": self.unit,
            "window": self.window,
            "scope": dict(self.scope),
            "limit": self.amount(self.limit),
            "wanted": self.amount(self.wanted),
            "remaining": self.amount(self.remaining),
            "resets_at": None if self.resets_at_s is None else rfc3339(self.resets_at_s),
        }

    def amount(self, amount: int | None) -> str | int | None:
        return f"{usd(amount):f}" if amount is not None and self.unit == "usd" else amount


class SwitchHit(msgspec.Struct, frozen=True):
    """The kill switch that stood in the way, and whose calls it ends."""

    kill_switch: str
    scope: Mapping[str, str] = {}
    reason: str = ""  # its operator's words

    def details(self) -> dict[str, object]:
        """The hit for programs."""
        return {"kill_switch": self.kill_switch, "scope": dict(self.scope), "reason": self.reason}


class Refusal(msgspec.Struct, frozen=True):
    """Why a call was not forwarded, or ended early. `code` is a key of `CODES`; `message` names the fix."""

    code: str
    message: str
    retry_after_s: int | None = None
    hit: QuotaHit | SwitchHit | None = None
    as_429: bool = False  # for clients that know no other status of a budget
    retry: bool | None = None  # whether a retry may help; None: as the code says
    reason: str = ""  # the message as records keep it, where they do: without what must not be kept

    @property
    def status(self) -> int:
        return 429 if self.as_429 else CODES[self.code].status

    @property
    def why(self) -> str:
        """What a record may keep of the message: nothing, but of those that hold only names of the policy."""
        return self.message if self.code == "kill_switch" else self.reason

    @property
    def retryable(self) -> bool:
        return CODES[self.code].retryable if self.retry is None else self.retry


BUG = Refusal("gateway_error", "The gateway failed on this request")


def rfc3339(at_s: int) -> str:
    """UTC, to the second: 2027-02-01T00:00:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render_answer(refusal: Refusal, dialect: Dialect, request_id: str, *, close: bool) -> bytes:
    """A whole HTTP answer of a refusal, in the error shape of the dialect's provider."""
    status, row = refusal.status, CODES[refusal.code]
    body = msgspec.json.encode(_shape(refusal, row, dialect, request_id))
    lines = [
        b"HTTP/1.1 %d %b\r\n" % (status, REASONS.get(status, b"")),
        b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
        b"x-lensai-error: %b\r\n" % refusal.code.encode(),
    ]
    if not refusal.retryable:
        # The Stainless SDKs retry 408, 409, 429 and 5xx unless told not to.
        lines.append(b"x-should-retry: false\r\n")
    if dialect == "bedrock":
        # By the code's own status: a budget is no throttling that boto3 should wait out, whatever it is answered with.
        lines.append(b"x-amzn-errortype: %b\r\n" % _AWS_ERRORS.get(row.status, "InternalServerException").encode())
    if status == 405:
        lines.append(b"allow: %b\r\n" % ", ".join(METHODS).encode())  # RFC 9110 §15.5.6
    if refusal.retry_after_s is not None:
        lines.append(b"retry-after: %d\r\n" % refusal.retry_after_s)
    if refusal.hit is not None:
        lines.extend(_hit_lines(refusal.hit))
    if request_id:
        lines.append(b"x-lensai-request-id: %b\r\n" % request_id.encode())
    if close:
        lines.append(b"connection: close\r\n")
    return b"%b\r\n%b" % (b"".join(lines), body)


def _hit_lines(hit: QuotaHit | SwitchHit) -> Iterator[bytes]:
    """What was hit, where no shape need leave room for it. Ids are plain names; what callers chose is in no header."""
    if isinstance(hit, SwitchHit):
        yield b"x-lensai-kill-switch: %b\r\n" % hit.kill_switch.encode()
        return
    yield b"x-lensai-quota: %b\r\n" % hit.quota.encode()
    if hit.remaining is not None:
        yield b"x-lensai-quota-remaining: %b\r\n" % str(hit.amount(hit.remaining)).encode()
    if hit.resets_at_s is not None:
        yield b"x-lensai-quota-reset: %b\r\n" % rfc3339(hit.resets_at_s).encode()


def render_stream_error(
    refusal: Refusal, dialect: Dialect, endpoint: str, request_id: str, *, bare: bool = False, number: int = 0
) -> bytes:
    """The event that ends a stream early, as the dialect's provider would send it.

    `bare`: its JSON alone, for a stream of lines or an array; `number`: its place in a stream that numbers its events.
    """
    row = CODES[refusal.code]
    if endpoint in NUMBERED:
        message = _told(refusal, request_id)
        body = {"type": "error", "code": refusal.code, "message": message, "param": None, "sequence_number": number}
        body |= _extra(refusal)
        return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"
    body = msgspec.json.encode(_shape(refusal, row, dialect, request_id))
    if dialect == "bedrock":
        kind = _AWS_STREAM_ERRORS.get(row.status, "internalServerException")
        headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
        return eventstream.encode(headers, body)
    if bare:
        return body
    if dialect == "anthropic":
        return b"event: error\ndata: " + body + b"\n\n"
    return b"data: " + body + (b"\r\n\r\n" if dialect == "gemini" else b"\n\n")


def _shape(refusal: Refusal, row: Code, dialect: Dialect, request_id: str) -> dict[str, object]:
    message = _told(refusal, request_id)
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
                "details": {"error_code": refusal.code} | _extra(refusal),
            }
            return {"type": "error", "error": error, "request_id": request_id}
        case "gemini":
            info = _error_info(refusal.code, refusal.hit)
            return {"error": {"code": refusal.status, "message": message, "status": row.google, "details": [info]}}
        case "openai" | "azure":
            named = {"message": message, "type": row.openai, "param": None, "code": refusal.code}
            return {"error": named | _extra(refusal)}


def _told(refusal: Refusal, request_id: str) -> str:
    return f"{refusal.message} (LensAI request {request_id})" if request_id else refusal.message


def _extra(refusal: Refusal) -> dict[str, object]:
    """A member of our own, where a shape leaves room for one."""
    return {} if refusal.hit is None else {"lensai": refusal.hit.details()}


def _error_info(code: str, hit: QuotaHit | SwitchHit | None) -> dict[str, object]:
    """google.rpc.ErrorInfo (google/rpc/error_details.proto): its metadata are texts."""
    info: dict[str, object] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": code.upper(),
        "domain": "lensai",
    }
    if hit is not None:
        details = hit.details() | {"scope": ",".join(f"{name}={value}" for name, value in hit.scope.items())}
        info["metadata"] = {name: str(value) for name, value in details.items() if value is not None}
    return info
