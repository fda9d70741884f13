"""Requests that try to be judged as one thing and served as another, sent to a real gateway on real sockets.

Each is sent on a connection of its own with its name in the query. Behind it comes an honest call on the same
connection: it tells whether the connection was kept, and that what stood in the way did no harm to it. The provider
answers whatever reaches it and writes it down.
"""

import asyncio
import contextlib
import gzip
import hashlib
import json
import zlib
from typing import Any, NamedTuple

import brotli
import pytest
import uvloop
import zstandard

from gateway.contract.record import Record
from tests.support.data_plane import (
    HEAD_END,
    Message,
    Provider,
    Wire,
    answer,
    call,
    policy,
    provider,
    serving,
    upstreams_at,
)

BODY_BYTES_MAX = 1_000_000
SCOPED = "lk-scoped"
SCOPED_KEY = (
    f'[[keys]]\nid = "scoped"\nproject_id = "web"\nsha256 = "{hashlib.sha256(SCOPED.encode()).hexdigest()}"\n'
    'models = ["gpt-4o"]\nuser_id = "payer"\n'
)
HONEST = b'{"model":"gpt-4o","messages":[]}'
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","model":"%b","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}'
)
CHAT = "/v1/chat/completions"
MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\ngpt-4o'


class Hostile(NamedTuple):
    """One request and its end: the statuses allowed, the code in the body ("" where any will do), what becomes of
    the connection."""

    wire: bytes
    statuses: tuple[int, ...] = (400,)
    code: str = "malformed_body"
    kept: bool = True


def body(text: bytes, *lines: bytes, path: str = CHAT) -> Hostile:
    """A chat body that is malformed for some reader."""
    return Hostile(call(path + "?case=@@", text, *lines))


def packed(text: bytes, encoding: bytes) -> Hostile:
    return body(text, b"content-encoding: " + encoding)


def form(
    *parts: bytes, before: bytes = b"", behind: bytes = b"", content_type: bytes = b"multipart/form-data; boundary=b"
) -> Hostile:
    """A transcription's form."""
    text = before + b"".join(b"--b\r\n%b\r\n" % part for part in parts) + b"--b--\r\n" + behind
    return body(text, b"content-type: " + content_type, path="/v1/audio/transcriptions")


def scoped(model: str, path: str = CHAT) -> Hostile:
    """A model that the key may not use, however much it looks like the one it may."""
    text = json.dumps({"model": model}, ensure_ascii=False, separators=(",", ":")).encode()
    return Hostile(call(path + "?case=@@", text, token=SCOPED), (403,), "key_scope")


def malformed(wire: bytes) -> Hostile:
    """A request whose head is refused, and whose connection is closed since nobody knows what follows."""
    return Hostile(wire, (400,), "malformed_request", kept=False)


def target(path: bytes) -> Hostile:
    return malformed(call(CHAT, HONEST).replace(CHAT.encode(), path + b"?case=@@", 1))


def head_line(*lines: bytes) -> Hostile:
    return malformed(call(CHAT + "?case=@@", HONEST, *lines))


def method(name: bytes, text: bytes = b"", *, code: str = "method_not_allowed", statuses: tuple[int, ...] = (405,)):
    wire = call(CHAT + "?case=@@", text)
    return Hostile(name + wire[wire.index(b" ") :], statuses, code)


def chunked(text: bytes, *lines: bytes) -> bytes:
    head = call(CHAT + "?case=@@", b"", b"transfer-encoding: chunked", *lines).replace(b"GET", b"POST", 1)
    return head + b"".join(b"1\r\n%c\r\n" % byte for byte in text) + b"0\r\nx-trailer: 1\r\n\r\n"


