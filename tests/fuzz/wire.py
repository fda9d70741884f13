"""Owns what gateway/wire promises of any bytes."""

import contextlib
import email.parser
import email.policy
import gzip
import json
import struct
import zlib
from typing import Any, get_args

import brotli
import zstandard

from gateway.endpoints import Body
from gateway.request import Request
from gateway.wire import eventstream, jsontext, multipart, splice, sse
from gateway.wire.encoding import DecodeFault, decode_request, decoder
from gateway.wire.headers import request_head, request_reader, response_head, response_reader
from gateway.wire.http1 import HEAD_END, ChunkedReader, Framing, Head, HttpFault, RepeatedHead, framing
from gateway.wire.peek import Malformed, Peek, peek
from gateway.wire.strictjson import read
from gateway.wire.websocket import FrameReader, Inflater, Message, WebSocketFault
from tests.support.plain_json import reads_alike

# Small, so that limits are met often.
BYTES_MAX = 64 * 1024
_seasoned = request_reader()


def cut(data: bytes, size: int) -> list[bytes]:
    """The data in pieces of that size; of one byte at least."""
    return [data[at : at + max(1, size)] for at in range(0, len(data), max(1, size))]


def _to_head_end(data: bytes) -> bytes:
    before, _, _ = data.partition(HEAD_END)
    return before + HEAD_END


def _read(head: bytes, reader: Any) -> Head | None:
    with contextlib.suppress(HttpFault):
        return reader.request(head)
    return None


def http1_requests(data: bytes) -> None:
    """A head is read alike by a reader that saw others, and what is forwarded of it is read again as the same."""
    wire = _to_head_end(data)
    head, again = _read(wire, request_reader()), _read(wire, _seasoned)
    assert (head and head[1:]) == (again and again[1:])
    if head is None:
        return
    with contextlib.suppress(HttpFault):
        request = Request.read(head, arrived_ns=0, started_ns=0)
        if not request.framing.chunked:
            assert RepeatedHead(wire).length(wire) == (request.framing.length or 0)
        _forwarded(head, request)


def _forwarded(head: Head, request: Request) -> None:
    line = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.target)
    options: dict[str, Any] = {"host": b"there", "extra": ((b"x-extra", b"1"),), "has_body": True}
    before, after = request_head(line, head, credential=(b"x-api-key", b"ours"), identity_only=True, **options)
    sent = _read(before + b"7" + after, request_reader())
    assert sent is not None
    assert framing(sent) == Framing(7, False)
    assert not sent.repeated & {b"host", b"content-length", b"x-api-key"}
    values = {header.lowered: header.value for header in sent.headers}
    assert (values[b"host"], values[b"x-api-key"]) == (b"there", b"ours")
    assert not {b"authorization", b"api-key", b"x-goog-api-key", b"transfer-encoding", b"connection"} & values.keys()


def http1_responses(data: bytes) -> None:
    """A head that passed is passed on as lines that pass again."""
    with contextlib.suppress(HttpFault):
        head = response_reader().response(_to_head_end(data))
        framing(head)
        ours = b"x-lensai-request-id: 1\r\n"
        sent = response_head(b"HTTP/1.1 200 OK\r\n", head, content_length=False, decoded=True, ours=ours)
        again = response_reader().response(sent)
        assert framing(again) == Framing(None, False)
        assert again.values[b"x-lensai-request-id"] == b"1"
        assert b"content-encoding" not in again.values


