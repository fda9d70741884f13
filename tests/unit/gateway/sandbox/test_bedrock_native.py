from typing import Any

import pytest

from tests.support.sandbox_calls import Told, ask, new_sandbox

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
CLAUDE_ASKED = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hello"}],
}
NOVA_ASKED = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


def invoke(model: str, document: Any, **headers: Any) -> Told:
    return ask(new_sandbox(), f"/model/{model}/invoke", document, **headers)


def test_claude_answers_as_at_anthropic_under_an_id_of_bedrocks():
    said = invoke(HAIKU, CLAUDE_ASKED, x_sandbox_tokens="2", x_sandbox_cached_tokens="5").json

    assert (said["model"], said["id"][:11]) == ("claude-haiku-4-5-20251001", "msg_bdrk_01")
    assert (said["usage"]["cache_read_input_tokens"], said["usage"]["output_tokens"]) == (5, 2)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({**CLAUDE_ASKED, "model": HAIKU}, "extraneous key [model] is not permitted"),
        ({**CLAUDE_ASKED, "stream": True}, "extraneous key [stream] is not permitted"),
        ({**CLAUDE_ASKED, "anthropic_version": "2023-06-01"}, "anthropic_version: "),
        ({"messages": CLAUDE_ASKED["messages"], "max_tokens": 9}, "required key [anthropic_version] not found"),
        ({**CLAUDE_ASKED, "thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.enabled.budget_tokens"),
    ],
)
def test_claudes_body_names_its_version_and_no_model(document: Any, text: str):
    told = invoke(HAIKU, document)

    assert told.status == 400
    assert text in told.json["message"]


def test_nova_takes_and_gives_messages_with_usage():
    said = invoke(NOVA, {**NOVA_ASKED, "inferenceConfig": {"max_new_tokens": 2}}, x_sandbox_cached_tokens="5").json

    assert said["stopReason"] == "max_tokens"
    assert len(said["output"]["message"]["content"][0]["text"].split()) == 2
    assert said["usage"] == {
        "inputTokens": 9,
        "outputTokens": 2,
        "totalTokens": 16,
        "cacheReadInputTokenCount": 5,
        "cacheWriteInputTokenCount": 0,
    }


def test_llama_takes_a_prompt():
    said = invoke(LLAMA, {"prompt": "eightish", "max_gen_len": 3}).json

    assert (said["prompt_token_count"], said["generation_token_count"], said["stop_reason"]) == (2, 3, "length")


def test_titan_embeds_one_text():
    told = invoke(TITAN, {"inputText": "eightish", "dimensions": 256})

    assert (len(told.json["embedding"]), told.json["inputTextTokenCount"]) == (256, 2)
    assert told.entry
    assert told.entry.tokens.input == 2
    assert invoke(TITAN, {"inputText": "x", "dimensions": 100}).status == 400


@pytest.mark.parametrize(("model", "document"), [(NOVA, NOVA_ASKED), (LLAMA, {"prompt": "x"}), (HAIKU, CLAUDE_ASKED)])
def test_what_does_not_think_cannot_be_told_to(model: str, document: Any):
    assert invoke(model, document, x_sandbox_reasoning_tokens="4").status == 400


@pytest.mark.parametrize(
    ("model", "document"),
    [(NOVA, {"messages": []}), (LLAMA, {"prompt": ""}), (TITAN, {}), ("openai.gpt-oss-120b-1:0", {})],
)
def test_other_bodies_are_400(model: str, document: Any):
    assert invoke(model, document).headers["x-amzn-errortype"] == "ValidationException"
