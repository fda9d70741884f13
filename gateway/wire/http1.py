"""Owns HTTP/1.1 framing: heads read strictly, bodies by length or in chunks. Sans-I/O; knows no clock.

Only what cannot be read in two ways passes, since a request read in two ways is how one caller's bytes
become another's request: no bare LF or CR, no folded line, no control byte, one Host, one length, one
spelling per path. Sources: RFC 9112 §2.2, §3.2, §5, §6, §7.1; why not llhttp: docs/decisions.
"""

import re
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

_NONE: frozenset[bytes] = frozenset()

HEAD_END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# A chunk's size line and all trailers together; no server or client in use sends more than a few bytes.
CHUNK_LINE_BYTES_MAX = 256
TRAILER_BYTES_MAX = 16 * 1024
# Header lines kept parsed, and the longest worth keeping: about 4 MB when full, and then it starts anew.
KNOWN_LINES_MAX = 4096
_KNOWN_LINE_BYTES_MAX = 256
# Forms of heads kept for one provider: answers, streams and refusals differ, and each that does not fit takes time.
KNOWN_FORMS_MAX = 4
# Of so many heads that fitted none, the last is learnt from: to compile its form takes as long as to read 100.
UNFITTED_HEADS_MAX = 32
# Providers' heads are of one or two kilobytes; to compile the form of the longest that is taken would take seconds.
FORM_BYTES_MAX = 8 * 1024

# The grammar: RFC 9110 §5.5, §5.6.2 and RFC 9112 §3, §4, §7.1, with no optional white space but around values.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VISIBLE = rb"[\x21-\x7e\x80-\xff]"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_LINE = re.compile(rb"(%b):[ \t]*((?:%b(?:%b%b)?)?)[ \t]*" % (_TOKEN, _VISIBLE, _TEXT, _VISIBLE))
_EXTENSION = rb';%b(?:=(?:%b|"[\t\x20!\x23-\x5b\x5d-\x7e]*"))?' % (_TOKEN, _TOKEN)
# Nine hex digits are 64 GiB: a longer size is an attempt at an overflow somewhere.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,9})(?:%b)*" % _EXTENSION)
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]+) HTTP/1\.([01])")
# Every spelling of the line that `framing` takes: one that it missed would make a body the next request.
_LENGTH_LINE = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n")
_STATUS_LINE = rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: (%b+))?\r\n" % _TEXT
_RESPONSE_HEAD = re.compile(_STATUS_LINE + rb"(?:%b+:%b+\r\n)*\r\n" % (_TOKEN, _TEXT))
_NAME = re.compile(rb"\r\n(%b+):" % _TOKEN)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_HOST = re.compile(rb"[A-Za-z0-9.\-_]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_SEGMENT = rb"(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%(?!00|2[eEfF]|5[cC]|25|[01][0-9a-fA-F]|7[fF])[0-9a-fA-F]{2})"
# No empty, "." or ".." segment, no encoded slash, dot, percent or control, no ";" parameters. Bedrock's models may be
# ARNs, in whose resource AWS's SDKs encode the slashes: there, and there alone, one is a part of the name.
_ARN = rb"(?<=/model/)arn(?::|%3A)(?:" + _SEGMENT + rb"|%2F)+"
_CANONICAL_PATH = re.compile(rb"/|(?:/(?!\.{1,2}(?:/|$))(?:" + _ARN + rb"|" + _SEGMENT + rb"+))+")
_QUERY = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]|]*")
# Parameters by which servers let a query replace the method or the headers that were judged here: Google's APIs
# ($httpMethod, $httpHeaders), Rails, Laravel and Symfony (_method), and headers' names taken from the query.
_OVERRIDE = re.compile(
    rb"(?i)(?:^|[&;?])(?:\$http(?:method|headers)|_method|x-http-method(?:-override)?|x-method-override)(?![a-z0-9_-])"
)


