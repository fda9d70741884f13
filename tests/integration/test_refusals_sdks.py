"""Official SDKs meet refusals: each raises the class its users catch, and asks once where a retry cannot help."""

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import boto3
import groq
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from google import genai
from google.genai import errors, types

from gateway.contract.policy import KillSwitch, Quota
from gateway.endpoints import Dialect
from gateway.faults import QuotaHit, Refusal, SwitchHit, render_answer, render_stream_error
from gateway.kill_switch import refusal_of
from gateway.quota_words import Counted, ran_out, too_little, too_many_values, unbounded, unpriced, unreachable
from tests.support.node_calls import FOLDER, INSTALL_COMMAND, TIMEOUT_S, installed

NOW_S = 1_800_000_000
USD = 10**9
BUDGET = Counted(Quota("web", "usd", 5 * USD), {"project": "web"}, 5 * USD, NOW_S + 86_400)
AS_429 = Counted(Quota("web", "usd", 5 * USD, answers_429=True), {}, 5 * USD, NOW_S + 86_400)
RATE = Counted(Quota("rate", "requests", 5, "minute"), {}, 5, NOW_S + 1)

# What a retry cannot help, and the status that says so.
FINAL = {
    "budget": (402, too_little(BUDGET, wanted=2, remaining=1, now_s=NOW_S)),
    "budget_as_429": (429, too_little(AS_429, wanted=2, remaining=1, now_s=NOW_S)),
    "kill_switch": (403, refusal_of(KillSwitch("stop", reason="under review"))),
    "unbounded": (403, unbounded(BUDGET, "no output limit")),
    "unpriced": (403, unpriced(BUDGET, "'mystery-1' has no price")),
    "values": (403, too_many_values(BUDGET)),
    "rate_of_a_long_window": (429, too_little(RATE, wanted=1, remaining=0, now_s=NOW_S - 3600)),
    "too_large_for_its_rate": (429, too_little(RATE, wanted=6, remaining=5, now_s=NOW_S)),
}
# And what it can: the SDKs that retry of themselves do.
PASSING = {
    "rate": (429, too_little(RATE, wanted=1, remaining=0, now_s=NOW_S)),
    "ledger": (503, unreachable(BUDGET)),
}
MESSAGES: Any = [{"role": "user", "content": "Hello"}]
MIDSTREAM = ran_out(BUDGET, wanted=2, remaining=1)

# The first event of a stream, which is of no interest but for having come.
_BEGINNINGS: dict[str, bytes] = {
    "chat.completions": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"i",'
    b'"output_index":0,"content_index":0,"delta":"Hi","sequence_number":1,"logprobs":[]}\n\n',
    "messages": b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":'
    b'"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,'
    b'"output_tokens":1}}}\n\n',
    "generate_content": b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]}}]}\r\n\r\n',
    "converse": b"",
}


class Gateway:
    """Answers every request with the same bytes, and counts them."""

    def __init__(self) -> None:
        self.answer = b""
        self.requests = 0
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                gateway.requests += 1
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.wfile.write(gateway.answer)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def refuse(self, refusal: Refusal, dialect: Dialect) -> None:
        self.answer = render_answer(refusal, dialect, "req_1", close=True)

    def begin_and_end(self, refusal: Refusal, dialect: Dialect, endpoint: str) -> None:
        kind = b"application/vnd.amazon.eventstream" if dialect == "bedrock" else b"text/event-stream"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % kind
        self.answer = head + _BEGINNINGS[endpoint] + render_stream_error(refusal, dialect, endpoint, "req_1")

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    running = Gateway()
    yield running
    running.close()


def ask_openai(url: str, **more: Any) -> Any:
    with openai.OpenAI(api_key="lk-x", base_url=url + "/v1") as client:
        return list(client.chat.completions.create(model="m", messages=MESSAGES, **more))


def ask_responses(url: str) -> list[Any]:
    with openai.OpenAI(api_key="lk-x", base_url=url + "/v1") as client:
        return list(client.responses.create(model="m", input="Hello", stream=True))


def ask_groq(url: str, **more: Any) -> Any:
    with groq.Groq(api_key="lk-x", base_url=url) as client:
        return list(client.chat.completions.create(model="m", messages=MESSAGES, **more))


