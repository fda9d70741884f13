"""The official Python SDKs straight against the sandbox: every call is understood, and is what the models demand."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from google import genai
from google.genai.errors import ClientError
from openai.types import (
    Batch,
    Completion,
    CreateEmbeddingResponse,
    ImageEditStreamEvent,
    ImageGenStreamEvent,
    ImagesResponse,
    ModerationCreateResponse,
)
from openai.types.audio import TranscriptionStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.realtime import RealtimeServerEvent
from openai.types.responses import Response, ResponsesServerEvent, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.support import sdk_calls_openai_realtime
from tests.support.processes import running_sandbox
from tests.support.sdk_calls import CALLS, MESSAGES, client

ALL_CALLS = {**CALLS, **sdk_calls_openai_realtime.MORE_CALLS}

KEY = "sandbox-key"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


# What items must validate as: the SDKs construct their models unchecked. Azure's first chunk and the pieces of
# old completions, recorded from the real services, do not satisfy them either.
_MODELS: dict[str, Any] = {
    "chat": ChatCompletion,
    "chat.stream": ChatCompletionChunk,
    "chat.tool": ChatCompletion,
    "chat.tool.stream": ChatCompletionChunk,
    "chat.stream.usage": ChatCompletionChunk,
    "completions": Completion,
    "responses": Response,
    "responses.stream": ResponseStreamEvent,
    "responses.tool.stream": ResponseStreamEvent,
    "embeddings": CreateEmbeddingResponse,
    "moderations": ModerationCreateResponse,
    "images": ImagesResponse,
    "images.dall_e": ImagesResponse,
    "images.edit": ImagesResponse,
    "images.variation": ImagesResponse,
    "images.stream": ImageGenStreamEvent,
    "images.edit.stream": ImageEditStreamEvent,
    "transcriptions.stream": TranscriptionStreamEvent,
    "batches.async": Batch,
    "responses.background.stream": ResponseStreamEvent,
    "responses.background.cancel": Response,
    "realtime": RealtimeServerEvent,
    "realtime.audio": RealtimeServerEvent,
    "realtime.async": RealtimeServerEvent,
    "realtime.error": RealtimeServerEvent,
    "responses.socket": ResponsesServerEvent,
    "responses.socket.async": ResponsesServerEvent,
    "messages": Message,
    "messages.stream": RawMessageStreamEvent,
    "messages.thinking.stream": RawMessageStreamEvent,
    "messages.tool.stream": RawMessageStreamEvent,
    "messages.count_tokens": MessageTokensCount,
}


@pytest.mark.parametrize("name", ALL_CALLS)
def test_every_call_is_answered_as_its_models_demand_and_again_the_same(sandbox: str, name: str):
    told = ALL_CALLS[name].run(sandbox, KEY)

    assert told
    model = None if name.startswith("azure") else _MODELS.get(name.split(".", 1)[1])
    for item in told if model else ():
        TypeAdapter[Any](model).validate_python(item)
    assert ALL_CALLS[name].run(sandbox, KEY) == told


def test_a_stream_says_what_the_whole_answer_says(sandbox: str):
    whole = CALLS["openai.chat"].run(sandbox, KEY)[0]
    chunks = CALLS["openai.chat.stream.usage"].run(sandbox, KEY)

    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == whole["usage"]


def test_the_sdk_puts_a_stream_together(sandbox: str):
    message = CALLS["anthropic.messages.stream.accumulated"].run(sandbox, KEY)[0]
    completion = CALLS["openai.chat.stream.accumulated"].run(sandbox, KEY)[0]

    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] == len(message["content"][0]["text"].split()) == 16
    assert len(completion["choices"][0]["message"]["content"].split()) == 16


def test_the_bill_has_what_the_sdk_was_told(sandbox: str):
    httpx.post(sandbox + "/_sandbox/reset")
    answer = client("openai", sandbox, KEY).chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    usage = answer.parse().usage

    line = httpx.get(sandbox + "/_sandbox/bill").json()["lines"][-1]
    assert line["id"] == answer.headers["x-request-id"]
    assert (line["tokens"]["input"], line["tokens"]["output"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert line["amount_nanousd"] == usage.prompt_tokens * 2500 + usage.completion_tokens * 10000


@pytest.mark.parametrize("family", ["openai", "azure", "azure.v1"])
def test_openai_clients_raise_their_own_error_for_a_wrong_key(sandbox: str, family: str):
    api = client(family, sandbox, "lk-a-key-of-the-gateway")
    with pytest.raises(openai.AuthenticationError):
        api.chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_anthropic_raises_its_own_errors(sandbox: str):
    asked: Any = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        client("anthropic", sandbox, "wrong").messages.create(model="claude-haiku-4-5", **asked)
    with pytest.raises(anthropic.NotFoundError, match="model: claude-haiku-9"):
        client("anthropic", sandbox, KEY).messages.create(model="claude-haiku-9", **asked)


def test_gemini_raises_its_own_errors(sandbox: str):
    api: genai.Client = client("gemini", sandbox, "wrong")
    with pytest.raises(ClientError, match="API key not valid"):
        api.models.generate_content(model="gemini-2.5-flash", contents="hello")
    api = client("gemini", sandbox, KEY)
    with pytest.raises(ClientError, match="models/gemini-9 is not found"):
        api.models.generate_content(model="gemini-9", contents="hello")


def test_a_failure_in_the_middle_of_a_stream_is_raised(sandbox: str):
    headers = {"x-sandbox-error-after-chunks": "3"}
    api = client("openai", sandbox, KEY)
    stream = api.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, extra_headers=headers)
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(stream)


def test_a_rate_limit_is_the_sdks_rate_limit_with_its_wait(sandbox: str):
    headers = {"x-sandbox-fail-status": "429", "x-sandbox-retry-after-s": "7"}
    with pytest.raises(openai.RateLimitError) as raised:
        client("openai", sandbox, KEY).chat.completions.create(model="gpt-4o", messages=MESSAGES, extra_headers=headers)
    assert raised.value.response.headers["retry-after"] == "7"