# By the number of the case in the list of what a budget must survive, and what is particular about it.
CASES = {
    "52 case": scoped("GPT-4o"),
    "52 blank before": scoped(" gpt-4o"),
    "52 blank behind": scoped("gpt-4o "),
    "52 no-break space": scoped("gpt-4o\u00a0"),
    "52 zero width": scoped("gpt\u200b-4o"),
    "52 cyrillic": scoped("gpt-4\u043e"),
    "52 full width": scoped("\uff47pt-4o"),
    "52 combining": scoped("gpt-4o\u0301"),
    "52 trailing nul": scoped("gpt-4o\x00"),
    "52 line feed": scoped("gpt-4o\n"),
    "52 prefix": scoped("openai/gpt-4o"),
    "52 none": scoped(""),
    "53 snapshot": scoped("gpt-4o-2024-08-06"),
    "53 fine-tuned": scoped("ft:gpt-4o:acme::1"),
    "55 the path and not the body": scoped("gpt-4o", "/azure/openai/deployments/o3/chat/completions"),
    "55 blank in the path": scoped("gpt-4o", "/azure/openai/deployments/gpt-4o%20/chat/completions"),
    "55 case in the path": scoped("gpt-4o", "/azure/openai/deployments/GPT-4o/chat/completions"),
    "55 gemini's path": scoped("gpt-4o", "/gemini/v1beta/models/gemini-3-pro:generateContent"),
    "59 empty segment": target(b"//v1/chat/completions"),
    "59 dot segments": target(b"/v1/models/../chat/completions"),
    "59 encoded dots": target(b"/v1/%2e%2e/v1/chat/completions"),
    "59 encoded slash": target(b"/v1/chat%2Fcompletions"),
    "59 encoded twice": target(b"/v1/%252e%252e/chat/completions"),
    "59 parameters": target(b"/v1/chat/completions;x"),
    "59 backslash": target(b"/v1\\chat/completions"),
    "59 trailing slash": target(b"/v1/chat/completions/"),
    "59 absolute form": target(b"http://elsewhere/v1/chat/completions"),
    "59 another case": Hostile(call("/v1/Chat/Completions?case=@@", HONEST), (403,), "endpoint_not_metered"),
    "60 stacked": Hostile(packed(brotli.compress(gzip.compress(HONEST)), b"gzip, br").wire, (415,), ""),
    "60 stacked in two lines": Hostile(
        body(brotli.compress(gzip.compress(HONEST)), b"content-encoding: gzip", b"content-encoding: br").wire,
        (415,),
        "",
    ),
    "60 unknown": Hostile(packed(HONEST, b"compress").wire, (415,), ""),
    "60 not gzip": packed(HONEST, b"gzip"),
    "60 truncated gzip": packed(gzip.compress(HONEST)[:-1], b"gzip"),
    "60 truncated br": packed(brotli.compress(HONEST)[:-1], b"br"),
    "60 truncated zstd": packed(zstandard.compress(HONEST)[:-1], b"zstd"),
    "60 truncated deflate": packed(zlib.compress(HONEST)[:-1], b"deflate"),
    "60 behind br": packed(brotli.compress(HONEST) + b"{}", b"br"),
    "60 behind zstd": packed(zstandard.compress(HONEST) * 2, b"zstd"),
    "60 behind deflate": packed(zlib.compress(HONEST) + b"{}", b"deflate"),
    "60 second gzip member": packed(gzip.compress(HONEST) + gzip.compress(b'{"model":"o3"}'), b"gzip"),
    "60 bomb": packed(gzip.compress(bytes(100_000_000)), b"gzip"),
    "60 too large decoded": packed(gzip.compress(b'{"a":"' + b"x" * BODY_BYTES_MAX + b'"}'), b"gzip"),
    "60 packed duplicates": packed(gzip.compress(b'{"model":"a","model":"b"}'), b"gzip"),
    "61 chunked duplicates": Hostile(chunked(b'{"model":"a","model":"b"}')),
    "61 continue": Hostile(
        call(CHAT + "?case=@@", b'{"model":"a","model":"b"}', b"expect: 100-continue"), (400,), "malformed_body"
    ),
    "62 model": body(b'{"model":"gpt-4o","model":"o3"}'),
    "62 the same": body(b'{"model":"gpt-4o","model":"gpt-4o"}'),
    "62 escaped": body(b'{"model":"gpt-4o","mod\\u0065l":"o3"}'),
    "62 nested": body(b'{"model":"gpt-4o","messages":[{"role":"user","content":"a","content":"b"}]}'),
    "62 deep": body(b'{"model":"gpt-4o","a":' + b"[" * 50 + b'{"b":1,"b":2}' + b"]" * 50 + b"}"),
    "62 pretty": body(b'{\r\n\t"model" : "gpt-4o",\r\n\t"model" : "o3"\r\n}'),
    "62 another case": body(b'{"model":"gpt-4o","MODEL":"o3"}'),
    "62 kelvin sign": body('{"max_tokens":1,"max_to\u212aens":100000}'.encode()),
    "62 anthropic": body(b'{"model":"a","model":"b","max_tokens":1}', path="/anthropic/v1/messages"),
    "62 gemini": body(b'{"contents":[],"contents":[]}', path="/gemini/v1beta/models/g:generateContent"),
    "63 nan": body(b'{"model":"gpt-4o","temperature":NaN}'),
    "63 infinity": body(b'{"model":"gpt-4o","temperature":-Infinity}'),
    "63 1e999": body(b'{"model":"gpt-4o","n":1e999}'),
    "63 10^25": body(b'{"model":"gpt-4o","n":10000000000000000000000000}'),
    "63 depth 10^5": body(b'{"model":"gpt-4o","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "63 depth of objects": body(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "63 depth unclosed": body(b"[" * 100_000),
    "63 lone surrogate": body(b'{"model":"gpt-4o","user":"\xed\xa0\x80"}'),
    "63 escaped surrogate": body(b'{"model":"gpt-4o","user":"\\ud83d"}'),
    "63 byte order mark": body(b"\xef\xbb\xbf" + HONEST),
    "63 utf-16": body(HONEST.decode().encode("utf-16")),
    "63 utf-16 without mark": body(HONEST.decode().encode("utf-16-le")),
    "63 utf-32": body(HONEST.decode().encode("utf-32-be")),
    "63 invalid utf-8": body(b'{"model":"gpt-4o","user":"\xc3\x28"}'),
    "63 overlong": body(b'{"model":"gpt-4o","user":"\xc0\xaf"}'),
    "63 trailing object": body(HONEST + b'{"model":"o3"}'),
    "63 trailing nul": body(HONEST + b"\x00"),
    "63 trailing comma": body(b'{"model":"gpt-4o",}'),
    "63 comment": body(b'{"model":"gpt-4o"/*,"model":"o3"*/}'),
    "63 single quotes": body(b"{'model':'gpt-4o'}"),
    "63 array": body(b"[" + HONEST + b"]"),
    "63 nothing": body(b" "),
    "63 charset": body(HONEST, b"content-type: application/json; charset=utf-16"),
    "63 charset utf-7": body(HONEST, b"content-type: application/json; charset=utf-7"),
    "63 declared a form": body(b'{"a":"&model=o3&"}', b"content-type: application/x-www-form-urlencoded"),
    "63 two types": body(HONEST, b"content-type: application/json", b"content-type: text/xml"),
    "64 too large": Hostile(
        call(CHAT + "?case=@@", b"{" + b" " * BODY_BYTES_MAX + b"}"), (413,), "body_too_large", kept=False
    ),
    "65 length in an alias": head_line(b"Content_Length: 5"),
    "65 coding in an alias": head_line(b"Transfer_Encoding: chunked"),
    "66 two credentials": Hostile(call(CHAT + "?case=@@", HONEST, b"x-api-key: sk"), (400,), "ambiguous_credentials"),
    "66 one of them twice": Hostile(
        call(CHAT + "?case=@@", HONEST, b"AUTHORIZATION: Bearer lk-other"), (400,), "ambiguous_credentials"
    ),
    "66 key in the query too": Hostile(call(CHAT + "?case=@@&key=lk-x", HONEST), (400,), "ambiguous_credentials"),
    "66 credential in an alias": head_line(b"x_api_key: sk"),
    "68 override": head_line(b"X-HTTP-Method-Override: DELETE"),
    "68 override in an alias": head_line(b"x_http_method_override: DELETE"),
    "68 other override": head_line(b"x-method-override: GET"),
    "68 third override": head_line(b"X-HTTP-Method: PUT"),
    "68 override in the query": malformed(call(CHAT + "?case=@@&_method=DELETE", HONEST)),
    "68 google's override": malformed(call(CHAT + "?case=@@&%24httpMethod=DELETE", HONEST)),
    "68 google's headers": malformed(call(CHAT + "?case=@@&$httpHeaders=a:b", HONEST)),
    "68 put": method(b"PUT", HONEST),
    "68 patch": method(b"PATCH", HONEST),
    "68 trace": method(b"TRACE"),
    "68 options": method(b"OPTIONS"),
    "68 get with a body": Hostile(
        call("/v1/embeddings?case=@@", HONEST).replace(b"POST", b"GET", 1), (403,), "endpoint_not_metered"
    ),
    "68 delete": method(b"DELETE", code="endpoint_not_metered", statuses=(403,)),
    "69 two models": form(MODEL, MODEL),
    "69 encoded name": form(MODEL, MODEL.replace(b'name="model"', b"name*=utf-8''model")),
    "69 odd quoting": form(MODEL, MODEL.replace(b'"model"', b'"mod\\el"')),
    "69 without quotes": form(MODEL, MODEL.replace(b'"model"', b"model")),
    "69 another case": form(MODEL, MODEL.replace(b'"model"', b'"MODEL"')),
    "69 as a list": form(MODEL, MODEL.replace(b'"model"', b'"model[]"')),
    "69 folded": form(MODEL, MODEL.replace(b"; name", b";\r\n name")),
    "69 bare line feeds": form(MODEL + b"\n--b\n" + MODEL.replace(b"\r\n", b"\n")),
    "69 preamble": form(MODEL, before=b"--b\n" + MODEL + b"\r\n"),
    "69 epilogue": form(MODEL, behind=b"--b\r\n" + MODEL + b"\r\n--b--\r\n"),
    "69 nested": form(MODEL, b'Content-Disposition: form-data; name="x"\r\nContent-Type: multipart/mixed\r\n\r\n'),
    "69 encoded value": form(b"Content-Transfer-Encoding: base64\r\n" + MODEL),
    "69 two boundaries": form(MODEL, content_type=b"multipart/form-data; boundary=b; boundary=c"),
    "69 endless boundary": form(MODEL, content_type=b"multipart/form-data; boundary=" + b"-" * 5000),
    "69 dashes behind the boundary": form(behind=b"-" * 500_000),
    "69 json for a form": form(content_type=b"application/json"),
    "69 a form for a chat": body(HONEST, b"content-type: multipart/form-data; boundary=b"),
}


class Outcome(NamedTuple):
    message: Message
    after: int | None  # the status of the honest call behind it; None: the connection was closed
    reached: int  # how often the provider saw it


def mark_of(name: str) -> bytes:
    return b"case=%d-%d" % (int(name.split()[0]), list(CASES).index(name))


def model_of(body: bytes) -> bytes:
    """The model that an answer is to name. What is packed names the honest one."""
    with contextlib.suppress(ValueError):
        return json.loads(body)["model"].encode()
    return b"gpt-4o"


async def answer_all(there: Provider, seen: list[Message]) -> None:
    async def answer_each(wire: Wire) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = await wire.message()
                seen.append(message)
                wire.send(answer(ANSWER % model_of(message.body), b"content-type: application/json"))

    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(answer_each(await there.accept()))


async def final(client: Wire) -> Message:
    message = await client.message()
    return message if message.status >= 200 else await client.message()


async def outcome_of(client: Wire, name: str) -> tuple[Message, int | None]:
    client.send(CASES[name].wire.replace(b"case=@@", mark_of(name), 1))
    message = await final(client)
    try:
        client.send(call("/v1/models?honest"))
        return message, (await client.message()).status
    except (asyncio.IncompleteReadError, ConnectionError):
        return message, None


@contextlib.asynccontextmanager
async def running(folder: Any, **settings: Any):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai", "azure", "gemini", "anthropic")) + SCOPED_KEY
        seen: list[Message] = []
        answering = asyncio.ensure_future(answer_all(there, seen))
        async with serving(folder, toml, body_bytes_max=BODY_BYTES_MAX, **settings) as gateway:
            yield gateway, seen
        answering.cancel()
        await asyncio.wait({answering})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    async def send_all() -> dict[str, Outcome]:
        async with running(tmp_path_factory.mktemp("hostile")) as (gateway, seen):
            found = {name: await outcome_of(await gateway.client(), name) for name in CASES}
        reached = {name: sum(mark_of(name) in message.first for message in seen) for name in CASES}
        assert sum(reached.values()) + sum(b"?honest" in message.first for message in seen) == len(seen)
        return {name: Outcome(*found[name], reached[name]) for name in CASES}

    return uvloop.run(send_all())


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_its_reason(outcomes, name):
    message, case = outcomes[name].message, CASES[name]
    assert message.status in case.statuses, message
    assert not case.code or message.header(b"x-lensai-error") == case.code.encode()


@pytest.mark.parametrize("name", CASES)
def test_the_provider_sees_nothing_of_it(outcomes, name):
    assert outcomes[name].reached == 0


@pytest.mark.parametrize("name", CASES)
def test_its_connection_is_kept_exactly_where_its_end_is_known(outcomes, name):
    assert outcomes[name].after == (200 if CASES[name].kept else None)


HONEST_CALLS = {
    "60 gzip": call(CHAT, gzip.compress(HONEST), b"content-encoding: gzip"),
    "60 gzip members": call(CHAT, gzip.compress(HONEST[:9]) + gzip.compress(HONEST[9:]), b"content-encoding: x-gzip"),
    "60 br": call(CHAT, brotli.compress(HONEST), b"content-encoding: br"),
    "60 zstd": call(CHAT, zstandard.compress(HONEST), b"content-encoding: zstd"),
    "60 deflate": call(CHAT, zlib.compress(HONEST), b"content-encoding: deflate"),
    "62 blanks": call(CHAT, b' { "model" : "gpt-4o",\r\n\t"messages" : [ ] }\n'),
    "63 escapes": call(CHAT, b'{"model":"gpt-4\\u006f","messages":[{"content":"\\u00e9\\ud83d\\udea2"}],"top_p":1e-5}'),
    "63 charset": call(CHAT, HONEST, b"content-type: application/json; charset=UTF-8"),
    "64 as large as may be": call(CHAT, HONEST[:-1] + b" " * (BODY_BYTES_MAX - len(HONEST)) + b"}"),
    "68 http/1.0": call(CHAT, HONEST).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
}


@pytest.mark.parametrize("name", HONEST_CALLS)
async def test_what_is_only_unusual_is_served_as_it_came(name, tmp_path):
    wire = HONEST_CALLS[name]
    async with running(tmp_path) as (gateway, seen):
        client = await gateway.client()
        client.send(wire)
        assert (await client.message()).status == 200
        (record,) = await gateway.stop()
    assert [message.body for message in seen] == [wire.partition(HEAD_END)[2]]
    assert (record.model_requested, record.tokens_in) == ("gpt-4o", 9)


async def test_61_a_refused_body_that_waits_for_leave_is_never_forwarded(tmp_path):
    text = b'{"model":"a","model":"b"}'
    async with running(tmp_path) as (gateway, seen):
        client = await gateway.client()
        wire = call(CHAT, text, b"expect: 100-continue")
        client.send(wire.removesuffix(text))
        assert (await client.message()).status == 100
        client.send(text)
        assert (await client.message()).status == 400
    assert seen == []


async def test_64_a_body_that_does_not_arrive_whole_is_not_forwarded(tmp_path):
    async with running(tmp_path) as (gateway, seen):
        for wire in (call(CHAT, HONEST)[:-1], chunked(HONEST)[:-2]):
            client = await gateway.client()
            client.send(wire)
            client.abort()
        records = await gateway.stop()
    assert seen == []
    assert {record.upstream_status for record in records} <= {0}


async def test_65_each_of_two_pipelined_requests_is_judged_by_itself(tmp_path):
    async with running(tmp_path) as (gateway, seen):
        client = await gateway.client()
        client.send(
            call(CHAT, b'{"model":"a","model":"b"}'),
            call(CHAT, HONEST),
            call(CHAT, HONEST, token="lk-nobody"),
            call(CHAT, b'{"model":"o3"}', token=SCOPED),
            call(CHAT, HONEST, token=SCOPED),
        )
        assert [(await client.message()).status for _ in range(5)] == [400, 200, 401, 403, 200]
    assert [message.body for message in seen] == [HONEST, HONEST]


@pytest.mark.parametrize(
    "spelling", [b"CONTENT-LENGTH: ", b"contenT-length: ", b"content-length:", b"Content-Length:\t "]
)
async def test_65_a_body_is_never_the_next_request_however_its_length_is_spelled(spelling, tmp_path):
    hidden = call("/v1/models?hidden")
    text = HONEST[:-1] + b',"x":"' + b"0" * len(hidden) + b'"}'
    wire = call(CHAT, text).replace(b"content-length: ", spelling, 1)
    async with running(tmp_path) as (gateway, seen):
        client = await gateway.client()
        for _ in range(3):
            client.send(wire)
            assert (await client.message()).status == 200
        client.send(call(CHAT, hidden).replace(b"content-length: ", spelling, 1))
        assert (await client.message()).status == 400
        client.close()
    assert [message.body for message in seen] == [text] * 3


async def test_67_nothing_a_caller_says_changes_who_pays(tmp_path):
    text = b'{"model":"gpt-4o","user":"other","metadata":{"user_id":"other"},"project":"other"}'
    spoofed = (b"x-user: other", b"x-tags: other", b"openai-project: other", b"x-lensai-team: ours")
    async with running(tmp_path) as (gateway, _seen):
        client = await gateway.client()
        client.send(call(CHAT, text, *spoofed, token=SCOPED))
        assert (await client.message()).status == 200
        (record,) = await gateway.stop()
    assert (record.project_id, record.key_id, record.user_id, record.team) == ("web", "scoped", "payer", "ours")


async def test_68_a_head_request_is_refused_without_a_body(tmp_path):
    async with running(tmp_path) as (gateway, seen):
        client = await gateway.client()
        client.send(call(CHAT).replace(b"GET", b"HEAD", 1))
        assert (await client.message(to_head=True)).status == 405
    assert seen == []


async def cost_of(folder: Any, model: bytes) -> Record:
    async with running(folder) as (gateway, _seen):
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"%b"}' % model))
        assert (await client.message()).status == 200
        (record,) = await gateway.stop()
        return record