class HttpFault(Exception):
    """The bytes are no HTTP/1.1 that may pass; the message says why, without quoting them."""


class Header(NamedTuple):
    """One header line, parsed once."""

    lowered: bytes  # the name in lower case
    value: bytes
    line: bytes  # as it is forwarded: name as sent, ": ", value, CRLF
    special: bool  # one of the names the reader was asked to mark

    @property
    def name(self) -> bytes:
        return self.line[: len(self.lowered)]


class Head(NamedTuple):
    """A request's head.

    `values` holds the marked headers by lower-case name, those sent more than once joined by ", " as
    RFC 9110 §5.3 has it; `repeated` names these, for most may not be.
    """

    first: re.Match[bytes]
    headers: list[Header]
    values: dict[bytes, bytes]
    repeated: frozenset[bytes]


class ResponseHead(NamedTuple):
    """A response's head. `values` as in Head; `lines` are its header lines as they came, each with its CRLF."""

    first: re.Match[bytes]  # groups: minor version, status, reason or None, and maybe more
    values: dict[bytes, bytes]
    lines: bytes
    ending: frozenset[bytes]  # names in `values` that end at this hop


class _Form(NamedTuple):
    """The names of a response's header lines, in order and case, of which those looked at are there once each."""

    pattern: re.Pattern[bytes]  # of a head; groups as in ResponseHead.first, then a value for each of `looked_at`
    looked_at: list[bytes]  # in lower case
    ending: frozenset[bytes]


class ResponseReader:
    """Reads response heads of one provider: some of their lines are never the same twice, but their names are.

    So heads are matched with the forms of earlier ones, which check and take apart in one go; a head that fits none is
    read in thrice the time. `special` and `special_prefix` as for RequestReader; of these names those that begin so end
    at this hop, and those that are `ending`.
    """

    def __init__(self, special: frozenset[bytes], special_prefix: bytes, ending: frozenset[bytes]) -> None:
        self._special_prefix, self._ending = special_prefix, ending
        names = b"|".join(sorted(map(re.escape, special)))
        self._looked_at = re.compile(
            b"(?i)\r\n(" + names + b"|" + re.escape(special_prefix) + rb"[^:]*+):[ \t]*+([^\r\n]*+)"
        )
        self._forms: list[_Form] = []  # the one that fitted last stands first
        self._unfitted = 0

    def response(self, head: bytes) -> ResponseHead:
        """The head, its empty line included. Raises HttpFault."""
        for at, form in enumerate(self._forms):
            if first := form.pattern.fullmatch(head):
                if at:
                    self._forms.insert(0, self._forms.pop(at))
                values = dict(zip(form.looked_at, first.groups()[3:], strict=True))
                return ResponseHead(first, values, _lines(head), form.ending)
        return self._read(head)

    def _read(self, head: bytes) -> ResponseHead:
        first = _RESPONSE_HEAD.fullmatch(head)
        if first is None:
            raise HttpFault("the response head is malformed")
        values: dict[bytes, bytes] = {}
        found = self._looked_at.findall(head)
        for name, value in found:
            lowered, value = name.lower(), value.rstrip(b" \t")
            values[lowered] = b"%b, %b" % (values[lowered], value) if lowered in values else value
        ending = frozenset(name for name in values if name in self._ending or name.startswith(self._special_prefix))
        self._unfitted += 1
        if self._unfitted >= UNFITTED_HEADS_MAX and len(values) == len(found) and len(head) <= FORM_BYTES_MAX:
            self._unfitted = 0
            self._forms.insert(0, _form(head, values, ending))
            del self._forms[KNOWN_FORMS_MAX:]
        return ResponseHead(first, values, _lines(head), ending)