def ask_anthropic(url: str, **more: Any) -> Any:
    with anthropic.Anthropic(api_key="lk-x", base_url=url) as client:
        return list(client.messages.create(model="m", max_tokens=9, messages=MESSAGES, **more))


def ask_gemini(url: str) -> Any:
    with genai.Client(api_key="lk-x", http_options=types.HttpOptions(base_url=url)) as client:
        return client.models.generate_content(model="m", contents="Hello")


def stream_gemini(url: str) -> Any:
    with genai.Client(api_key="lk-x", http_options=types.HttpOptions(base_url=url)) as client:
        return list(client.models.generate_content_stream(model="m", contents="Hello"))


def bedrock(url: str) -> Any:
    client = boto3.client(
        "bedrock-runtime", endpoint_url=url, region_name="us-east-1", aws_access_key_id="lk-x",
        aws_secret_access_key="x", config=Config(retries={"mode": "standard"}),
    )  # fmt: skip
    return contextlib.closing(client)


def ask_bedrock(url: str) -> Any:
    with bedrock(url) as client:
        return client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "Hello"}]}])


def stream_bedrock(url: str) -> Any:
    with bedrock(url) as client:
        answer = client.converse_stream(modelId="m", messages=[{"role": "user", "content": [{"text": "Hello"}]}])
        with contextlib.closing(answer["stream"]) as events:
            return list(events)


STAINLESS: dict[str, tuple[Any, Dialect, Callable[..., Any]]] = {
    "openai": (openai, "openai", ask_openai),
    "groq": (groq, "openai", ask_groq),
    "anthropic": (anthropic, "anthropic", ask_anthropic),
}
CLASSES = {402: "APIStatusError", 403: "PermissionDeniedError", 429: "RateLimitError", 503: "InternalServerError"}
# Where a Node SDK names it otherwise.
NODE_CLASSES = {("openai", 402): "APIError", ("@anthropic-ai/sdk", 402): "PaymentRequiredError"}


@pytest.mark.parametrize("name", FINAL)
@pytest.mark.parametrize("family", STAINLESS)
def test_a_final_refusal_raises_its_class_after_one_request(gateway: Gateway, family: str, name: str) -> None:
    module, dialect, ask = STAINLESS[family]
    status, refusal = FINAL[name]
    gateway.refuse(refusal, dialect)
    with pytest.raises(getattr(module, CLASSES[status])) as raised:
        ask(gateway.url)
    assert (raised.value.status_code, gateway.requests) == (status, 1)
    assert refusal.message in str(raised.value)
    if isinstance(refusal.hit, SwitchHit):
        assert raised.value.response.headers["x-lensai-kill-switch"] == refusal.hit.kill_switch
    elif refusal.hit is not None:
        assert raised.value.response.headers["x-lensai-quota"] == refusal.hit.quota


def test_a_program_can_read_what_was_hit(gateway: Gateway) -> None:
    refusal = FINAL["budget"][1]
    assert refusal.hit is not None
    gateway.refuse(refusal, "openai")
    with pytest.raises(openai.APIStatusError) as of_openai:
        ask_openai(gateway.url)
    assert (of_openai.value.code, of_openai.value.type) == ("budget_exceeded", "insufficient_quota")
    body: Any = of_openai.value.body
    assert body["lensai"] == refusal.hit.details()
    gateway.refuse(refusal, "anthropic")
    with pytest.raises(anthropic.PaymentRequiredError) as of_anthropic:
        ask_anthropic(gateway.url)
    body = of_anthropic.value.body
    assert body["error"]["details"] == {"error_code": "budget_exceeded", "lensai": refusal.hit.details()}


@pytest.mark.parametrize("name", FINAL | PASSING)
def test_google_s_raises_once_whatever_it_is(gateway: Gateway, name: str) -> None:
    status, refusal = (FINAL | PASSING)[name]
    gateway.refuse(refusal, "gemini")
    with pytest.raises(errors.ServerError if status == 503 else errors.ClientError) as raised:
        ask_gemini(gateway.url)
    assert (raised.value.code, gateway.requests) == (status, 1)
    assert refusal.message in str(raised.value.message)


