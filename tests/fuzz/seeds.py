"""Owns the inputs that fuzzing starts from: made by code, out of what the tests have."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import zstandard

from gateway.contract.policy import encode_policy
from gateway.metering.meter import READERS
from gateway.policy_toml import compile_policy
from gateway.wire.eventstream import encode
from gateway.wire.websocket import encode_close, encode_text
from tests.support.data_plane import answer, call, chunk, policy, stream_head, upstreams_at
from tests.support.sandbox_calls import ask, new_sandbox

_VECTORS = Path(__file__).parents[1] / "golden" / "http_framing_vectors.json"
_HELLO = [{"role": "user", "content": "Grüße 🚢"}]
_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
_DOCUMENTS: tuple[Any, ...] = (
    {"model": "gpt-4o", "messages": _HELLO, "stream": True, "stream_options": {"include_usage": False}, "n": 2},
    {"model": "claude", "max_tokens": 10, "metadata": {"user_id": "u"}, "stop_sequences": ["\n"], "temperature": 0.5},
    {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 10, "candidateCount": 1}},
    {"a": [[], {}, [[{"b": None}]], True, -0.0, 1e-5, 2**63, '\u2028\x7f\\"/']},
    {"stream_options": None, "stream": True},
    {},
)
_TEXTS = (
    b'{"model":"a","mod\\u0065l":"b"}',
    b'{"a":1e999,"b":18446744073709551616,"c":NaN}',
    b'{"a":"\\ud83d\\udea2","b":"\\ud83d"}',
    b'\xef\xbb\xbf{"a":1}',
    b'{"a":' + b"[" * 130 + b"]" * 130 + b"}",
    b'[{"a":1},{"b":"]"}]',
)
# What each reader's answers look like: the sandbox's path and the document it is asked with.
_ASKED: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "openai.chat": tuple(
        ("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": _HELLO, "max_tokens": 3, **more})
        for more in ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}})
    ),
    "openai.completions": (
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "hi", "max_tokens": 3, "stream": True}),
    ),
    "openai.responses": tuple(
        ("/v1/responses", {"model": "gpt-4o-mini", "input": "hi", "max_output_tokens": 16, "stream": stream})
        for stream in (False, True)
    ),
    "openai.embeddings": (("/v1/embeddings", {"model": "text-embedding-3-small", "input": "hi", "dimensions": 4}),),
    "anthropic.messages": tuple(
        ("/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 3, "messages": _HELLO, "stream": stream})
        for stream in (False, True)
    ),
    "gemini.generate": tuple(
        (
            f"/v1beta/models/gemini-2.5-flash:{verb}",
            {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 3}},
        )
        for verb in ("generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse")
    ),
    "gemini.embeddings": (
        (
            "/v1beta/models/gemini-embedding-2:embedContent",
            {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 4},
        ),
    ),
}


def requests() -> Iterator[bytes]:
    for vector in json.loads(_VECTORS.read_text())["vectors"]:
        yield vector["raw"].replace("@@HOST@@", "gateway:8080").encode("latin-1")
    lines = (
        b"connection: keep-alive, x-y",
        b"x-y: 1",
        b"accept-encoding: gzip, br",
        b"x-lensai-user: u",
        b"api-key: k",
    )
    yield call("/openai/v1/chat/completions?a=1&b=%20", b"{}", *lines)


def responses() -> Iterator[bytes]:
    yield answer(b"{}", b"content-type: application/json", b"x-request-id: r", b"content-encoding: gzip")
    yield stream_head(b"connection: close", b"keep-alive: timeout=5", b"x-lensai-a: b", b"set-cookie: a=b; c")
    yield b"HTTP/1.0 204\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Length: 2\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked() -> Iterator[bytes]:
    yield chunk(b"hello") + chunk(b" world" * 5) + chunk(b"") + b"GET / HTTP/1.1"
    yield b'5;a=b;c="d"\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n'
    yield b"FFFFFFFFF\r\nhello\r\n"
    yield b"\x0a1\r\na\r\n0\r\n\r\n"


def json_texts() -> Iterator[bytes]:
    for document in _DOCUMENTS:
        yield json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        yield json.dumps(document, indent=1).encode()
    yield from _TEXTS


def _asked(sandbox: Any, path: str, document: dict[str, Any]) -> bytes:
    told = ask(sandbox, path, document, anthropic_version="2023-06-01")
    assert told.status == 200, told.body
    return told.body


def streams() -> Iterator[bytes]:
    sandbox = new_sandbox()
    for asked in _ASKED.values():
        for path, document in asked:
            yield _asked(sandbox, path, document)
    yield b"event: a\r\ndata: 1\r\ndata: 2\r\n\r\n: comment\n\ndata\n\nid: 7\r\rdata: 3\r\r\xef\xbb\xbfdata: 4\n\r\n"


def chunks() -> Iterator[bytes]:
    """Single events of chat streams, with what asking for usage adds to them."""
    choices = [{"index": 0, "delta": {"content": 'say "usage":null, {"'}, "finish_reason": None}]
    for document in (
        {"id": "c", "choices": choices, "usage": None},
        {"usage": None, "choices": choices},
        {"id": "c", "choices": [], "usage": _USAGE},
        {"id": "c", "choices": [], "usage": _USAGE, "moderation": {}},
        {"id": "c", "choices": choices, "usage": _USAGE, "x": {"usage": None, "y": [{"usage": None}]}},
    ):
        yield json.dumps(document, separators=(",", ":")).encode()
        yield json.dumps(document).encode()


def forms() -> Iterator[bytes]:
    parts = (
        b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1',
        b'Content-Disposition: form-data; name="a[]"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF',
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=n\r\n\r\n2",
        b"Content-Disposition: form-data; name=f; filename=a; filename*=utf-8''a\r\nContent-Length: 1\r\n\r\nx",
    )
    for count in range(len(parts) + 1):
        body = b"".join(b"--b\r\n%b\r\n" % part for part in parts[:count])
        yield b'Multipart/form-data; boundary="b"\n' + body + b"--b--\r\n"
    yield b"multipart/form-data; boundary=b\n--b\r\n" + parts[0] + b"\n--b\n" + parts[0] + b"\r\n--b--"


def packed() -> Iterator[bytes]:
    """Two bytes choose the encoding and the size of pieces."""
    plain = b'{"model":"gpt-4o"}' * 20
    bodies = (gzip.compress(plain), zlib.compress(plain), brotli.compress(plain), zstandard.compress(plain))
    for encoding, body in enumerate(bodies):
        yield bytes((encoding, 7)) + body
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    yield b"\x01\x03" + squeezer.compress(plain) + squeezer.flush()
    yield b"\x00\x05" + gzip.compress(b"one") + gzip.compress(b"two")
    yield b"\x03\x09" + zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(plain)
    yield b"\x00\x00" + gzip.compress(bytes(200_000))


def answers() -> Iterator[bytes]:
    """Three bytes choose the reader, the provider and the size of pieces."""
    from tests.unit.gateway.metering.test_meter import STREAMS  # which has one of every framing

    readers, sandbox = list(READERS), new_sandbox()
    for index, reader in enumerate(readers):
        for path, document in _ASKED.get(reader, ()):
            yield bytes((index, 0, 64)) + _asked(sandbox, path, document)
        yield bytes((index, 1, 1)) + b'{"error":{"message":"no","type":"invalid_request_error"}}'
    for reader, _, stream, *_ in STREAMS:
        yield bytes((readers.index(reader), 2, 30)) + stream
    for event in chunks():
        yield b"\x00\x00\x07data: " + event + b"\n\ndata: [DONE]\n\n"


def frames() -> Iterator[bytes]:
    """A byte says how much of what follows are a frame's headers."""
    headers = {":event-type": "chunk", ":content-type": "application/json"}
    whole = encode(headers, b'{"bytes":"e30="}')
    yield whole + encode({}, b"")
    yield bytes((len(whole) - 32,)) + whole[12:]
    yield b"\x09\x03abc\x04\x00\x00\x00\x01payload"