def _form(head: bytes, looked_at: Collection[bytes], ending: frozenset[bytes]) -> _Form:
    pattern = _STATUS_LINE
    names: list[bytes] = _NAME.findall(head)
    for name in names:
        # A value with blanks behind it does not fit: they are no part of it.
        value = rb"[ \t]*+(%b+)(?<![ \t])" % _TEXT if name.lower() in looked_at else _TEXT + b"+"
        pattern += re.escape(name) + b":" + value + rb"\r\n"
    return _Form(re.compile(pattern + rb"\r\n"), [name.lower() for name in names if name.lower() in looked_at], ending)


def _lines(head: bytes) -> bytes:
    return head[head.index(b"\r\n") + 2 : -2]


class RequestReader:
    """Reads request heads. Nearly every header line was seen before, byte for byte, so parsed lines are kept.

    `special` are the lower-case names (and `special_prefix` the prefix of names) that somebody will look
    at. Lines of `unkept` names hold secrets or are never the same twice, and are parsed each time. Names that
    are `refused`, and those that CGI and WSGI take for a special one, since they know no hyphen, raise HttpFault.
    """

    def __init__(
        self, special: frozenset[bytes], special_prefix: bytes, unkept: frozenset[bytes], refused: frozenset[bytes]
    ) -> None:
        self._special = special
        self._special_prefix = special_prefix
        self._unkept = unkept
        self._refused = refused
        self._known: dict[bytes, Header] = {}

    def request(self, head: bytes) -> Head:
        """A head, its empty line included. `first` groups: method, target, minor version. Raises HttpFault."""
        lines = head.split(b"\r\n")
        first = _REQUEST_LINE.fullmatch(lines[0])
        if first is None:
            raise HttpFault("the request line is malformed")
        known = self._known
        headers = [known.get(line) or self._learn(line) for line in lines[1:-2]]
        special = [header for header in headers if header.special]
        values = {header.lowered: header.value for header in special}
        if len(values) == len(special):
            return Head(first, headers, values, _NONE)
        counts = Counter(header.lowered for header in special)
        repeated = frozenset(name for name, count in counts.items() if count > 1)
        for name in repeated:
            values[name] = b", ".join(header.value for header in special if header.lowered == name)
        return Head(first, headers, values, repeated)

    def _learn(self, line: bytes) -> Header:
        found = _LINE.fullmatch(line)
        if found is None:
            raise HttpFault("a header line is malformed")
        name, value = found.groups()
        lowered = name.lower()
        hyphened = lowered.replace(b"_", b"-")
        special = hyphened in self._special or hyphened.startswith(self._special_prefix)
        if special and hyphened != lowered:
            raise HttpFault("a header's name has an underscore where this gateway acts on the one with a hyphen")
        if hyphened in self._refused:
            raise HttpFault("a header would replace the method that was judged")
        header = Header(lowered, value, b"%b: %b\r\n" % (name, value), special)
        if lowered not in self._unkept and len(line) <= _KNOWN_LINE_BYTES_MAX:
            if len(self._known) >= KNOWN_LINES_MAX:
                self._known.clear()
            self._known[line] = header
        return header


class RepeatedHead:
    """Recognises a head that differs from an earlier one in nothing but the digits of its content-length.

    On one connection an SDK sends such heads again and again, so that what was decided for one can hold
    for the next.
    """

    __slots__ = ("_after", "_before", "_bytes")

    def __init__(self, head: bytes) -> None:
        length = _LENGTH_LINE.search(head)
        at, end = length.span(1) if length else (len(head), len(head))
        self._before, self._after = head[:at], head[end:]
        self._bytes = len(self._before) + len(self._after)

    def length(self, head: bytes) -> int | None:
        """The content-length of a head like the earlier one, 0 if that has none; None for any other head."""
        if not (head.startswith(self._before) and head.endswith(self._after)):
            return None
        digits = head[len(self._before) : len(head) - len(self._after)]
        if not self._after:
            return None if digits else 0
        return int(digits) if _LENGTH.fullmatch(digits) and len(head) > self._bytes else None


