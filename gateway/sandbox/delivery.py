"""Owns how an answer leaves: framing, content-encoding, delays, cuts and stalls, as frames. Does no I/O."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import Literal, NamedTuple, Protocol

import brotli  # pyright: ignore[reportMissingTypeStubs]

from gateway.sandbox.call import Answer
from gateway.sandbox.controls import Controls

Headers = Iterable[tuple[str, str]]

_LAST_CHUNK = b"0\r\n\r\n"


class Frame(NamedTuple):
    """Bytes for the wire and the tokens the model wrote for them. `end` is on an answer's last frame alone."""

    data: bytes
    wait_ms: int | None = None  # 0 waits for the event loop's next turn, None for nothing
    output: int = 0
    reasoning: int = 0
    end: Literal["", "keep", "close", "cut", "stall", "upgrade"] = ""


_Kind = Literal["cut", "stall", "error"]


class Trouble(NamedTuple):
    after_chunks: int
    kind: _Kind


class _Coder(Protocol):
    """A content-encoding. All that went in can be decoded from what came out: nothing is held back."""

    def encode(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Identity:
    def encode(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._coder = zlib.compressobj(wbits=window_bits)

    def encode(self, data: bytes) -> bytes:
        return self._coder.compress(data) + self._coder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._coder.flush()


class _BrotliCompressor(Protocol):
    """The typed part of the untyped library that is used here."""

    def process(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...

    def finish(self) -> bytes: ...


class _Brotli:
    def __init__(self) -> None:
        self._coder: _BrotliCompressor = brotli.Compressor()  # pyright: ignore[reportUnknownMemberType]

    def encode(self, data: bytes) -> bytes:
        return self._coder.process(data) + self._coder.flush()

    def finish(self) -> bytes:
        return self._coder.finish()


# 31 is zlib's window with a gzip header, 15 with zlib's own; HTTP's "deflate" is the latter (RFC 9110 §8.4.1.2).
_CODERS: dict[str, Callable[[], _Coder]] = {
    "identity": _Identity,
    "gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(15),
    "br": _Brotli,
}


def frames(answer: Answer, controls: Controls, headers: Headers, keep_alive: bool) -> Iterator[Frame]:
    """Everything to send for one answer, in order: at least one frame."""
    framing = controls.framing if controls.framing != "auto" else "chunked" if answer.stream else "length"
    keep = keep_alive and framing != "close" and controls.close != "announced"
    if framing == "length":
        sent = _counted(answer, controls, headers, keep)
    else:
        sent = _running(answer, controls, headers, keep, chunked=framing == "chunked")
    wait_ms = controls.delay_ms
    for frame in sent:
        closes = frame.end == "keep" and (controls.close == "silent" or not keep)
        timed = frame._replace(wait_ms=wait_ms or None, end="close" if closes else frame.end)
        yield from sliced(timed, controls.write_bytes) if controls.write_bytes else (timed,)
        wait_ms = controls.chunk_delay_ms


def switching(answer: Answer, controls: Controls, headers: Headers) -> Frame:
    """The head after which the connection is no longer HTTP."""
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}", "upgrade: websocket", "connection: Upgrade"]
    lines += [f"{name}: {value}" for name, value in chain(headers, answer.headers)]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return Frame(head, controls.delay_ms or None, end="upgrade")


def sliced(frame: Frame, write_bytes: int) -> Iterator[Frame]:
    """The frame in writes of so many bytes, each in a turn of its own; all its tokens come with the first."""
    for start in range(0, max(len(frame.data), 1), write_bytes):
        data = frame.data[start : start + write_bytes]
        last = start + write_bytes >= len(frame.data)
        yield frame._replace(data=data, end=frame.end if last else "")
        frame = frame._replace(wait_ms=0, output=0, reasoning=0)


def _counted(answer: Answer, controls: Controls, headers: Headers, keep: bool) -> Iterator[Frame]:
    """The body after its length. A cut after no chunk sends the head alone, after any other half of the body."""
    coder = _CODERS[controls.encoding]()
    pieces = tuple(answer.pieces)
    body = coder.encode(b"".join(piece.data for piece in pieces)) + coder.finish()
    head = _head(answer, controls, headers, f"content-length: {len(body)}", keep)
    trouble = trouble_of(controls)
    output, reasoning = sum(piece.output for piece in pieces), sum(piece.reasoning for piece in pieces)
    if trouble is None or trouble.kind == "error":
        yield Frame(head + body, None, output, reasoning, "keep")
    else:
        sent = body[: len(body) // 2] if trouble.after_chunks else b""
        yield Frame(head + sent, None, output, reasoning, trouble.kind)


def _running(answer: Answer, controls: Controls, headers: Headers, keep: bool, chunked: bool) -> Iterator[Frame]:
    """Piece by piece: as chunks, or bare until the connection closes. The head leaves with the first of them."""
    coder = _CODERS[controls.encoding]()
    wrap = _chunk if chunked else _bare
    head = _head(answer, controls, headers, "transfer-encoding: chunked" if chunked else "", keep)
    trouble = trouble_of(controls)
    last = b""
    for count, piece in enumerate(chain(answer.pieces, (None,))):
        if trouble and trouble.after_chunks == count:
            if trouble.kind != "error":
                yield Frame(head, end=trouble.kind)  # an empty one, unless no piece came before
                return
            last = answer.error_event
            break
        if piece is None:
            break
        yield Frame(head + wrap(coder.encode(piece.data)), None, piece.output, piece.reasoning)
        head = b""
    yield Frame(head + wrap(coder.encode(last) + coder.finish()) + (_LAST_CHUNK if chunked else b""), end="keep")


def trouble_of(controls: Controls) -> Trouble | None:
    """What was ordered to go wrong; the earliest, if several."""
    ordered: tuple[tuple[int | None, _Kind], ...] = (
        (controls.cut_after_chunks, "cut"),
        (controls.stall_after_chunks, "stall"),
        (controls.error_after_chunks, "error"),
    )
    return min((Trouble(after, kind) for after, kind in ordered if after is not None), default=None)


def _bare(data: bytes) -> bytes:
    return data


def _chunk(data: bytes) -> bytes:
    """One chunk; no bytes make none, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _head(answer: Answer, controls: Controls, headers: Headers, framing: str, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}", f"content-type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in chain(headers, answer.headers)]
    if controls.encoding != "identity":
        lines.append(f"content-encoding: {controls.encoding}")
    if framing:
        lines.append(framing)
    if not keep:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