def socket_frames() -> Iterator[bytes]:
    """A byte says which end sends, and whether it may compress."""
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = (squeezer.compress(b'{"type":"ping"}' * 5) + squeezer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(
        b"\0\0\xff\xff"
    )
    yield b"\x00" + encode_text(b'{"type":"response.done"}') + encode_close(1000, "bye")
    yield b"\x01" + encode_text("zwölf".encode(), b"abcd") + encode_close(1001, mask=b"efgh")
    yield b"\x00\x01\x03one\x89\x01p\x80\x03two" + encode_text(b"x" * 300)
    yield b"\x06" + b"%c%c" % (0xC1, len(packed)) + packed


def socket_messages() -> Iterator[bytes]:
    response = {"id": "r", "model": "gpt-realtime", "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}}
    messages = (
        {"type": "session.created", "session": {"id": "s", "model": "gpt-realtime"}},
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.done", "response": response},
    )
    yield b"\n".join(json.dumps(message).encode() for message in messages)


def policies() -> Iterator[bytes]:
    more = '[[price_overrides]]\nupstream = "*"\nmodel = "m"\nrates = { input_text = "0.5" }\n'
    key = 'models = ["gpt-4o"]\ntags = ["a"]\nexpires_at = 2030-01-01T00:00:00Z\nmode = "transparent"'
    yield policy(upstreams_at(9, "openai", "azure"), key).encode()
    yield (
        policy('[upstreams.eu]\nprovider = "openai"\nheaders = { x-a = "b" }\ncredential_id = "c"\n') + more
    ).encode()
    yield more.encode()
    yield b"[settings]\nlisten_port = 1\n[projects.a]\n[projects.a]\n"


def packed_policies() -> Iterator[bytes]:
    for text in policies():
        try:
            yield encode_policy(compile_policy(text.decode(), {"OPENAI_API_KEY": "sk"}, source="seed"))
        except ValueError:
            continue
