"""Owns header rules: which headers end at this hop, which carry credentials, how heads are rebuilt.

Heads are rebuilt from parsed values, never copied, so what the provider parses is what was judged
here. Order and case of every other header are kept.
"""

from collections.abc import Iterable

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
# A Connection header may not nominate these away: they frame the message or pay for it.
_NEVER_NOMINATED = CREDENTIAL_SLOTS | {b"host", b"content-length", b"content-type", b"content-encoding"}
_REPLACED = HOP_BY_HOP | CREDENTIAL_SLOTS | {b"host", b"content-length", b"expect", b"accept-encoding"}

_NOTHING: frozenset[bytes] = frozenset()
_PLAIN_CONNECTION = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))

Header = tuple[bytes, bytes, bytes]


def nominated(connection: bytes) -> frozenset[bytes]:
    """Lower-case header names a Connection value declares hop-by-hop, less those it may not."""
    if connection in _PLAIN_CONNECTION:
        return _NOTHING
    return frozenset(token.strip().lower() for token in connection.split(b",")) - _NEVER_NOMINATED


def request_head(
    line: bytes,
    headers: Iterable[Header],
    *,
    host: bytes,
    credential: tuple[bytes, bytes] | None,
    extra: tuple[tuple[bytes, bytes], ...],
    body_bytes: int | None,
    identity_only: bool,
    connection: bytes = b"",
) -> bytes:
    """The head sent to the provider, from the request line to the empty line.

    `credential` (lower-case slot, value) takes the place of the caller's, or is added where the caller
    used no slot; None passes the caller's through. `body_bytes` None leaves content-length out.
    `identity_only` asks for an answer without content-encoding. `extra` wins over the caller's headers.
    """
    out = [line]
    dropped = nominated(connection) if connection else _NOTHING
    if extra:
        dropped |= {name.lower() for name, _ in extra}
    slot, secret = credential or (b"", b"")
    placed: set[bytes] = set()
    for lowered, name, value in headers:
        if lowered in _REPLACED:
            if lowered == b"host":
                value = host
            elif lowered in CREDENTIAL_SLOTS:
                if credential is not None:
                    if lowered != slot or slot in placed:
                        continue
                    value = secret
            elif lowered == b"accept-encoding":
                value = b"identity" if identity_only else value
            elif lowered == b"content-length" and body_bytes is not None:
                value = b"%d" % body_bytes
            else:
                continue
            placed.add(lowered)
        elif lowered in dropped or lowered.startswith(OWN_PREFIX):
            continue
        out += (name, b": ", value, b"\r\n")
    if b"host" not in placed:
        out.insert(1, b"host: " + host + b"\r\n")
    if slot and slot not in placed:
        out += (slot, b": ", secret, b"\r\n")
    for name, value in extra:
        out += (name, b": ", value, b"\r\n")
    if body_bytes is not None and b"content-length" not in placed:
        out.append(b"content-length: %d\r\n" % body_bytes)
    out.append(b"\r\n")
    return b"".join(out)


def response_head(
    line: bytes,
    headers: Iterable[Header],
    *,
    content_length: bool,
    chunked: bool,
    decoded: bool,
    extra: bytes,
    close: bool,
) -> bytes:
    """The head sent to the client, with our framing.

    `content_length` keeps the provider's; `chunked` adds our own transfer-encoding; `decoded` drops
    content-encoding because the body is sent decoded; `extra` is whole header lines of ours.
    """
    out = [line]
    dropped = _NOTHING
    for lowered, _, value in headers:
        if lowered == b"connection":
            dropped |= nominated(value)
    for lowered, name, value in headers:
        if lowered in HOP_BY_HOP or lowered in dropped:
            continue
        if (lowered == b"content-length" and not content_length) or (lowered == b"content-encoding" and decoded):
            continue
        out += (name, b": ", value, b"\r\n")
    out.append(extra)
    if chunked:
        out.append(b"transfer-encoding: chunked\r\n")
    if close:
        out.append(b"connection: close\r\n")
    out.append(b"\r\n")
    return b"".join(out)
