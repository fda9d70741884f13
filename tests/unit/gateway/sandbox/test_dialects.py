import pytest

from gateway.sandbox.dialects import find_dialect
from gateway.sandbox.request import RequestReader
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
    ],
)
def test_a_path_is_one_dialects(path: str, header: str, dialect: str):
    (request,) = RequestReader().feed(f"GET {path} HTTP/1.1\r\nhost: a\r\n{header}\r\n".encode())

    assert find_dialect(request).name == dialect


@pytest.mark.parametrize("slot", ["x_api_key", "api_key", "x_goog_api_key"])
def test_our_own_key_is_refused_in_any_slot_even_beside_a_good_one(slot: str):
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}

    assert ask(new_sandbox(), "/v1/chat/completions", asked).status == 200
    assert ask(new_sandbox(), "/v1/chat/completions", asked, **{slot: "lk-leaked"}).status == 401


def test_accepted_keys_are_a_setting():
    sandbox = new_sandbox(key_prefixes=("sk-test-", "acme-"))

    assert ask(sandbox, "/v1/models", method="GET").status == 401
    assert ask(sandbox, "/v1/models", method="GET", authorization="Bearer acme-1").status == 200