@pytest.mark.parametrize("name", [name for name, (status, _) in FINAL.items() if status != 429])
def test_aws_s_raises_once_where_the_status_is_not_429(gateway: Gateway, name: str) -> None:
    status, refusal = FINAL[name]
    gateway.refuse(refusal, "bedrock")
    with pytest.raises(ClientError) as raised:
        ask_bedrock(gateway.url)
    kind = "ServiceQuotaExceededException" if status == 402 else "AccessDeniedException"
    assert (raised.value.response["Error"]["Code"], gateway.requests) == (kind, 1)


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("family", ["openai", "groq"])
def test_what_passes_is_retried(gateway: Gateway, family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, dialect, ask = STAINLESS[family]
    status, refusal = PASSING[name]
    monkeypatch.setattr(module._base_client.BaseClient, "_calculate_retry_timeout", lambda *_: 0.0)
    gateway.refuse(refusal, dialect)
    with pytest.raises(getattr(module, CLASSES[status])):
        ask(gateway.url)
    assert gateway.requests == 3


def test_a_stream_that_ends_for_a_budget_is_not_asked_for_again(gateway: Gateway) -> None:
    gateway.begin_and_end(MIDSTREAM, "openai", "chat.completions")
    with pytest.raises(openai.APIError, match="the stream needs another") as of_openai:
        ask_openai(gateway.url, stream=True)
    assert (of_openai.value.code, gateway.requests) == ("budget_exhausted_midstream", 1)
    with pytest.raises(groq.APIError, match="the stream needs another"):
        ask_groq(gateway.url, stream=True)
    assert gateway.requests == 2
    gateway.begin_and_end(MIDSTREAM, "openai", "responses")
    last = ask_responses(gateway.url)[-1]
    assert (last.type, last.code, gateway.requests) == ("error", "budget_exhausted_midstream", 3)
    gateway.begin_and_end(MIDSTREAM, "anthropic", "messages")
    with pytest.raises(anthropic.APIStatusError, match="the stream needs another") as of_anthropic:
        ask_anthropic(gateway.url, stream=True)
    assert (of_anthropic.value.type, gateway.requests) == ("billing_error", 4)
    gateway.begin_and_end(MIDSTREAM, "gemini", "generate_content")
    with pytest.raises(errors.ClientError, match="the stream needs another") as of_gemini:
        stream_gemini(gateway.url)
    assert (of_gemini.value.code, gateway.requests) == (402, 5)
    gateway.begin_and_end(MIDSTREAM, "bedrock", "converse")
    with pytest.raises(EventStreamError, match="the stream needs another"):
        stream_bedrock(gateway.url)
    assert gateway.requests == 6


NEEDS_NODE = pytest.mark.skipif(not shutil.which("node") or not installed(), reason=f"needs Node and {INSTALL_COMMAND}")
NODE: dict[str, Dialect] = {"openai": "openai", "@anthropic-ai/sdk": "anthropic"}


def node(module: str, url: str, how: str) -> dict[str, Any]:
    """What the Node SDK threw."""
    ran = subprocess.run(
        ["node", "refusals.mjs", module, url, how],
        cwd=FOLDER, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@NEEDS_NODE
@pytest.mark.parametrize("name", ["budget", "budget_as_429", "kill_switch"])
@pytest.mark.parametrize("module", NODE)
def test_node_s_sdks_raise_their_class_after_one_request(gateway: Gateway, module: str, name: str) -> None:
    status, refusal = FINAL[name]
    gateway.refuse(refusal, NODE[module])
    thrown = node(module, gateway.url, "whole")
    assert (thrown["status"], gateway.requests) == (status, 1)
    assert thrown["name"] == NODE_CLASSES.get((module, status), CLASSES[status])
    assert thrown["quota"] == (refusal.hit.quota if isinstance(refusal.hit, QuotaHit) else None)
    assert refusal.message in thrown["message"]


@NEEDS_NODE
@pytest.mark.parametrize("module", NODE)
def test_node_s_sdks_end_a_stream_with_the_same_words(gateway: Gateway, module: str) -> None:
    gateway.begin_and_end(MIDSTREAM, NODE[module], "chat.completions" if module == "openai" else "messages")
    thrown = node(module, gateway.url, "stream")
    assert thrown["name"] != "none"
    assert "the stream needs another" in thrown["message"]
    assert gateway.requests == 1
