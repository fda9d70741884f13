"""Owns the bytes of the benchmark's one conversation: a chat request as the openai package sends it, the answer as
OpenAI sends it. Knows no sockets; both ends and nginx's configuration are built from it.

Every content event carries the monotonic clock of the moment it was written, so that the receiver knows how
long it travelled. Upstream and load generator share one machine, hence one such clock.
"""

import json

# Ask the simulator for a stream's shape; a proxy forwards them like any header it does not know.
EVENTS_HEADER = "x-bench-events"
INTERVAL_HEADER = "x-bench-interval-us"

MODEL = "gpt-4o-mini"
_SYSTEM = (
    "You are a careful assistant of a support team. Answer in two or three plain sentences, name the page of the "
    "manual where it helps, never invent an order number, and say so when you do not know. Dates are ISO 8601, "
    "amounts carry their currency, and nothing a customer wrote is repeated word for word."
)
_QUESTION = (
    "A customer writes that the invoice of last month lists a plan they left in spring. They have two workspaces, one "
    "of them still active, and they were told that the change would show at the end of the billing period. Their "
    "administrator has since left, so nobody on their side can see the old workspace. What should I check first, and "
    "what may I promise them before the billing team has looked at it? Keep it friendly and short."
)
_REPLY = (
    "Check first which workspace the invoice belongs to: the active one keeps its plan until its own period ends. You "
    "may promise that nothing further is charged for the closed workspace, and that a correction follows within five "
    "working days (page 12). Access to the old one needs a request by its owner of record."
)

# As AsyncOpenAI 3.x on Linux sends them, in this order, between Host and Content-Length.
_SDK_HEADERS = (
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Connection", "keep-alive"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "AsyncOpenAI/Python 3.54.0"),
    ("x-stainless-lang", "python"),
    ("x-stainless-package-version", "3.54.0"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.11.7"),
    ("x-stainless-async", "async:asyncio"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
)

# What api.openai.com puts around an answer, in kind and in length; five of the lines are never the same twice.
_ANSWER_HEADERS = (
    "access-control-expose-headers: X-Request-ID",
    "openai-organization: lensai-bench",
    "openai-processing-ms: %(few)d",
    "openai-version: 2020-10-01",
    "x-envoy-upstream-service-time: %(few)d",
    "x-ratelimit-limit-requests: 10000",
    "x-ratelimit-limit-tokens: 10000000",
    "x-ratelimit-remaining-requests: 9999",
    "x-ratelimit-remaining-tokens: %(many)d",
    "x-ratelimit-reset-requests: 6ms",
    "x-ratelimit-reset-tokens: 0s",
    "x-request-id: req_%(number)032x",
    "strict-transport-security: max-age=31536000; includeSubDomains; preload",
    "cf-cache-status: DYNAMIC",
    "x-content-type-options: nosniff",
    "cf-ray: %(number)016x-FRA",
    'alt-svc: h3=":443"; ma=86400',
)
_ANSWER_FIELDS = "\r\n".join((*_ANSWER_HEADERS, "", ""))
# Bodies of different lengths, so that no two requests in a row have the same head.
REQUEST_VARIANTS = 16

_USAGE = {
    "prompt_tokens": 172,
    "completion_tokens": 52,
    "total_tokens": 224,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
_IDENTITY = {
    "id": "chatcmpl-CfLensBench0123456789abcdefgh",
    "created": 1763870000,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
_STAMP_DIGITS = 20
_STAMP_MARK = b'"content":" at '


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_MESSAGE: dict[str, object] = {"role": "assistant", "content": _REPLY, "refusal": None, "annotations": []}
_CHOICE = {"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}
ANSWER = _compact(_IDENTITY | {"object": "chat.completion", "choices": [_CHOICE], "usage": _USAGE})


def answer_fields(number: int) -> bytes:
    """The header lines of the n-th answer, and the empty line; its framing is the sender's."""
    varying = {"number": number, "few": 200 + number % 700, "many": 9_000_000 + number % 900_000}
    return (_ANSWER_FIELDS % varying).encode()


def _body(variant: int, *, stream: bool = False, ask_usage: bool = False, max_tokens: int = 256) -> bytes:
    question = _QUESTION + " Thank you very much!"[:variant]
    messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": question}]
    body: dict[str, object] = {"messages": messages, "model": MODEL, "max_tokens": max_tokens, "temperature": 0.2}
    if stream:
        body["stream"] = True
    if ask_usage:
        body["stream_options"] = {"include_usage": True}
    return _compact(body)


def _request(host: str, path: str, token: str, extra: tuple[tuple[str, str], ...], body: bytes) -> bytes:
    headers = (("Host", host), *_SDK_HEADERS, ("authorization", f"Bearer {token}"), *extra)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_request(host: str, path: str, token: str, variant: int = 0, *, max_tokens: int = 256) -> bytes:
    """One whole HTTP/1.1 request for an answer in one piece, head and ~0.9 KB of body."""
    return _request(host, path, token, (), _body(variant, max_tokens=max_tokens))


def stream_request(
    host: str, path: str, token: str, variant: int = 0, *, events: int, interval_us: int, ask_usage: bool
) -> bytes:
    """The same question as a stream of that many content events. `interval_us` 0: one event per loop turn."""
    extra = ((EVENTS_HEADER, str(events)), (INTERVAL_HEADER, str(interval_us)))
    return _request(host, path, token, extra, _body(variant, stream=True, ask_usage=ask_usage))


def _event(delta: dict[str, str], finish: str | None, *, nulls: bool) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = _IDENTITY | {"object": "chat.completion.chunk", "choices": [choice]}
    # With include_usage every chunk but the last has "usage":null (seen in recorded api.openai.com streams).
    return b"data: " + _compact(chunk | ({"usage": None} if nulls else {}) | {"obfuscation": "k3Jd0aPq"}) + b"\n\n"


class Stream:
    """The events of one kind of stream: with what `include_usage` causes, or without."""

    def __init__(self, *, with_usage: bool) -> None:
        stamped = _event({"content": " at " + "0" * _STAMP_DIGITS}, None, nulls=with_usage)
        start = stamped.index(_STAMP_MARK) + len(_STAMP_MARK)
        self._before, self._after = stamped[:start], stamped[start + _STAMP_DIGITS :]
        none: list[object] = []
        usage = _IDENTITY | {"object": "chat.completion.chunk", "choices": none, "usage": _USAGE}
        self.ending = (
            _event({}, "stop", nulls=with_usage)
            + (b"data: " + _compact(usage) + b"\n\n" if with_usage else b"")
            + b"data: [DONE]\n\n"
        )
        """Finish chunk, usage chunk if there is one, and `[DONE]`: OpenAI sends them in one piece."""

    def content(self, now_ns: int) -> bytes:
        """One content event that says when it was written."""
        return b"%b%020d%b" % (self._before, now_ns, self._after)


def stamp_ns(event: bytes) -> int | None:
    """When the event was written, by the clock of its writer; None for an event without content."""
    start = event.find(_STAMP_MARK)
    if start < 0:
        return None
    start += len(_STAMP_MARK)
    return int(event[start : start + _STAMP_DIGITS])
