"""Owns the bytes of requests: a strict HTTP/1.1 reader that keeps each head exactly as it came. Does no I/O.

It frames messages itself, so that it can say which bytes were which request; `httptools` checks and splits
the head. What two readers could frame differently is refused: an oracle must not be the lenient one.
"""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

# Twice what providers and proxies accept, so that a limit met in a test is never the sandbox's.
HEAD_BYTES_MAX = 128 * 1024
# The gateway's own default limit for a body is 64 MiB; everything it lets through fits.
BODY_BYTES_MAX = 65 * 1024 * 1024
# A chunk-size line is at most 16 hex digits; extensions, which nobody sends, get the rest.
CHUNK_LINE_BYTES_MAX = 256

# Two of these would leave it to the reader which one counts.
SINGLE_HEADERS = frozenset(("host", "authorization", "x-api-key", "api-key", "x-goog-api-key", "content-type"))


class BadRequest(Exception):
    """The client broke HTTP; the connection answers 400 and ends."""


class Request(msgspec.Struct, frozen=True):
    """One request. `head` is every byte up to and with the blank line; `headers` are joined by lower-case name."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    head: bytes
    body: bytes
    keep_alive: bool

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def raw_path(self) -> str:
        """The path as it was sent: an encoded slash is part of a segment."""
        return self.target.partition("?")[0]


class _Head:
    """What httptools calls back with: the target, the header pairs and whether the head is whole."""

    def __init__(self) -> None:
        self.url = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _parse_head(head: bytes) -> tuple[Request, list[tuple[bytes, bytes]]]:
    found = _Head()
    parser = httptools.HttpRequestParser(found)
    try:
        with suppress(httptools.HttpParserUpgrade):  # whoever answers decides; until then it is HTTP
            parser.feed_data(head)
        url = httptools.parse_url(found.url)
    except httptools.HttpParserError as error:
        raise BadRequest(str(error)) from error
    if not found.complete:
        raise BadRequest("the head does not end where its blank line is")
    headers = _headers(found.pairs)
    request = Request(
        method=parser.get_method().decode("ascii"),
        path=unquote((url.path or b"/").decode("latin-1")),
        query=dict(parse_qsl((url.query or b"").decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        head=head,
        body=b"",
        keep_alive=_keeps_alive(parser.get_http_version(), headers.get("connection", "")),
    )
    return request, found.pairs


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(" \t")
        if name in headers and name in SINGLE_HEADERS:
            raise BadRequest(f"{name} was sent twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _keeps_alive(version: str, connection: str) -> bool:
    """Whether the client wants the connection for more (RFC 9112 §9.3)."""
    options = {option.strip().lower() for option in connection.split(",")}
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def _body_length(pairs: list[tuple[bytes, bytes]]) -> int | None:
    """Bytes of body that follow the head; None: it is chunked."""
    lengths = [value for name, value in pairs if name.lower() == b"content-length"]
    codings = [value.strip().lower() for name, value in pairs if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or codings != [b"chunked"]:
            raise BadRequest("transfer-encoding must be chunked, alone, and without content-length")
        return None
    if len(lengths) > 1 or not all(value.isdigit() for value in lengths):
        raise BadRequest("content-length must be one number")
    length = int(lengths[0]) if lengths else 0
    if length > BODY_BYTES_MAX:
        raise BadRequest("body too large")
    return length


class RequestReader:
    """Bytes in, whole requests out, in order. After BadRequest it must not be fed again."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body_left: int | None = 0
        self._chunks = bytearray()

    def feed(self, data: bytes) -> Iterator[Request]:
        """Every request completed by these bytes. Raises BadRequest after those that came before the fault."""
        self._buffer += data
        while True:
            if self._request is None and not self._read_head():
                return
            body = self._read_chunked() if self._body_left is None else self._read_counted(self._body_left)
            if body is None:
                return
            assert self._request is not None
            request, self._request = self._request, None
            yield msgspec.structs.replace(request, body=body)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end > HEAD_BYTES_MAX or (end < 0 and len(self._buffer) > HEAD_BYTES_MAX):
            raise BadRequest("head too large")
        if end < 0:
            return False
        self._request, pairs = _parse_head(self._take(end + 4))
        self._body_left = _body_length(pairs)
        return True

    def _read_counted(self, length: int) -> bytes | None:
        return self._take(length) if len(self._buffer) >= length else None

    def _read_chunked(self) -> bytes | None:
        """The whole body once its last chunk is here. Trailers are refused: no client sends them to a provider."""
        while True:
            line_end = self._buffer.find(b"\r\n", 0, CHUNK_LINE_BYTES_MAX)
            if line_end < 0:
                if len(self._buffer) >= CHUNK_LINE_BYTES_MAX:
                    raise BadRequest("chunk-size line too long")
                return None
            size = _chunk_size(bytes(self._buffer[:line_end]))
            if len(self._chunks) + size > BODY_BYTES_MAX:
                raise BadRequest("body too large")
            if len(self._buffer) < line_end + 2 + size + 2:
                return None
            chunk = self._take(line_end + 2 + size + 2)
            if not chunk.endswith(b"\r\n"):
                raise BadRequest("a chunk does not end where its size says")
            if size == 0:
                body, self._chunks = bytes(self._chunks), bytearray()
                return body
            self._chunks += chunk[line_end + 2 : -2]

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise BadRequest("a chunk size is not a hexadecimal number")
    return int(digits, 16)
