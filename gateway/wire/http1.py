"""Owns the strictness httptools leaves to its caller: what a head may look like before and after parsing.

llhttp accepts some heads that two servers may read differently (a bare LF, a folded line); here they
are refused, because a request read in two ways is how one caller's bytes become another's request.
Sources: RFC 9112 §2.2, §3.2, §5.2, §6.1, §6.3.
"""

import re
from collections.abc import Iterable

from gateway.wire.headers import Header

HEAD_END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
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

_SEGMENT = rb"(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%(?!00|2[eEfF]|5[cC]|25|[01][0-9a-fA-F]|7[fF])[0-9a-fA-F]{2})"
# One spelling per path: no empty, "." or ".." segment, no encoded slash, dot or percent, no ";" parameters.
_CANONICAL_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))" + _SEGMENT + rb"+)+")
_QUERY = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]|]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HOST = re.compile(rb"[A-Za-z0-9.\-_]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def head_fault(head: bytes) -> str:
    """What is wrong with the raw bytes of a head, its empty line included; "" if nothing is."""
    lines = head.count(b"\r\n")
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        return "a line of the head ends in a bare CR or LF"
    if b"\x00" in head:
        return "the head has a NUL byte"
    if b"\r\n " in head or b"\r\n\t" in head:
        return "a header is folded over two lines"
    return ""


def target_fault(target: bytes) -> str:
    """What is wrong with a request target; only origin-form with one canonical spelling passes."""
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/"):
        return "the request target must be a path, not an absolute URL"
    if not _CANONICAL_PATH.fullmatch(path):
        return "the path is not in its canonical form (no //, no dot segments, no encoded / or %, no trailing /)"
    return "" if _QUERY.fullmatch(query) else "the query has characters that must be percent-encoded"


def framing_fault(headers: Iterable[Header], *, http10: bool) -> str:
    """What is wrong with Host, Content-Length and Transfer-Encoding taken together; "" if nothing is."""
    hosts = lengths = encodings = 0
    for lowered, _, value in headers:
        if lowered == b"content-length":
            lengths += 1
            if not _LENGTH.fullmatch(value):
                return "content-length is not a plain number"
        elif lowered == b"host":
            hosts += 1
            if not _HOST.fullmatch(value):
                return "host is not a name or address with an optional port"
        elif lowered == b"transfer-encoding":
            encodings += 1
            if value.lower() != b"chunked" or http10:
                return "transfer-encoding must be chunked, in HTTP/1.1"
    if lengths > 1 or encodings > 1:
        return "content-length or transfer-encoding is given twice"
    if lengths and encodings:
        return "content-length and transfer-encoding exclude each other"
    if hosts != 1 and not (http10 and hosts == 0):
        return "exactly one host header is required"
    return ""


def content_length(headers: Iterable[Header]) -> int | None:
    """The declared body length in bytes of a head that `framing_fault` passed; None where there is none."""
    for lowered, _, value in headers:
        if lowered == b"content-length":
            return int(value)
    return None
