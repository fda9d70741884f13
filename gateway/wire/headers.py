"""Owns header rules: which headers end at this hop, which carry credentials, how heads are rebuilt.

Heads are framed anew: what this hop or the provider acts on is written from parsed values, so that both
sides read what was judged here. Order and case of every other header are kept.
"""

import re
from functools import lru_cache

from gateway.wire.http1 import Head, RequestReader, ResponseHead, ResponseReader

# RFC 9110 §7.6.1, with the historic Proxy-Connection; framing is always our own.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# Where the SDKs put a key: provider_facts §0.12, §3.
CREDENTIAL_SLOTS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))
# Ours: read and never forwarded.
OWN_PREFIX = b"x-lensai-"
# Servers let these replace the method, Google's APIs among them, and so what was judged here.
METHOD_OVERRIDES = frozenset((b"x-http-method-override", b"x-http-method", b"x-method-override"))
# Under these names providers send the id they know an answer by: provider_facts §3, §5; Kong's is Mistral's,
# and the last line Cohere's, Together's, DeepSeek's, Moonshot's and Z.AI's.
REQUEST_ID_HEADERS = (
    b"x-request-id", b"request-id", b"apim-request-id", b"x-amzn-requestid", b"x-kong-request-id", b"x-generation-id",
    b"x-debug-trace-id", b"x-together-traceid", b"x-ds-trace-id", b"msh-request-id", b"x-log-id",
)  # fmt: skip
# What Bedrock's InvokeModel is priced by, which its body does not say: in requests, and in answers (botocore 1.44.8).
BEDROCK_TIER = b"x-amzn-bedrock-service-tier"
BEDROCK_LATENCY = b"x-amzn-bedrock-performanceconfig-latency"
# What meters read of an answer's head: Bedrock's counts and tier, the Azure deployment that answered, and whether
# it did so in another's stead (provider_facts §1, §3, §4).
METERED_HEADERS = frozenset(
    (
        b"x-amzn-bedrock-input-token-count",
        b"x-amzn-bedrock-output-token-count",
        b"x-amzn-bedrock-cache-read-input-token-count",
        b"x-amzn-bedrock-cache-write-input-token-count",
        BEDROCK_TIER,
        BEDROCK_LATENCY,
        b"x-ms-deployment-name",
        b"x-ms-spillover-from-deployment",
    )
)

# What a WebSocket's handshake is judged by; the key is never the same twice, and a protocol's name may hold a secret.
_HANDSHAKE = frozenset(
    (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol", b"sec-websocket-extensions")
)
# And what is answered here.
_ENDS_HERE = HOP_BY_HOP | {b"expect"}
# A Connection header may not nominate these away: they frame the message or pay for it.
_NEVER_NOMINATED = CREDENTIAL_SLOTS | {b"host", b"content-length", b"content-type", b"content-encoding"}
_PLAIN_CONNECTION = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))
_FRAMING = re.compile(rb"(?i)(?:content-length|transfer-encoding|connection):")
# Stands for the digits of a content-length: no header line can hold it.
_LENGTH = b"\x00"
_NOTHING: frozenset[bytes] = frozenset()


def request_reader() -> RequestReader:
    """A reader of requests that marks what the gateway looks at, and keeps no line that holds a key."""
    looked_at = HOP_BY_HOP | CREDENTIAL_SLOTS | _HANDSHAKE
    looked_at |= {b"host", b"content-length", b"content-type", b"content-encoding", b"accept-encoding", b"expect"}
    looked_at |= {BEDROCK_TIER, BEDROCK_LATENCY}
    unkept = CREDENTIAL_SLOTS | _HANDSHAKE | {b"cookie", b"proxy-authorization"}
    return RequestReader(looked_at, OWN_PREFIX, unkept, METHOD_OVERRIDES)


def response_reader() -> ResponseReader:
    """A reader of responses."""
    looked_at = HOP_BY_HOP | METERED_HEADERS | {*REQUEST_ID_HEADERS, b"content-length", b"content-encoding"}
    looked_at |= {b"content-type"}
    return ResponseReader(looked_at, OWN_PREFIX, HOP_BY_HOP)


