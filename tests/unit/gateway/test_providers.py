"""The table of providers, and what is found at their paths."""

import pytest

from gateway.endpoints import APIS, WEBSOCKET
from gateway.providers import PROVIDERS, find_endpoint, rows_of
from pricing.catalog import Catalog, Unpriced

ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0"
VERTEX = "/v1/projects/p/locations/global/publishers"


@pytest.mark.parametrize(
    ("provider", "method", "path", "name", "model"),
    [
        ("openai", "POST", "/v1/chat/completions", "chat.completions", ""),
        ("openai", "POST", "/v1/responses", "responses", ""),
        ("openai", "GET", "/v1/responses/resp_1", "responses.retrieve", ""),
        ("openai", WEBSOCKET, "/v1/responses", "responses.socket", ""),
        ("openai", WEBSOCKET, "/v1/realtime", "realtime", ""),
        ("openai", "GET", "/v1/models/ft:gpt-4o:acme::id", "models.retrieve", ""),
        ("openai", "POST", "/v1/images/edits", "images", ""),
        ("openai", "GET", "/v1/files/file-1/content", "files", ""),
        ("azure", "POST", "/openai/deployments/prod-chat/chat/completions", "chat.completions", "prod-chat"),
        ("azure", "POST", "/openai/v1/chat/completions", "chat.completions", ""),
        ("azure", "GET", "/openai/batches/b1", "batches.retrieve", ""),
        ("anthropic", "POST", "/v1/messages", "messages", ""),
        ("anthropic", "GET", "/v1/messages/batches/b/results", "messages.batches.results", ""),
        ("gemini", "POST", "/v1beta/models/gemini-2.5-pro:generateContent", "generate_content", "gemini-2.5-pro"),
        ("gemini", "POST", "/v1beta/models/m:batchEmbedContents", "embed_content", "m"),
        ("gemini", "POST", "/v1beta/openai/chat/completions", "chat.completions", ""),
        ("vertex", "POST", f"{VERTEX}/google/models/g:streamGenerateContent", "generate_content", "g"),
        ("vertex", "POST", f"{VERTEX}/anthropic/models/c@1:rawPredict", "messages", "c@1"),
        ("vertex", "POST", f"{VERTEX}/anthropic/models/count-tokens:rawPredict", "messages.count_tokens", ""),
        ("gemini", "GET", "/v1/interactions/i1", "interactions.retrieve", ""),
        ("gemini", "POST", "/v1beta/interactions/i1/cancel", "interactions.retrieve", ""),
        ("gemini", "DELETE", "/v1beta/interactions/i1", "interactions.delete", ""),
        ("bedrock", "POST", "/model/anthropic.claude-v2%3A1/invoke", "invoke", "anthropic.claude-v2%3A1"),
        ("bedrock", "POST", f"/model/{ARN}/converse-stream", "converse", ARN),
        ("deepseek", "POST", "/chat/completions", "chat.completions", ""),
        ("deepseek", "POST", "/anthropic/v1/messages", "messages", ""),
        ("cohere", "POST", "/v2/rerank", "rerank", ""),
        ("ollama", "POST", "/api/chat", "chat", ""),
        ("mistral", "POST", "/v1/ocr", "ocr", ""),
        ("voyage", "POST", "/v1/rerank", "rerank", ""),
    ],
)
def test_an_operation_is_found_with_the_model_its_path_names(provider, method, path, name, model):
    endpoint, named = find_endpoint(PROVIDERS[provider], method, path)
    assert (endpoint.name, named) == (name, model)


@pytest.mark.parametrize(
    ("provider", "method", "path"),
    [
        ("openai", "DELETE", "/v1/chat/completions"),
        ("openai", "POST", "/v1/chat/completions/"),
        ("openai", "POST", "/v1//chat/completions"),
        ("openai", "POST", "/V1/chat/completions"),
        ("openai", "POST", "/v1/videos"),
        ("openai", "POST", "/v1/assistants"),
        ("openai", "POST", "/v1/realtime/client_secrets"),
        ("openai", "GET", "/v1/realtime"),
        ("openai", "GET", "/v1/models/"),
        ("openai", "GET", "/v1/models/a/b"),
        ("azure", "POST", "/openai/deployments//chat/completions"),
        ("anthropic", "POST", "/v1/complete"),
        ("gemini", "POST", "/v1beta/models/a:b:generateContent"),
        ("gemini", "POST", "/v1beta/models/a/b:generateContent"),
        ("gemini", "POST", "/v1beta/models/a%3Ab:generateContent"),
        ("gemini", "POST", "/v2/models/a:generateContent"),
        ("bedrock", "POST", "/model/a/b/converse"),
        ("bedrock", "POST", "/model/a%23b/converse"),
        ("bedrock", "POST", "/model/a/async-invoke"),
        ("ollama", "POST", "/api/pull"),
        ("groq", "POST", "/v1/images/generations"),
    ],
)
def test_anything_else_is_not_known(provider, method, path):
    assert find_endpoint(PROVIDERS[provider], method, path) is None


def test_every_api_belongs_to_a_provider_and_no_provider_has_an_operation_twice():
    assert {api for row in PROVIDERS.values() for api in row.apis} == set(APIS)
    for provider in PROVIDERS.values():
        requests = [(row.method, row.path) for row in rows_of(provider)]
        assert len(requests) == len(set(requests))


@pytest.mark.parametrize("row", [row for row in PROVIDERS.values() if row.catalog], ids=lambda row: row.name)
def test_the_catalog_knows_every_provider_by_the_name_given(row):
    price = Catalog.load().find(row.catalog, "no such model", 1_795_435_200)
    assert isinstance(price, Unpriced)
    assert price.reason == "unknown_model"


def test_only_self_hosted_providers_are_reached_without_tls():
    plain = {row.name for row in PROVIDERS.values() if row.origin.startswith("http:")}
    assert plain == {"ollama", "vllm", "llamacpp"}
