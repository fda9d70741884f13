"""The other providers' official SDKs straight against the sandbox: understood, answered as their models demand, billed.

Nothing else is called: no telemetry, no look for a newer version, no second try.
"""

import sys
from collections.abc import Iterator
from typing import Any

import cohere
import groq
import httpx
import ollama
import openai
import pytest
import together
from groq.types import chat as groq_chat
from groq.types.audio import Transcription
from mistralai.client.errors import HTTPValidationError, SDKError
from openai.types import chat as openai_chat
from pydantic import TypeAdapter
from together import types as together_types
from together.types import chat as together_chat

from tests.support.processes import running, running_sandbox
from tests.support.sdk_calls import MESSAGES
from tests.support.sdk_calls_others import COMPATIBLE_MODELS, OTHER_CALLS, other_client

KEY = "sandbox-key"

# Importing the SDKs and making every call takes half a minute on two busy cores.
WATCHED_MAX_S = 180

# Every call in a process of its own, which says whom it called by address.
_WATCHED = """
import sys
called = set()
def watch(event, arguments):
    if event == "socket.connect":
        called.add(str(arguments[1][0]))
    if event == "socket.getaddrinfo":
        called.add(str(arguments[0]))
sys.addaudithook(watch)
from tests.support.sdk_calls_others import OTHER_CALLS
for call in OTHER_CALLS.values():
    call.run(sys.argv[1], sys.argv[2])
print("called", sorted(called))
"""


# What items must validate as, where an SDK constructs its models unchecked; Mistral's and Ollama's check.
_MODELS: dict[str, Any] = {
    "groq.chat": groq_chat.ChatCompletion,
    "groq.chat.stream": groq_chat.ChatCompletionChunk,
    "groq.chat.tool": groq_chat.ChatCompletion,
    "groq.transcription": Transcription,
    "cohere.chat": cohere.V2ChatResponse,
    "cohere.chat.stream": cohere.V2ChatStreamResponse,
    "cohere.chat.tool.stream": cohere.V2ChatStreamResponse,
    "cohere.embed": cohere.EmbedByTypeResponse,
    "cohere.rerank": cohere.V2RerankResponse,
    "cohere.v1.chat": cohere.NonStreamedChatResponse,
    "together.chat": together_chat.ChatCompletion,
    "together.chat.stream": together_chat.ChatCompletionChunk,
    "together.completions": together_types.Completion,
    "together.rerank": together_types.RerankCreateResponse,
    "together.images": together_types.ImageFile,
    **{f"{family}.chat": openai_chat.ChatCompletion for family in COMPATIBLE_MODELS},
    # Perplexity calls its last chunk something else, as recorded.
    **{
        f"{family}.chat.stream": openai_chat.ChatCompletionChunk
        for family in COMPATIBLE_MODELS
        if family != "perplexity"
    },
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


def bill_of(sandbox: str) -> list[dict[str, Any]]:
    return httpx.get(sandbox + "/_sandbox/bill").json()["lines"]


# What is free, and so not on the bill.
FREE = ("models", "list", "ps", "show", "tokenize", "moderations", "files")


@pytest.mark.parametrize("name", OTHER_CALLS)
def test_every_call_is_one_request_billed_once_and_answered_again_the_same(sandbox: str, name: str):
    httpx.post(sandbox + "/_sandbox/reset")
    told = OTHER_CALLS[name].run(sandbox, KEY)

    assert told
    assert httpx.get(sandbox + "/_sandbox/requests").json()["count"] == 1
    billed = [(line["dialect"], line["stream"], line["state"]) for line in bill_of(sandbox)]
    expected = [(OTHER_CALLS[name].dialect, ".stream" in name, "completed")]
    assert billed == ([] if name.split(".")[-1] in FREE else expected)
    assert OTHER_CALLS[name].run(sandbox, KEY) == told


@pytest.mark.parametrize("name", _MODELS)
def test_answers_are_what_the_sdks_models_demand(sandbox: str, name: str):
    for item in OTHER_CALLS[name].run(sandbox, KEY):
        TypeAdapter[Any](_MODELS[name]).validate_python(item)


def test_no_sdk_calls_anybody_else(sandbox: str):
    with running((sys.executable, "-c", _WATCHED, sandbox, KEY)) as child:
        assert child.wait(WATCHED_MAX_S) == 0
        assert child.output().splitlines()[-1] == "called ['127.0.0.1']"


@pytest.mark.parametrize("family", COMPATIBLE_MODELS)
def test_a_stream_through_openais_sdk_says_its_usage_once_it_is_asked(sandbox: str, family: str):
    whole = OTHER_CALLS[f"{family}.chat"].run(sandbox, KEY)[0]
    chunks = OTHER_CALLS[f"{family}.chat.stream.usage"].run(sandbox, KEY)

    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert usages[-1] == whole["usage"]


def test_each_sdk_raises_its_own_error_for_a_wrong_key(sandbox: str):
    key = "lk-a-key-of-the-gateway"
    for name, error in (
        ("mistral.chat", SDKError),
        ("groq.chat", groq.AuthenticationError),
        ("cohere.chat", cohere.UnauthorizedError),
        ("cohere.v1.chat", cohere.UnauthorizedError),
        ("together.chat", together.AuthenticationError),
        ("ollama.chat", ollama.ResponseError),
        ("deepseek.chat", openai.AuthenticationError),
        ("xai.chat", openai.BadRequestError),
        ("voyage.embeddings", openai.AuthenticationError),
    ):
        with pytest.raises(error):
            OTHER_CALLS[name].run(sandbox, key)


def test_each_sdk_raises_its_own_error_for_a_model_there_is_not(sandbox: str):
    with other_client("mistral", sandbox, KEY) as api, pytest.raises(SDKError, match="Invalid model: no"):
        api.chat.complete(model="no", messages=MESSAGES)
    with other_client("groq", sandbox, KEY) as api, pytest.raises(groq.NotFoundError, match="does not exist"):
        api.chat.completions.create(model="no", messages=MESSAGES)
    with other_client("cohere", sandbox, KEY) as api, pytest.raises(cohere.NotFoundError, match="model 'no' not found"):
        api.chat(model="no", messages=MESSAGES)
    with other_client("ollama", sandbox, KEY) as api, pytest.raises(ollama.ResponseError, match="model 'no' not found"):
        api.chat(model="no", messages=MESSAGES)


def test_mistral_refuses_what_it_does_not_know(sandbox: str):
    with other_client("mistral", sandbox, KEY) as api, pytest.raises(HTTPValidationError):
        api.chat.complete(model="mistral-small-latest", messages=MESSAGES, max_tokens=0)


def test_groq_raises_a_failure_in_the_middle_of_a_stream(sandbox: str):
    headers = {"x-sandbox-error-after-chunks": "3"}
    with other_client("groq", sandbox, KEY) as api, pytest.raises(groq.APIError, match="Internal Server Error"):
        list(
            api.chat.completions.create(
                model="llama-3.3-70b-versatile", messages=MESSAGES, stream=True, extra_headers=headers
            )
        )