def nominated(head: Head | ResponseHead) -> frozenset[bytes]:
    """Lower-case names that Connection headers declare hop-by-hop, less those they may not."""
    connection = head.values.get(b"connection")
    if connection is None or connection in _PLAIN_CONNECTION:
        return _NOTHING
    return frozenset(token.strip().lower() for token in connection.split(b",")) - _NEVER_NOMINATED


def keeps_alive(head: Head | ResponseHead, *, http10: bool) -> bool:
    """Whether the sender of a head lets its connection be used again: RFC 9112 §9.3."""
    connection = head.values.get(b"connection")
    if connection is None:
        return not http10
    tokens = [token.strip() for token in connection.lower().split(b",")]
    return b"keep-alive" in tokens if http10 else b"close" not in tokens


def request_head(
    line: bytes,
    head: Head,
    *,
    host: bytes,
    credential: tuple[bytes, bytes] | None,
    extra: tuple[tuple[bytes, bytes], ...],
    has_body: bool,
    identity_only: bool,
    dropped_also: frozenset[bytes] = _NOTHING,
) -> tuple[bytes, bytes]:
    """The head sent to the provider, as what stands before and behind the digits of its content-length.

    Nothing stands behind where there is none: the caller sent none, and `has_body` says that none is needed.

    `credential` (lower-case slot, value) takes the place of the caller's, or is added where the caller
    used no slot; None passes the caller's through. `identity_only` asks for an answer without
    content-encoding. `extra` wins over the caller's headers; `dropped_also` of these are not sent.
    """
    slot, secret = credential or (b"", b"")
    replaced = {b"host": host, b"content-length": _LENGTH}
    dropped = _ENDS_HERE | nominated(head) | {name.lower() for name, _ in extra} | dropped_also
    if credential is not None:
        replaced[slot] = secret
        dropped |= CREDENTIAL_SLOTS - {slot}
    if identity_only:
        replaced[b"accept-encoding"] = b"identity"
    out = [line]
    placed: set[bytes] = set()
    for header in head.headers:
        lowered, text = header.lowered, header.line
        if lowered in dropped or lowered.startswith(OWN_PREFIX) or lowered in placed:
            continue
        if lowered in replaced:
            placed.add(lowered)
            text = b"%b: %b\r\n" % (header.name, replaced[lowered])
        out.append(text)
    if b"host" not in placed:
        out.insert(1, b"host: %b\r\n" % host)
    if slot and slot not in placed:
        out.append(b"%b: %b\r\n" % (slot, secret))
    out += [b"%b: %b\r\n" % (name, value) for name, value in extra]
    if has_body and b"content-length" not in placed:
        out.append(b"content-length: %b\r\n" % _LENGTH)
    out.append(b"\r\n")
    before, _, after = b"".join(out).partition(_LENGTH)
    return before, after


def response_head(line: bytes, head: ResponseHead, *, content_length: bool, decoded: bool, ours: bytes) -> bytes:
    """The head sent to the client.

    `content_length` keeps the provider's; `decoded` drops content-encoding, because the body is sent
    decoded; `ours` is whole header lines of the gateway's own, framing among them.
    """
    dropped = nominated(head) | head.ending
    if not content_length and b"content-length" in head.values:
        dropped |= {b"content-length"}
    if decoded:
        dropped |= {b"content-encoding"}
    lines = _lines_of(dropped).sub(b"", head.lines) if dropped else head.lines
    return b"".join((line, lines, ours, b"\r\n"))


def without_secret(head: ResponseHead, secret: bytes) -> ResponseHead:
    """The head less what holds the secret: whole header lines, and the reason phrase.

    Framing stays, because it was acted on. Call it where the secret stands in the head, which is hardly ever.
    """
    first, *lines = head.first.string.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if secret not in line or _FRAMING.match(line)]
    if secret in first:
        first = first[: len(b"HTTP/1.1 200")]
    return _WHOLE.response(b"\r\n".join((first, *kept, b"", b"")))


@lru_cache(maxsize=64)
def _lines_of(names: frozenset[bytes]) -> re.Pattern[bytes]:
    return re.compile(rb"(?im)^(?:" + b"|".join(map(re.escape, names)) + rb"):[^\r\n]*+\r\n")


_WHOLE = response_reader()
