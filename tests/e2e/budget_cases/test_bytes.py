"""Cases 59 to 69: bytes that no two readers read alike. Nothing is held for them, nothing sent, nothing charged.

What the answers are in detail is in tests/integration/test_security_cases.py, test_hostile_bodies.py and
tests/golden/test_http_framing.py; here each meets a hard budget.
"""

import gzip
import json

import pytest

from tests.e2e.budget_cases.rows import CHAT, HI, chat
from tests.e2e.budget_cases.stage import before_provider, quota, usage_told
from tests.support.data_plane import HEAD_END, TOKEN, call

KEY = b"authorization: Bearer " + TOKEN.encode()
BODY = json.dumps(chat(max_tokens=5)).encode()


def raw(first: bytes, *lines: bytes, body: bytes = BODY, sized: bool = True) -> bytes:
    length = (b"content-length: %d" % len(body),) if sized else ()
    return b"\r\n".join((first, b"host: gateway", *length, *lines)) + HEAD_END + body


def posted(path: str, *lines: bytes) -> bytes:
    return raw(b"POST %b HTTP/1.1" % path.encode(), KEY, *lines)


def sent(body: bytes, *lines: bytes) -> bytes:
    return call(CHAT, body, *lines)


def with_member(text: str) -> bytes:
    return sent(b'{"model":"gpt-4o-mini","max_tokens":5,"messages":[],%b}' % text.encode())


FORM = b"\r\n".join(
    (
        b"--b",
        b'content-disposition: form-data; name="model"',
        b"",
        b"whisper-1",
        b"--b",
        b'content-disposition: form-data; name="model"',
        b"",
        b"gpt-4o-transcribe",
        b"--b",
        b'content-disposition: form-data; name="file"; filename="a.wav"',
        b"",
        b"RIFF",
        b"--b--",
        b"",
    )
)
STREAMED = b"5\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n"

ROWS = {
    **{
        f"59-{path}": posted(path)
        for path in (
            "//openai/v1/chat/completions",
            "/openai/v1/../v1/chat/completions",
            "/openai/v1/%2e%2e/v1/chat/completions",
            "/openai/v1%2Fchat/completions",
            "/openai/v1/%252e/chat/completions",
            "/openai/v1/chat/completions;x",
            "/openai/v1\\chat/completions",
            "/openai/v1/chat/completions/",
            "/openai/V1/Chat/Completions",
        )
    },
    "60-stacked": sent(gzip.compress(gzip.compress(BODY)), b"content-encoding: gzip, gzip"),
    "60-unknown": sent(BODY, b"content-encoding: rot13"),
    "60-no-gzip": sent(BODY, b"content-encoding: gzip"),
    "60-bomb": sent(gzip.compress(b" " * 80_000_000), b"content-encoding: gzip"),
    "61-chunked-no-json": raw(
        b"POST %b HTTP/1.1" % CHAT.encode(), KEY, b"transfer-encoding: chunked", body=STREAMED, sized=False
    ),
    "62-twice": with_member('"max_tokens":1'),
    "62-in-escapes": with_member('"mod\\u0065l":"gpt-4o"'),
    "62-deep": with_member('"metadata":{"a":{"b":1,"b":2}}'),
    "63-nan": with_member('"n":NaN'),
    "63-1e999": with_member('"n":1e999'),
    "63-10^25": with_member('"n":1' + "0" * 25),
    "63-depth": with_member('"x":' + "[" * 100_000 + "]" * 100_000),
    "63-surrogate": with_member('"user":"\\ud800"'),
    "63-bom": sent(b"\xef\xbb\xbf" + BODY),
    "63-utf-16": sent(BODY.decode().encode("utf-16")),
    "63-invalid-utf-8": sent(BODY[:-1] + b',"user":"\xff"}'),
    "64-too-long": raw(
        b"POST %b HTTP/1.1" % CHAT.encode(), KEY, b"content-length: 999999999999", body=b"", sized=False
    ),
    "66-two-keys": posted(CHAT, b"Authorization: Bearer other"),
    "66-two-kinds-of-keys": posted(CHAT, b"x-api-key: other"),
    "66-key-in-the-query": posted(CHAT + "?key=other"),
    "66-none": raw(b"POST %b HTTP/1.1" % CHAT.encode()),
    "68-override": raw(b"GET %b HTTP/1.1" % CHAT.encode(), KEY, b"x-http-method-override: POST"),
    "68-put": raw(b"PUT %b HTTP/1.1" % CHAT.encode(), KEY),
    "68-head": raw(b"HEAD %b HTTP/1.1" % CHAT.encode(), KEY, body=b""),
    "69-two-models": call("/openai/v1/audio/transcriptions", FORM, b"content-type: multipart/form-data; boundary=b"),
}


@pytest.mark.parametrize("asked", ROWS.values(), ids=ROWS)
async def test_nothing_is_held_for_what_is_refused(tmp_path, asked):
    async with before_provider(tmp_path) as stage:
        client = await stage.gateway.client()
        client.send(asked)
        answered = await client.until(HEAD_END)
        assert 400 <= int(answered.split(b" ")[1]) < 500, answered
        client.abort()
        assert await stage.seen() == 0
        assert stage.witness.reserves == []
        assert stage.gateway.server.ledger.counters() == {}


async def test_64_a_body_that_is_cut_is_not_held_and_not_sent(tmp_path):
    async with before_provider(tmp_path) as stage:
        client = await stage.gateway.client()
        client.send(call(CHAT, BODY)[:-1])
        client.end()
        await client.rest()
        assert await stage.seen() == 0
        assert stage.witness.reserves == []


async def test_65_of_requests_in_a_row_each_is_held_by_itself(tmp_path):
    async with before_provider(tmp_path, quota(unit="requests", limit=1)) as stage:
        assert stage.there is not None
        client = await stage.gateway.client()
        client.send(call(CHAT, BODY), call(CHAT, BODY))
        wire, _ = await stage.there.called()
        wire.send(usage_told(prompt_tokens=1, completion_tokens=1, total_tokens=2))
        assert (await client.message()).status == 200
        assert (await client.message()).status == 429
        assert await stage.seen() == 1


async def test_67_what_a_request_says_of_itself_never_takes_it_out_of_a_budget(tmp_path):
    mine = quota(limit_usd=0, scope={"user": "zoe"})
    async with before_provider(tmp_path, mine, key='user_id = "zoe"') as stage:
        for lines in ((), (b"x-lensai-user: ann",), (b"x-user: ann",), (b"x-lensai-tags: free",)):
            body = {"model": "gpt-4o-mini", "messages": HI, "user": "ann", "max_tokens": 5, "metadata": {"user": "ann"}}
            assert (await stage.ask(CHAT, body, *lines)).status == 402
        assert await stage.seen() == 0
