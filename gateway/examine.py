"""Stage 3: what is asked. Request, Caller, Route -> Call | Refusal.

Owns what is read from a request body — model, stream, end user — and the one edit made to it: asking
a stream for its usage. Nothing in a body changes where the request goes or who pays for it.
"""

import msgspec

from gateway.contract.record import NAME_CHARS_MAX
from gateway.endpoints import Endpoint
from gateway.faults import Refusal
from gateway.identify import LABEL_CHARS_MAX, Caller
from gateway.providers import Provider
from gateway.request import Request
from gateway.route import Route
from gateway.wire import multipart, strictjson
from gateway.wire.encoding import DecodeFault, decode_request
from gateway.wire.headers import BEDROCK_LATENCY, BEDROCK_TIER
from gateway.wire.peek import Malformed, Peek, peek, peek_form
from gateway.wire.splice import ask_for_usage


class Call(msgspec.Struct, frozen=True, gc=False):
    """What one request asks of the model, and the body that is sent for it."""

    model: str  # as requested, in the body or in the path; "" where the endpoint has none
    stream: bool
    user_id: str
    body: bytes
    spliced: bool  # include_usage was added: what it causes is stripped from the stream
    text: bytes  # the body content-decoded, for an estimate
    end_user: str = ""  # whom the body names, whatever a header or the key says
    modifiers: tuple[tuple[str, str], ...] = ()  # of the price, as headers name them
    beside: tuple[str, ...] = ()  # models that may answer in its place, or work for it


# Each counts for quotas of its own. OpenRouter takes three, and others a model for a tool or two.
BESIDE_MAX = 32
# By the reader of an endpoint whose headers say what others' bodies do.
_MODIFIERS = {"bedrock.invoke": ((BEDROCK_TIER, "service_tier"), (BEDROCK_LATENCY, "latency"))}


def examine(request: Request, caller: Caller, route: Route, body_bytes_max: int) -> Call | Refusal:
    """The call a request makes, or why it cannot be made: 400 malformed, 403 not metered, 415 encoding."""
    endpoint = route.endpoint
    if not endpoint.reader or endpoint.body == "unread":
        if endpoint.begins and caller.key.models is not None:
            what = f"{endpoint.name} may name any model, and this key is limited to some"
            return Refusal("key_scope", f"{what}: send the requests one by one, or use a key without models")
        return Call(route.model_in_path, False, caller.user_id, request.body, False, b"")
    text = _decoded(request, body_bytes_max)
    if isinstance(text, Refusal):
        return text
    seen = _seen(endpoint, request.value(b"content-type"), text)
    if isinstance(seen, Malformed):
        return Refusal("malformed_body", seen.message)
    model = route.model_in_path or seen.model or ""
    beside = seen.beside
    if len(model) > NAME_CHARS_MAX or (beside and max(map(len, beside)) > NAME_CHARS_MAX):
        return Refusal("malformed_body", f"The model's name has more than {NAME_CHARS_MAX} characters")
    if len(beside) > BESIDE_MAX:
        return Refusal("malformed_body", f"The request names more than {BESIDE_MAX} models beside its own")
    if caller.key.models is not None:
        wrong = next((name for name in (model, *beside) if name not in caller.key.models), None)
        if wrong is not None:
            return Refusal("key_scope", f"This key may not use the model {wrong!r}")
    stream = _streams(endpoint, seen)
    end_user = _label(seen.end_user) if seen.end_user else ""
    user_id = caller.user_id or end_user
    provider = route.destination.provider
    spliced = (
        stream
        and caller.key.mode != "transparent"
        and endpoint.splice
        and provider.splice
        and not _asks_for_usage(seen, provider)
        and text is request.body
    )
    body = ask_for_usage(request.body, seen) if spliced else request.body
    modifiers = _modifiers(request, _MODIFIERS[endpoint.reader]) if endpoint.reader in _MODIFIERS else ()
    return Call(model, stream, user_id, body, spliced, text, end_user, modifiers, beside)


def _modifiers(request: Request, named: tuple[tuple[bytes, str], ...]) -> tuple[tuple[str, str], ...]:
    stated = ((name, request.value(header)) for header, name in named)
    return tuple((name, value.decode("latin-1")) for name, value in stated if value)


def _seen(endpoint: Endpoint, content_type: bytes | None, text: bytes) -> Peek | Malformed:
    """What is used of a body, which every reader of its format reads alike."""
    if endpoint.body == "form":
        form = multipart.read(content_type or b"", text)
        return form if isinstance(form, Malformed) else peek_form(form.value)
    wrong = strictjson.check_type(content_type)
    if wrong is not None:
        return wrong
    body = strictjson.read(text)
    return body if isinstance(body, Malformed) else peek(endpoint.body, body)


def _streams(endpoint: Endpoint, seen: Peek) -> bool:
    if endpoint.streams is not None:
        return endpoint.streams
    return endpoint.streams_unasked if seen.stream is None else seen.stream


def _asks_for_usage(seen: Peek, provider: Provider) -> bool:
    return bool(seen.include_usage) or (provider.bare_asks and seen.has_stream_options and seen.include_usage is None)


def _decoded(request: Request, body_bytes_max: int) -> bytes | Refusal:
    encoding = request.value(b"content-encoding")
    if encoding is None or encoding == b"identity":
        return request.body
    try:
        text = decode_request(encoding, request.body, body_bytes_max)
    except DecodeFault as fault:
        return Refusal("malformed_body", f"The body does not decode as its content-encoding says: {fault}")
    if text is None:
        return Refusal("unsupported_encoding", "Send the body plain, or with one of gzip, deflate, br, zstd")
    return text


def _label(user: str) -> str:
    """The provider's own field, cut to what an attribution header may hold."""
    shown = user if user.isprintable() else "".join(filter(str.isprintable, user))
    return shown[:LABEL_CHARS_MAX]
