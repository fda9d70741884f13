"""The table of operations: what is metered, what is free, and that nothing else is known."""

import pytest

from gateway.metering.meter import READERS
from gateway.providers import PATHS, PROVIDERS, find_endpoint
from pricing.catalog import Catalog, Unpriced


@pytest.mark.parametrize(
    ("dialect", "method", "path", "name", "model"),
    [
        ("openai", "POST", "/v1/chat/completions", "chat.completions", ""),
        ("openai", "POST", "/v1/responses", "responses", ""),
        ("openai", "GET", "/v1/responses/resp_1", "responses.retrieve", ""),
        ("openai", "GET", "/v1/models/gpt-5-mini", "models.retrieve", ""),
        ("azure", "POST", "/openai/deployments/prod-chat/chat/completions", "chat.completions", "prod-chat"),
        ("azure", "POST", "/openai/v1/chat/completions", "chat.completions", ""),
        ("anthropic", "POST", "/v1/messages", "messages", ""),
        ("anthropic", "POST", "/v1/messages/count_tokens", "messages.count_tokens", ""),
        ("gemini", "POST", "/v1beta/models/gemini-2.5-pro:generateContent", "generate_content", "gemini-2.5-pro"),
        ("gemini", "POST", "/v1/models/gemini-2.5-pro:streamGenerateContent", "generate_content", "gemini-2.5-pro"),
        ("gemini", "POST", "/v1beta/models/m:batchEmbedContents", "embed_content", "m"),
    ],
)
def test_an_operation_is_found_with_the_model_its_path_names(dialect, method, path, name, model):
    endpoint, named = find_endpoint(dialect, method, path)
    assert (endpoint.name, named) == (name, model)


@pytest.mark.parametrize(
    ("dialect", "method", "path"),
    [
        ("openai", "GET", "/v1/chat/completions"),
        ("openai", "POST", "/v1/chat/completions/"),
        ("openai", "POST", "/v1//chat/completions"),
        ("openai", "POST", "/V1/chat/completions"),
        ("openai", "POST", "/v1/images/generations"),
        ("openai", "POST", "/v1/responses/resp_1/cancel"),
        ("openai", "GET", "/v1/models/"),
        ("openai", "GET", "/v1/models/a/b"),
        ("azure", "POST", "/openai/deployments//chat/completions"),
        ("anthropic", "POST", "/v1/messages/batches"),
        ("gemini", "POST", "/v1beta/models/a:b:generateContent"),
        ("gemini", "POST", "/v1beta/models/a/b:generateContent"),
        ("gemini", "POST", "/v2/models/a:generateContent"),
    ],
)
def test_anything_else_is_not_known(dialect, method, path):
    assert find_endpoint(dialect, method, path) is None


def test_a_metered_operation_has_a_reader():
    readers = {endpoint.reader for rows in PATHS.values() for _, _, endpoint in rows if endpoint.reader}
    assert readers == set(READERS)


def test_every_read_only_operation_is_free_and_every_generating_one_is_metered():
    for rows in PATHS.values():
        for method, path, endpoint in rows:
            assert not (endpoint.reader and method != "POST"), path
            if path.endswith(("completions", "/embeddings", "/messages", "GenerateContent", ":generateContent")):
                assert endpoint.reader, path


@pytest.mark.parametrize("row", [row for row in PROVIDERS.values() if row.catalog], ids=lambda row: row.name)
def test_the_catalog_knows_every_provider_by_the_name_given(row):
    price = Catalog.load().find(row.catalog, "no such model", 1_795_435_200)
    assert isinstance(price, Unpriced)
    assert price.reason == "unknown_model"


def test_only_self_hosted_providers_are_reached_without_tls():
    assert {row.name for row in PROVIDERS.values() if row.origin.startswith("http:")} == {"ollama", "vllm"}
