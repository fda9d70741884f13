"""Owns the bytes of a request's body: inflated within limits, and taken apart into events. Knows no key.

A body is a JSON array, or JSON objects one a line; which of them, its first byte says. A batch is good as a whole or
refused as a whole, and then each bad event is named.
"""

import zlib
from collections.abc import Iterator

import msgspec

from control_plane.api.problems import FieldProblem, Problem
from control_plane.ingest.event import Event

# As sent, and inflated: a thousand events of a kilobyte, and four times that.
BODY_BYTES_MAX = 1 << 20
INFLATED_BYTES_MAX = 4 << 20
EVENTS_MAX = 1000
# Of a batch in which everything is wrong, the first hundred say it.
PROBLEMS_MAX = 100

_array = msgspec.json.Decoder(list[Event])
_line = msgspec.json.Decoder(Event)
_raw_array = msgspec.json.Decoder(list[msgspec.Raw])
_GZIP = 16 + zlib.MAX_WBITS
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def inflated(body: bytes, encoding: bytes) -> bytes:
    """The body without its content-encoding. Raises Problem 400, 413, 415."""
    if encoding in (b"", b"identity"):
        return body
    if encoding != b"gzip":
        raise Problem(415, "unsupported_media_type", "Send the body as it is, or with content-encoding: gzip")
    inflater = zlib.decompressobj(_GZIP)
    try:
        data = inflater.decompress(body, INFLATED_BYTES_MAX)
    except zlib.error:
        raise Problem(400, "invalid", "The body is not gzip, as its content-encoding says") from None
    if inflater.unconsumed_tail:
        raise too_large()
    if not inflater.eof or inflater.unused_data:
        raise Problem(400, "invalid", "The body's gzip stream ends early, or something stands behind it")
    return data


def decode(data: bytes) -> list[Event]:
    """The events of a body. Raises Problem 400, naming every bad event, and 413 for too many."""
    if len(data) > INFLATED_BYTES_MAX:
        raise too_large()
    data = data.strip()
    is_array = data.startswith(b"[")
    if not is_array and data.count(b"\n") >= EVENTS_MAX:
        raise _too_many()
    try:
        events = _array.decode(data) if is_array else _line.decode_lines(data)
    except _UNREADABLE:
        raise _named(_pieces(data) if is_array else data.split(b"\n")) from None
    if len(events) > EVENTS_MAX:
        raise _too_many()
    if not events:
        raise Problem(400, "invalid", "The batch is empty: send a JSON array of events, or one event a line")
    return events


def refused(problems: list[FieldProblem]) -> Problem:
    """The answer to a batch of which some events are wrong."""
    detail = "Nothing of the batch was stored; errors name the events that are wrong"
    return Problem(400, "invalid", detail, errors=tuple(problems[:PROBLEMS_MAX]))


def _pieces(data: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _raw_array.decode(data)]
    except _UNREADABLE as error:
        raise Problem(400, "invalid", f"The body is no JSON array: {error}") from None


def _named(pieces: list[bytes]) -> Problem:
    if len(pieces) > EVENTS_MAX:
        return _too_many()
    return refused(list(_problems(pieces)))


def _problems(pieces: list[bytes]) -> Iterator[FieldProblem]:
    index = 0
    for piece in pieces:
        if not piece.strip():
            continue  # an empty line is no event
        try:
            _line.decode(piece)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            yield FieldProblem(f"body/{index}{_pointer(path)}", message)
        except _UNREADABLE:
            yield FieldProblem(f"body/{index}", "is no JSON object")
        index += 1


def _pointer(path: str) -> str:
    """msgspec's path as this API's: `.tags[0]` is `/tags/0`."""
    return path.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")


def _too_many() -> Problem:
    return Problem(413, "content_too_large", f"The batch has more than {EVENTS_MAX} events; send fewer at a time")


def too_large() -> Problem:
    limits = f"{BODY_BYTES_MAX} bytes, or {INFLATED_BYTES_MAX} when it is inflated"
    return Problem(413, "content_too_large", f"The body has more than {limits}; send less at a time")
