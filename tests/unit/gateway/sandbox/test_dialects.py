from typing import get_args

import pytest

from gateway.sandbox.controls import Controls, Provider
from gateway.sandbox.dialects import DIALECTS, find_dialect
from gateway.sandbox.request import Request, RequestReader
from tests.support.sandbox_calls import ask, new_sandbox


@pytest.mark.parametrize(
    ("path", "header", "dialect"),
    [
        ("/v1/chat/completions", "", "openai"),
        ("/v1/models", "", "openai"),
        ("/v1/models", "anthropic-version: 1\r\n", "anthropic"),
        ("/v1/models/x", "x-goog-api-key: 1\r\n", "gemini"),
        ("/v1/models?key=1", "", "gemini"),
        ("/v1/models/x:generateContent", "", "gemini"),
        ("/v1beta/models", "", "gemini"),
        ("/v1/messages", "", "anthropic"),
        ("/openai/v1/models", "anthropic-version: 1\r\n", "azure"),
        ("/model/m/converse", "", "bedrock"),
        ("/v1/projects/p/locations/l/publishers/google/models/m:predict", "", "vertex"),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m:predict", "x-goog-api-key: 1\r\n", "vertex"),
        ("/anthropic/v1/messages", "", "anthropic"),
        ("/v1/files", "anthropic-version: 1\r\n", "anthropic"),
        ("/v1/files", "x-goog-api-key: 1\r\n", "gemini"),
        ("/v1/files", "", "openai"),
        ("/upload/v1beta/files", "", "gemini"),
        ("/v1/interactions", "", "gemini"),
        ("/anything", "", "openai"),
        ("/v1/models/grok-3-mini", "", "xai"),
        ("/v2/chat", "", "cohere"),
        ("/v1/chat", "", "cohere"),
        ("/compatibility/v1/chat/completions", "", "cohere"),
        ("/api/paas/v4/chat/completions", "", "zai"),
        ("/api/v1/chat/completions", "", "openrouter"),
        ("/api/chat", "", "ollama"),
        ("/v1/ocr", "", "mistral"),
        ("/v1/multimodalembeddings", "", "voyage"),
        ("/chat/completions", "", "perplexity"),
    ],
)
def test_a_path_is_one_dialects(path: str, header: str, dialect: str):
    (request,) = RequestReader().feed(f"GET {path} HTTP/1.1\r\nhost: a\r\n{header}\r\n".encode())

    assert find_dialect(request).name == dialect


JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data; boundary=b"


def post(path: str, body: bytes, content_type: str = JSON_TYPE) -> Request:
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    (request,) = RequestReader().feed(head.encode() + body)
    return request


@pytest.mark.parametrize(
    ("path", "model", "dialect"),
    [
        ("/v1/chat/completions", "gpt-4o", "openai"),
        ("/v1/chat/completions", "mistral-small-latest", "mistral"),
        ("/v1/chat/completions", "moonshotai/Kimi-K3", "together"),
        ("/openai/v1/chat/completions", "gpt-4o", "azure"),
        ("/openai/v1/chat/completions", "llama-3.3-70b-versatile", "groq"),
        ("/chat/completions", "deepseek-v3.1-terminus", "deepseek"),
        ("/v1/rerank", "rerank-2.5", "voyage"),
        ("/v1/rerank", "rerank-v3.5", "cohere"),
    ],
)
def test_where_paths_are_shared_the_models_name_tells(path: str, model: str, dialect: str):
    form = f'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n{model}\r\n--b--\r\n'

    assert find_dialect(post(path, f'{{"model":"{model}"}}'.encode())).name == dialect
    assert find_dialect(post(path, form.encode(), FORM_TYPE)).name == dialect


@pytest.mark.parametrize("body", [b"", b"{", b'{"model":5}', b'{"model":"no"}', b"{\xff", b"\xff"])
def test_what_names_no_model_of_the_others_is_openais(body: bytes):
    assert find_dialect(post("/v1/chat/completions", body)).name == "openai"


def test_every_provider_can_be_asked_for():
    assert set(get_args(Provider)) == {*DIALECTS, "auto"}


@pytest.mark.parametrize("provider", DIALECTS)
def test_whoever_is_asked_for_answers(provider: str):
    assert find_dialect(post("/v1/chat/completions", b"{}"), provider).name == provider


def test_the_header_and_the_option_say_who_answers():
    by_option = new_sandbox(controls=Controls(provider="groq"))

    assert ask(by_option, "/openai/v1/models", method="GET").json["data"][0]["owned_by"] == "groq"
    assert ask(by_option, "/v1/models", method="GET", x_sandbox_provider="xai").json["data"][0]["owned_by"] == "xai"
    assert ask(new_sandbox(), "/v1/models", method="GET", x_sandbox_provider="nobody").status == 400


@pytest.mark.parametrize("slot", ["x_api_key", "api_key", "x_goog_api_key"])
def test_our_own_key_is_refused_in_any_slot_even_beside_a_good_one(slot: str):
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}

    assert ask(new_sandbox(), "/v1/chat/completions", asked).status == 200
    assert ask(new_sandbox(), "/v1/chat/completions", asked, **{slot: "lk-leaked"}).status == 401


def test_accepted_keys_are_a_setting():
    sandbox = new_sandbox(key_prefixes=("sk-test-", "acme-"))

    assert ask(sandbox, "/v1/models", method="GET").status == 401
    assert ask(sandbox, "/v1/models", method="GET", authorization="Bearer acme-1").status == 200