@pytest.mark.parametrize("model", [b"gpt-4o-unheard-of", b"gpt-4o\\u0000", b" gpt-4o", b"gpt-4\xd0\xbe"])
async def test_53_a_model_nobody_priced_costs_an_unknown_amount_and_not_nothing(model, tmp_path):
    record = await cost_of(tmp_path, model)
    assert (record.price_match, record.cost_nanousd) == ("unpriced", None)


async def test_no_member_of_a_body_makes_the_gateway_connect_anywhere(tmp_path):
    """One-api fetched `image_url`, and LiteLLM took `api_base` from bodies, its credential with it (CVE-2024-6587)."""
    async with provider() as elsewhere, running(tmp_path) as (gateway, seen):
        url = f"http://127.0.0.1:{elsewhere.port}/"
        names = ("api_base", "base_url", "custom_host", "endpoint", "callback_url", "image_url", "file_url", "proxy")
        inner = dict.fromkeys(names, url) | {"image_url": {"url": url}}
        document = {"model": "gpt-4o", **inner, "litellm_params": inner, "messages": [{"content": [inner]}]}
        text = json.dumps(document, separators=(",", ":")).encode()
        client = await gateway.client()
        client.send(call(CHAT, text, b"x-api-base: " + url.encode(), b"x-portkey-custom-host: " + url.encode()))
        assert (await client.message()).status == 200
    assert [message.body for message in seen] == [text]
    assert elsewhere.connections == 0
