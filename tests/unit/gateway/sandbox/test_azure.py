from typing import Any

import pytest

from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

HELLO = [{"role": "user", "content": "hello"}]
LEGACY = "/openai/deployments/sandbox-deployment/chat/completions?api-version=2025-04-01-preview"


def azure(path: str = LEGACY, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    given = {"authorization": None, "api_key": KEY, **headers}
    return ask(new_sandbox(), path, {"messages": HELLO, **(more or {})}, **given)


def test_the_deployment_in_the_path_decides_the_model():
    told = azure(more={"model": "ignored"})

    assert told.json["model"] == "gpt-4o-mini-2024-07-18"
    assert list(told.json) == sorted(told.json)
    assert told.json["prompt_filter_results"][0]["content_filter_results"]["jailbreak"]["detected"] is False
    assert told.json["choices"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert told.entry
    assert (told.entry.dialect, told.entry.endpoint) == ("azure", "chat.completions")


def test_a_stream_begins_with_the_verdict_on_the_prompt():
    first, role, word, *_, finish, usage, done = azure(
        more={"stream": True, "stream_options": {"include_usage": True}}
    ).events

    assert (first["choices"], first["id"], first["model"], "usage" in first) == ([], "", "", False)
    assert first["prompt_filter_results"][0]["prompt_index"] == 0
    assert role["choices"][0]["content_filter_results"] == {}
    assert word["choices"][0]["content_filter_results"]["violence"]["severity"] == "safe"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], done) == ([], "[DONE]")
    assert usage["usage"]["completion_tokens"] == 16


def test_verdicts_may_come_after_the_words():
    told = azure(more={"stream": True}, x_sandbox_async_filter="true", x_sandbox_tokens="2")

    first, _, *words, finish, verdict, done = told.events
    assert first["prompt_filter_results"][0]["prompt_index"] == 0
    assert [word["choices"][0]["content_filter_results"] for word in words] == [{}, {}]
    said = sum(len(word["choices"][0]["delta"]["content"]) for word in words)
    (choice,) = verdict["choices"]
    assert "delta" not in choice
    assert choice["content_filter_offsets"] == {"check_offset": said, "start_offset": 0, "end_offset": said}
    assert (finish["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")


def test_an_answer_names_its_deployment_and_the_one_it_stands_in_for():
    assert azure().headers["x-ms-deployment-name"] == "sandbox-deployment"
    assert azure("/openai/v1/chat/completions", {"model": "gpt-4o"}).headers["x-ms-deployment-name"] == "gpt-4o"
    spilled = azure(x_sandbox_spillover="standard-one").headers
    assert spilled["x-ms-deployment-name"] == "standard-one"
    assert spilled["x-ms-spillover-from-deployment"] == "sandbox-deployment"
    assert "x-ms-deployment-name" not in azure(more={"tone": 1}).headers


def test_v1_names_the_deployment_in_the_body_and_needs_no_version():
    assert azure("/openai/v1/chat/completions", {"model": "sandbox-deployment"}).status == 200
    assert azure("/openai/v1/chat/completions").json["error"]["message"] == "you must provide a model parameter"


@pytest.mark.parametrize("given", [{"api_key": "wrong"}, {"api_key": None}, {"authorization": "Bearer lk-x"}])
def test_a_missing_wrong_or_leaked_key_is_401_in_azures_shape(given: dict[str, Any]):
    told = azure(**given)

    assert told.status == 401
    assert told.json["error"]["code"] == "401"
    assert told.json["error"]["message"].startswith("Access denied due to invalid subscription key")


def test_a_bearer_token_is_taken_too():
    assert azure(api_key=None, authorization=f"Bearer {KEY}").status == 200


def test_without_a_version_there_is_no_such_resource():
    told = azure(LEGACY.partition("?")[0])

    assert (told.status, told.json["error"]) == (404, {"code": "404", "message": "Resource not found"})
    assert azure("/openai/nothing?api-version=2025-01-01").status == 404


def test_an_unknown_deployment_is_named_so():
    told = azure(LEGACY.replace("sandbox-deployment", "gone"))

    assert (told.status, told.json["error"]["code"]) == (404, "DeploymentNotFound")


@pytest.mark.parametrize(
    ("version", "status"), [("2024-08-01-preview", 400), ("2024-09-01-preview", 200), ("preview", 200)]
)
def test_usage_in_streams_needs_a_version_that_has_it(version: str, status: int):
    path = LEGACY.replace("2025-04-01-preview", version)

    assert azure(path, {"stream": True, "stream_options": {"include_usage": True}}).status == status
