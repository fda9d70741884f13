import pytest

from gateway.sandbox.routes import find_route
from tests.support.sandbox_calls import ask, new_sandbox

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("dialect", "method", "path", "endpoint", "model"),
    [
        ("openai", "POST", "/v1/chat/completions", "chat.completions", ""),
        ("openai", "GET", "/v1/models/gpt-4o", "models.retrieve", "gpt-4o"),
        ("azure", "POST", "/openai/deployments/d/chat/completions", "chat.completions", "d"),
        ("azure", "POST", "/openai/v1/responses", "responses", ""),
        ("azure", "POST", "/openai/responses", "responses", ""),
        ("openai", "DELETE", "/v1/files/file-a", "files.delete", ""),
        ("anthropic", "POST", "/v1/messages/count_tokens", "messages.count_tokens", ""),
        ("gemini", "POST", "/v1beta/models/m:streamGenerateContent", "generate_content", "m"),
        ("gemini", "POST", "/v1/models/m:embedContent", "embed_content", "m"),
        ("gemini", "POST", "/upload/v1beta/files", "files", ""),
        ("anthropic", "POST", "/anthropic/v1/messages", "messages", ""),
        ("bedrock", "POST", "/model/a%2Fb:0/converse-stream", "converse", "a%2Fb:0"),
        ("vertex", "POST", "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", "messages", "m"),
        ("mistral", "POST", "/v1/fim/completions", "fim.completions", ""),
        ("groq", "POST", "/openai/v1/audio/translations", "audio.translations", ""),
        ("cohere", "POST", "/v2/chat", "chat", ""),
        ("cohere", "POST", "/v1/chat", "v1.chat", ""),
        ("cohere", "POST", "/compatibility/v1/embeddings", "embeddings", ""),
        ("ollama", "POST", "/api/generate", "generate", ""),
        ("ollama", "POST", "/v1/completions", "completions", ""),
        ("deepseek", "POST", "/chat/completions", "chat.completions", ""),
        ("deepseek", "POST", "/v1/chat/completions", "chat.completions", ""),
        ("zai", "GET", "/api/paas/v4/models/glm-4.6", "models.retrieve", "glm-4.6"),
    ],
)
def test_a_path_is_one_operation(dialect: str, method: str, path: str, endpoint: str, model: str):
    found = find_route(dialect, method, path)

    assert found
    assert (found.route.endpoint, found.path_model) == (endpoint, model)


@pytest.mark.parametrize(
    ("dialect", "method", "path", "endpoint", "names"),
    [
        ("openai", "GET", "/v1/vector_stores/a/files/b", "vector_stores.files", ("a", "b")),
        ("gemini", "GET", "/v1beta/interactions/v1_a", "interactions.retrieve", ("v1_a", "")),
        ("anthropic", "GET", "/v1/messages/batches/b/results", "messages.batches.results", ("b", "")),
        ("anthropic", "DELETE", "/v1/files/f", "files.delete", ("f", "")),
    ],
)
def test_a_path_may_name_things(dialect: str, method: str, path: str, endpoint: str, names: tuple[str, str]):
    found = find_route(dialect, method, path)

    assert found
    assert (found.route.endpoint, (found.path_id, found.path_part)) == (endpoint, names)


@pytest.mark.parametrize(
    ("dialect", "method", "path"),
    [
        ("openai", "GET", "/v1/chat/completions"),
        ("openai", "POST", "/v1/chat/completions/"),
        ("openai", "POST", "/v1/messages"),
        ("openai", "PUT", "/v1/models"),
        ("azure", "POST", "/openai/deployments/a/b/chat/completions"),
        ("gemini", "POST", "/v1alpha/models/m:generateContent"),
        ("anthropic", "POST", "/anthropic/messages"),
        ("bedrock", "POST", "/model/a/b/converse"),
        ("bedrock", "GET", "/model/m/converse"),
        ("vertex", "POST", "/v1/projects/p/publishers/google/models/m:predict"),
        ("groq", "POST", "/v1/chat/completions"),
        ("perplexity", "POST", "/v1/chat/completions"),
        ("openrouter", "POST", "/v1/chat/completions"),
        ("cohere", "POST", "/v2/tokenize"),
        ("xai", "POST", "/v1/completions"),
    ],
)
def test_other_paths_are_none(dialect: str, method: str, path: str):
    assert find_route(dialect, method, path) is None


@pytest.mark.parametrize(
    "control",
    [
        {"x_sandbox_cache_write_tokens": "5"},
        {"x_sandbox_error_after_chunks": "1"},
        {"x_sandbox_colour": "red"},
        {"x_sandbox_web_searches": "1"},
        {"x_sandbox_iterations": "advisor"},
        {"x_sandbox_polls": "1"},
        {"x_sandbox_spillover": "other"},
        {"x_sandbox_async_filter": "true"},
        {"x_sandbox_cached_audio_tokens": "5"},
    ],
)
def test_a_control_that_would_be_ignored_is_refused_unbilled(control: dict[str, str]):
    sandbox = new_sandbox()
    told = ask(sandbox, "/v1/chat/completions", CHAT, **control)

    assert (told.status, told.json["error"]["code"]) == (400, "invalid_sandbox_control")
    assert sandbox.bill.totals().calls == 0


def test_a_path_may_name_an_object_and_one_within_it():
    found = find_route("openai", "GET", "/v1/vector_stores/vs_a/files/file-b")

    assert found
    assert (found.route.endpoint, found.path_id, found.path_part) == ("vector_stores.files", "vs_a", "file-b")


def test_the_credential_is_looked_at_first():
    assert ask(new_sandbox(), "/v1/nothing", b"{", authorization="Bearer wrong").status == 401
