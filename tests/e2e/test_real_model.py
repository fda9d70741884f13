"""A real model behind the gateway, called with the openai package: what is recorded is what the server counted.

The server is llama.cpp's own. It reports usage in streams only on request, counts for itself in its metrics,
and closes its connection after a streamed answer without saying so.
"""

import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from tests.support.gateways import Gateway, Row, gateway_on
from tests.support.llama_server import INSTALL_COMMAND, weights
from tests.support.processes import free_port, running

pytestmark = pytest.mark.skipif(weights() is None, reason=f"needs a small real model: {INSTALL_COMMAND}")

MODEL = "smollm2-135m"
MODEL_KEY = "key-of-the-model-server"
MESSAGES: Any = [{"role": "user", "content": "Count from one to five, then say goodbye."}]
# Reading the weights from a cold disk, on a busy machine.
LOADING_TIMEOUT_S = 60.0

# USD per million tokens are thousands of nano-USD a token.
INPUT_NANOUSD, OUTPUT_NANOUSD = 100, 300
UPSTREAM = f"""
[credentials.local]
secret = "{MODEL_KEY}"
[upstreams.local]
origin = "http://127.0.0.1:{{port}}"
[[price_overrides]]
upstream = "local"
model = "*"
rates = {{{{ input_text = 0.1, output_text = 0.3 }}}}
"""


class Stage(NamedTuple):
    port: int  # the model server's
    gateway: Gateway
    token: str

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.gateway.url}/local/v1", api_key=self.token, max_retries=0)

    def counted(self) -> tuple[int, int]:
        """Prompt and predicted tokens since its start, by the server's own metrics."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/metrics", headers={"authorization": f"Bearer {MODEL_KEY}"}
        )
        with urllib.request.urlopen(request) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
        values = {name: int(float(value)) for name, value in lines}
        return values["llamacpp:prompt_tokens_total"], values["llamacpp:tokens_predicted_total"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    data_dir: Path = tmp_path_factory.mktemp("model") / "data"
    port = free_port()
    command = (sys.executable, "-m", "tests.support.llama_server", str(port), MODEL_KEY)
    with running(command) as server, gateway_on(data_dir, UPSTREAM.format(port=port)) as gateway:
        token = gateway.add_key()
        gateway.start_lake()
        gateway.start()
        # Not the port: it opens before the model is loaded.
        server.wait_for_output("listening on http", LOADING_TIMEOUT_S)
        yield Stage(port, gateway, token)


def called(stage: Stage, make: Any) -> tuple[Any, Row, tuple[int, int]]:
    """What one call gave, its row, and the tokens that the server counted meanwhile."""
    before, rows_before = stage.counted(), len(stage.gateway.rows())
    with stage.client() as client:
        given = make(client)
    *_, row = stage.gateway.rows_of(rows_before + 1)
    prompt, predicted = (after - then for after, then in zip(stage.counted(), before, strict=True))
    return given, row, (prompt, predicted)


def assert_metered(row: Row, counted: tuple[int, int]) -> None:
    assert (row["upstream"], row["model"], row["outcome"]) == ("local", MODEL, "ok")
    assert row["provenance"] == "reported"
    assert (row["tokens_in"], row["tokens_out"]) == counted
    assert row["price_match"] == "override"
    assert row.cost_nanousd == counted[0] * INPUT_NANOUSD + counted[1] * OUTPUT_NANOUSD


def test_an_answer_costs_what_the_server_counted(stage: Stage):
    answer, row, counted = called(
        stage, lambda api: api.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12)
    )

    assert answer.choices[0].message.content
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == counted
    assert_metered(row, counted)


def test_a_stream_that_asks_for_usage_is_given_it(stage: Stage):
    options: Any = {"include_usage": True}
    chunks, row, counted = called(
        stage,
        lambda api: list(
            api.chat.completions.create(
                model=MODEL, messages=MESSAGES, max_tokens=12, stream=True, stream_options=options
            )
        ),
    )

    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens) == counted
    assert_metered(row, counted)


def test_a_stream_that_does_not_ask_is_metered_and_shows_no_usage(stage: Stage):
    chunks, row, counted = called(
        stage,
        lambda api: list(
            api.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12, stream=True, temperature=0)
        ),
    )

    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices).strip()
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    assert_metered(row, counted)


def test_the_server_closes_after_a_stream_without_saying_so(stage: Stage):
    body = b'{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"stream":true}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
    said = b""
    with socket.create_connection(("127.0.0.1", stage.port), timeout=30) as client:
        client.sendall(head % (MODEL_KEY.encode(), len(body)) + body)
        while more := client.recv(65_536):
            said += more

    assert said.endswith(b"0\r\n\r\n")
    assert b"connection: close" not in said.lower()


def test_twenty_streams_in_a_row_on_one_client_never_meet_a_closed_connection(stage: Stage):
    rows_before, before = len(stage.gateway.rows()), stage.counted()
    with stage.client() as client:
        for _ in range(20):
            stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=3, stream=True)
            assert [chunk.choices[0].finish_reason for chunk in stream][-1] in ("length", "stop")

    rows = stage.gateway.rows_of(rows_before + 20)[rows_before:]
    assert {(row["status"], row["outcome"], row["provenance"]) for row in rows} == {(200, "ok", "reported")}
    counted = tuple(after - then for after, then in zip(stage.counted(), before, strict=True))
    assert (sum(row["tokens_in"] for row in rows), sum(row["tokens_out"] for row in rows)) == counted