def _unchunked(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """Body and rest of a whole chunked body; None: it is malformed or not whole."""
    reader, out = ChunkedReader(), list[bytes]()
    for index, piece in enumerate(pieces):
        try:
            out += reader.feed(piece)
        except HttpFault:
            return None
        if reader.done:
            return b"".join(out), reader.rest + b"".join(pieces[index + 1 :])
    return None


def http1_chunked(data: bytes) -> None:
    """A chunked body is the same body however it is cut."""
    whole = _unchunked([data])
    for size in (1, data[0] if data else 1):
        assert _unchunked(cut(data, size)) == whole


def sse_events(data: bytes) -> None:
    """Events in any chunks join to what was sent, whatever the limit."""
    size, limit = (data[0], data[1]) if len(data) > 1 else (1, 1)
    for event_bytes_max in (limit, BYTES_MAX):
        splitter, out = sse.Splitter(event_bytes_max), list[bytes]()
        for piece in cut(data, size):
            unsplit, block = splitter.feed(piece)
            events = sse.split(block)
            assert b"".join(events) == block
            for event in events:
                sse.payload(event)
                sse.name(event)
            out += [unsplit, block]
        assert b"".join([*out, splitter.flush()]) == data


def jsontext_members(data: bytes) -> None:
    """The members of an object are those that a parser finds, and of any other text nothing is raised but NotJson."""
    with contextlib.suppress(jsontext.NotJson):
        found = jsontext.members(data)
        for member in found:
            assert 0 <= member.start < member.value <= member.end <= len(data)
        if reads_alike(data):
            spans = {member.key: json.loads(data[member.value : member.end]) for member in found}
            assert spans == json.loads(data)
    elements = jsontext.Elements(BYTES_MAX)
    whole = elements.feed(data)
    again = jsontext.Elements(BYTES_MAX)
    assert [element for byte in cut(data, 1) for element in again.feed(byte)] == whole


def splice_ask(data: bytes) -> None:
    """A body that asks for its usage says the same as before, and asks."""
    body = read(data)
    if isinstance(body, Malformed):
        return
    seen = peek("json", body)
    if isinstance(seen, Malformed):
        return
    before, after = json.loads(data), json.loads(splice.ask_for_usage(data, seen))
    options = before.get("stream_options")
    asked = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    assert after == {**before, "stream_options": asked}


def splice_strip(data: bytes) -> None:
    """What is taken out of an event is its usage and nothing else; an event that is left out had nothing else."""
    event = b"data: " + data.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"
    left = splice.strip_usage(splice.strip_nulls(event))
    text = sse.payload(event)
    if not reads_alike(text):
        return
    before = json.loads(text)
    if left is None:
        assert before["choices"] == []
        assert isinstance(before["usage"], dict)
        return
    after = json.loads(sse.payload(left))
    if after != before:
        taken = before.pop("usage")
        assert after == before
        assert taken is None or before["choices"] == []
    elif left != event:
        raise AssertionError("bytes were changed for nothing")


def strictjson_check(data: bytes) -> None:
    """A body passes exactly if the plain reading takes it."""
    found = read(data)
    assert isinstance(found, Malformed) != reads_alike(data)
    assert isinstance(found, Malformed) or found == json.loads(data)


def peek_body(data: bytes) -> None:
    """A glance at any object is a glance or says why not, and agrees with what it looked at."""
    document = read(data)
    if isinstance(document, Malformed):
        return
    for kind in get_args(Body):
        seen = peek(kind, document)
        if isinstance(seen, Peek) and kind == "json":
            assert (seen.model or None) == (document.get("model") or None)
            assert (seen.stream or False) == (document.get("stream") or False)


_FORM_TYPE = b"multipart/form-data; boundary=b"


def multipart_read(data: bytes) -> None:
    """A form that is read has the parts that Python's lenient reader of mail finds. The first line is its type."""
    content_type, _, body = data.partition(b"\n")
    multipart.read(content_type, body)
    form = multipart.read(_FORM_TYPE, body)
    if isinstance(form, Malformed):
        return
    for file in form.files:
        assert 0 <= file.start <= file.end <= len(body)
    lenient = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(
        b"content-type: " + _FORM_TYPE + b"\r\n\r\n" + body
    )
    parts = lenient.get_payload() if lenient.is_multipart() else []
    names = sorted(str(part.get_param("name", header="content-disposition")) for part in parts)  # type: ignore[union-attr]
    assert names == sorted(part.name for part in (*form.fields, *form.files))


_ENCODINGS = (b"gzip", b"deflate", b"br", b"zstd")


def encoding_decode(data: bytes) -> None:
    """What is decoded as a request is what the library's own reader makes of it, and so does the one for answers."""
    encoding, body = _ENCODINGS[data[0] % 4 if data else 0], data[2:]
    try:
        plain = decode_request(encoding, body, BYTES_MAX)
    except DecodeFault:
        plain = None
    stepwise = decoder(encoding, BYTES_MAX)
    assert stepwise is not None
    pieces: list[bytes] | None = []
    try:
        for piece in cut(body, data[1] if len(data) > 1 else 1):
            pieces.append(stepwise.feed(piece))
    except DecodeFault:
        pieces = None
    if plain is not None:
        assert _reference(encoding, body) == plain
        assert pieces is not None
        assert b"".join(pieces) == plain


def _reference(encoding: bytes, body: bytes) -> bytes:
    if encoding == b"gzip":
        return gzip.decompress(body)
    if encoding == b"br":
        return brotli.decompress(body)
    if encoding == b"zstd":
        reader = zstandard.ZstdDecompressor().decompressobj()
        plain = reader.decompress(body)
        assert reader.eof
        assert not reader.unused_data
        return plain
    try:
        return zlib.decompress(body)
    except zlib.error:
        return zlib.decompress(body, -zlib.MAX_WBITS)


def eventstream_frames(data: bytes) -> None:
    """Frames are the same in any chunks; the bytes are taken as they are, and as the inside of a frame."""
    middle = data[0] if data else 0
    sealed = _sealed(data[1 : middle + 1], data[middle + 1 :])
    for text in (data, sealed, sealed + sealed + data):
        for frame_bytes_max in (BYTES_MAX, 64):
            whole, bytewise = eventstream.Splitter(frame_bytes_max), eventstream.Splitter(frame_bytes_max)
            frames = whole.feed(text)
            assert [frame for byte in cut(text, 1) for frame in bytewise.feed(byte)] == frames
            assert (whole.malformed, whole.oversize) == (bytewise.malformed, bytewise.oversize)


def _sealed(headers: bytes, payload: bytes) -> bytes:
    """A frame of raw headers with the right lengths and checksums."""
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    unsigned = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return unsigned + struct.pack("!I", zlib.crc32(unsigned))


def websocket_frames(data: bytes) -> None:
    """Messages, and what ends them, are the same in any chunks; what comes out is a beginning of what came in."""
    choice, wire = data[0] if data else 0, data[1:]
    assert _session(choice, [wire]) == _session(choice, cut(wire, 1))


def _session(choice: int, chunks: list[bytes]) -> tuple[list[Message], int | None]:
    inflater = Inflater(keeps_context=bool(choice & 2), bytes_max=1000) if choice & 4 else None
    frames = FrameReader(masked=bool(choice & 1), message_bytes_max=1000, inflater=inflater)
    out, messages, code = b"", list[Message](), None
    try:
        for chunk in chunks:
            for piece in frames.feed(chunk):
                out += piece.data
                messages += [piece.message] if piece.message else []
    except WebSocketFault as fault:
        code = fault.code
    assert b"".join(chunks).startswith(out)
    return messages, code
