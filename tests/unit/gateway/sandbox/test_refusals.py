from typing import Any

import pytest

from gateway.sandbox.refusals import WORDINGS
from tests.support.sandbox_calls import Told, ask, new_sandbox

# The operation and a body that would be accepted.
HELLO = [{"role": "user", "content": "hello"}]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "mistral": ("/v1/chat/completions", {"model": "mistral-small-latest", "messages": HELLO}),
    "groq": ("/openai/v1/chat/completions", {"model": "llama-3.3-70b-versatile", "messages": HELLO}),
    "cohere": ("/v2/chat", {"model": "command-a-03-2025", "messages": HELLO}),
    "together": ("/v1/chat/completions", {"model": "moonshotai/Kimi-K3", "messages": HELLO}),
    "ollama": ("/api/chat", {"model": "llama3.2", "messages": HELLO}),
    "deepseek": ("/chat/completions", {"model": "deepseek-v3.1-terminus", "messages": HELLO}),
    "xai": ("/v1/chat/completions", {"model": "grok-3-mini", "messages": HELLO}),
    "openrouter": ("/api/v1/chat/completions", {"model": "openai/gpt-4o-mini", "messages": HELLO}),
    "perplexity": ("/chat/completions", {"model": "sonar", "messages": HELLO}),
    "cerebras": ("/v1/chat/completions", {"model": "gpt-oss-120b", "messages": HELLO}),
    "moonshot": ("/v1/chat/completions", {"model": "kimi-k2.6", "messages": HELLO}),
    "zai": ("/api/paas/v4/chat/completions", {"model": "glm-4.6", "messages": HELLO}),
    "voyage": ("/v1/embeddings", {"model": "voyage-3.5", "input": "hello"}),
    "vllm": ("/v1/chat/completions", {"model": "Qwen/Qwen3-8B", "messages": HELLO}),
    "llama.cpp": ("/v1/chat/completions", {"model": "gemma-3-4b-it-Q4_K_M.gguf", "messages": HELLO}),
}
KEYLESS = ("ollama", "vllm", "llama.cpp")


def call(provider: str, document: Any = None, **headers: Any) -> Told:
    path, good = CALLS[provider]
    return ask(new_sandbox(), path, good if document is None else document, x_sandbox_provider=provider, **headers)


def refused(provider: str, document: Any = None, **headers: Any) -> tuple[int, Any]:
    told = call(provider, document, **headers)
    assert told.entry is None
    return told.status, told.json


@pytest.mark.parametrize("provider", WORDINGS)
def test_a_good_call_is_billed_under_the_providers_name(provider: str):
    told = call(provider)

    assert told.status == 200
    assert told.entry
    assert told.entry.dialect == provider


@pytest.mark.parametrize("provider", WORDINGS)
def test_a_wrong_key_and_our_own_are_refused(provider: str):
    status = 400 if provider == "xai" else 401
    for key in ("sk-of-nobody", "lk-of-the-gateway"):
        assert call(provider, authorization=f"Bearer {key}").status == status
        assert key.encode() not in call(provider, authorization=f"Bearer {key}").body


@pytest.mark.parametrize("provider", WORDINGS)
def test_only_servers_of_ones_own_take_no_key(provider: str):
    assert call(provider, authorization=None).status == (200 if provider in KEYLESS else 401)


@pytest.mark.parametrize("provider", KEYLESS)
def test_our_key_in_a_wrong_slot_is_refused_by_those_too(provider: str):
    assert call(provider, authorization=None, x_api_key="lk-of-the-gateway").status == 401


MODEL_REFUSALS = {
    "mistral": (400, {"object": "error", "message": "Invalid model: no", "type": "invalid_model", "param": "model",
                      "code": "1500"}),
    "cohere": (404, {"id": "00000000-0000-4000-8000-000000000000", "message": "model 'no' not found, make sure the "
                     "correct model ID was used and that you have access to the model."}),
    "ollama": (404, {"error": "model 'no' not found"}),
    "xai": (404, {"code": "Some requested entity was not found",
                  "error": "The model no does not exist or your team does not have access to it."}),
    "openrouter": (400, {"error": {"message": "no is not a valid model ID", "code": 400}, "user_id": "user_sandbox"}),
    "cerebras": (404, {"message": "Model no does not exist or you do not have access to it.",
                       "type": "not_found_error", "param": "model", "code": "model_not_found"}),
    "zai": (400, {"error": {"code": "1211", "message": "Unknown Model, please check the model code."}}),
    "vllm": (404, {"error": {"message": "The model `no` does not exist.", "type": "NotFoundError", "param": "model",
                             "code": 404}}),
}  # fmt: skip