class Framing(msgspec.Struct, frozen=True, gc=False):
    """How a body is delimited: by `length` bytes, in chunks, or (both unset) as the message kind says."""

    length: int | None
    chunked: bool


def framing(head: Head | ResponseHead) -> Framing:
    """The framing a head declares. Raises HttpFault for any contradiction."""
    length, encoding = head.values.get(b"content-length"), head.values.get(b"transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length):  # two of them are joined by a comma
        raise HttpFault("content-length must be one plain number")
    if encoding is not None and encoding.lower() != b"chunked":
        raise HttpFault("transfer-encoding must be chunked, once")
    if length is not None and encoding is not None:
        raise HttpFault("content-length and transfer-encoding exclude each other")
    return Framing(None if length is None else int(length), encoding is not None)


def check_target(target: bytes) -> None:
    """Raises HttpFault unless the target is in origin form and its path in the one canonical spelling."""
    path, _, query = target.partition(b"?")
    if not _CANONICAL_PATH.fullmatch(path):
        raise HttpFault("the target must be a path in its canonical form (no URL, //, dot segment, encoded / or %)")
    if query and not _QUERY.fullmatch(query):
        raise HttpFault("the query has characters that must be percent-encoded")
    if query and _OVERRIDE.search(unquote_to_bytes(query)):
        raise HttpFault("the query would replace the method or the headers that were judged")


def check_host(head: Head, *, http10: bool) -> None:
    """Raises HttpFault unless there is exactly one well-formed Host; HTTP/1.0 may leave it out."""
    host = head.values.get(b"host")
    if host is None:
        if not http10:
            raise HttpFault("exactly one host header is required")
    elif not _HOST.fullmatch(host):  # two of them are joined by a comma
        raise HttpFault("host must be one name or address, with a port or without")


class ChunkedReader:
    """Decodes one chunked body. Extensions and trailers are checked and dropped."""

    __slots__ = ("_held", "_left", "_trailer_left", "done", "rest")

    def __init__(self) -> None:
        self._held = b""
        self._left = _SIZE_NEXT
        self._trailer_left = TRAILER_BYTES_MAX
        self.done = False
        self.rest = b""  # what follows the body, once it is done

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of body in the data. Raises HttpFault, after which nothing may be fed."""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._left > 0:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left = self._left - len(piece) or _CRLF_NEXT
                if self._left == _CRLF_NEXT and data.startswith(b"\r\n", at):  # nearly always
                    self._left = _SIZE_NEXT
                    at += 2
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return pieces
            self._line(data[at:end])
            at = end + 2
        if self.done:
            self.rest = data[at:]
        return pieces

    def _line(self, line: bytes) -> None:
        if self._left == _CRLF_NEXT:
            if line:
                raise HttpFault("a chunk is longer than its size says")
            self._left = _SIZE_NEXT
        elif self._left == _SIZE_NEXT:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None or len(line) > CHUNK_LINE_BYTES_MAX:
                raise HttpFault("a chunk's size line is malformed")
            self._left = int(size[1], 16) or _TRAILER_NEXT
        elif not line:
            self.done = True
        else:
            self._trailer_left -= len(line)
            if self._trailer_left < 0 or not _LINE.fullmatch(line):
                raise HttpFault("a trailer is malformed or too long")

    def _hold(self, tail: bytes) -> None:
        longest = {_CRLF_NEXT: 1, _SIZE_NEXT: CHUNK_LINE_BYTES_MAX}.get(self._left, self._trailer_left)
        if len(tail) > longest + 1 or b"\n" in tail:
            raise HttpFault("a chunk's line does not end")
        self._held = tail


# What a chunked body holds next, where it is not `_left` more bytes of a chunk.
_SIZE_NEXT = 0
_CRLF_NEXT = -1
_TRAILER_NEXT = -2

# Reason phrases of the statuses the gateway itself answers with: RFC 9110 §15, RFC 6585.
REASONS = {
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
