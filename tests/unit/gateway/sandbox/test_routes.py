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
        ("anthropic", "POST", "/v1/messages/count_tokens", "messages.count_tokens", ""),
        ("gemini", "POST", "/v1beta/models/m:streamGenerateContent", "generate_content", "m"),
        ("gemini", "POST", "/v1/models/m:embedContent", "embed_content", "m"),
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
    assert (found[0].endpoint, found[1]) == (endpoint, model)


@pytest.mark.parametrize(
    ("dialect", "method", "path"),
    [
        ("openai", "GET", "/v1/chat/completions"),
        ("openai", "POST", "/v1/chat/completions/"),
        ("openai", "POST", "/v1/messages"),
        ("openai", "PUT", "/v1/models"),
        ("azure", "POST", "/openai/deployments/a/b/chat/completions"),
        ("gemini", "POST", "/v1alpha/models/m:generateContent"),
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
    ],
)
def test_a_control_that_would_be_ignored_is_refused_unbilled(control: dict[str, str]):
    sandbox = new_sandbox()
    told = ask(sandbox, "/v1/chat/completions", CHAT, **control)

    assert (told.status, told.json["error"]["code"]) == (400, "invalid_sandbox_control")
    assert sandbox.bill.totals().calls == 0


def test_the_credential_is_looked_at_first():
    assert ask(new_sandbox(), "/v1/nothing", b"{", authorization="Bearer wrong").status == 401