@pytest.mark.parametrize("provider", MODEL_REFUSALS)
def test_an_unknown_model_is_refused_in_the_providers_shape(provider: str):
    asked = {**CALLS[provider][1], "model": "no"}

    assert refused(provider, asked, x_sandbox_frozen="true") == MODEL_REFUSALS[provider]


def test_voyage_names_the_models_it_has():
    status, said = refused("voyage", {"model": "no", "input": "hello"})

    assert status == 400
    assert said["detail"].startswith("Model no is not supported. Supported models are ['voyage-3.5'")


@pytest.mark.parametrize(
    ("provider", "status"),
    [("mistral", 422), ("groq", 400), ("cerebras", 400), ("cohere", 422), ("voyage", 400)],
)
def test_some_know_no_field_but_their_own(provider: str, status: int):
    assert refused(provider, {**CALLS[provider][1], "colour": "red"})[0] == status


@pytest.mark.parametrize(
    "provider", ["together", "ollama", "deepseek", "xai", "openrouter", "perplexity", "moonshot", "zai", "vllm"]
)
def test_the_others_take_what_they_do_not_know(provider: str):
    assert call(provider, {**CALLS[provider][1], "colour": "red"}).status == 200


def test_mistral_refuses_stream_options_and_says_where_they_are():
    asked = {**CALLS["mistral"][1], "stream": True, "stream_options": {"include_usage": True}}

    status, said = refused("mistral", asked)
    assert (status, said["object"], said["code"]) == (422, "error", None)
    (fault,) = said["message"]["detail"]
    assert (fault["type"], fault["loc"]) == ("extra_forbidden", ["body", "stream_options"])


@pytest.mark.parametrize("provider", WORDINGS)
def test_what_is_no_json_is_refused(provider: str):
    assert refused(provider, b"{")[0] in (400, 422)
    assert refused(provider, content_type="text/plain")[0] in (400, 422)


@pytest.mark.parametrize("provider", WORDINGS)
def test_a_missing_field_and_a_wrong_value_are_refused(provider: str):
    good = CALLS[provider][1]
    (required,) = good.keys() & {"messages", "input"}
    assert refused(provider, {**good, required: 5})[0] in (400, 422)
    if provider != "ollama":
        assert refused(provider, {"model": good["model"]})[0] in (400, 422)


@pytest.mark.parametrize("provider", WORDINGS)
@pytest.mark.parametrize("status", [401, 404, 418, 429, 500, 503])
def test_failures_as_ordered_have_the_status_and_the_wait(provider: str, status: int):
    told = call(provider, x_sandbox_fail_status=str(status), x_sandbox_retry_after_s="3")

    assert (told.status, told.headers["retry-after"], told.entry) == (status, "3", None)
    assert told.json


@pytest.mark.parametrize("provider", WORDINGS)
def test_an_unknown_path_and_a_misused_control_are_refused(provider: str):
    path = CALLS[provider][0]
    assert ask(new_sandbox(), path + "x", CALLS[provider][1], x_sandbox_provider=provider).status == 404
    assert refused(provider, x_sandbox_cache_write_1h_tokens="5")[0] == 400


def test_a_failure_in_the_middle_of_a_stream_is_told_as_each_tells_it():
    stream = {"stream": True}
    groq = call("groq", {**CALLS["groq"][1], **stream}, x_sandbox_error_after_chunks="2")
    ollama = call("ollama", x_sandbox_error_after_chunks="2")
    xai = call("xai", {**CALLS["xai"][1], **stream}, x_sandbox_error_after_chunks="2")

    assert b'event: error\ndata: {"error":{"message":"Internal Server Error"' in groq.body
    assert groq.events[-1]["error"]["status_code"] == 500
    assert ollama.body.endswith(b'{"error":"an error was encountered while running the model"}\n')
    assert xai.events[-1] == {"code": "Internal error", "error": "Internal error"}
