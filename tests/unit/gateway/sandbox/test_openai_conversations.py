from typing import Any

from gateway.sandbox import Sandbox
from gateway.sandbox.openai_conversations import ITEMS_MAX, Conversation, kept_items
from tests.support.sandbox_calls import Told, ask, new_sandbox

PATH = "/v1/conversations"
HELLO = {"role": "user", "content": "eightish"}


def get(sandbox: Sandbox, path: str) -> Told:
    return ask(sandbox, path, method="GET")


def test_items_are_kept_with_types_and_ids():
    call: dict[str, Any] = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}
    said, answered, called = kept_items([HELLO, {"role": "assistant", "content": "yes"}, call], "a")

    assert said == {
        "id": "msg_a00", "type": "message", "role": "user", "status": "completed",
        "content": [{"type": "input_text", "text": "eightish"}],
    }  # fmt: skip
    assert answered["content"] == [{"type": "output_text", "text": "yes", "annotations": [], "logprobs": []}]
    assert called == {"id": "fc_a02", **call}
    assert kept_items("eightish", "a") == [said]


def test_a_conversation_is_kept_changed_and_deleted():
    sandbox = new_sandbox()
    made = ask(sandbox, PATH, {"items": [HELLO], "metadata": {"a": "b"}}).json
    path = f"{PATH}/{made['id']}"

    assert (made["object"], get(sandbox, path).json) == ("conversation", made)
    assert ask(sandbox, path, {"metadata": {"c": "d"}}).json["metadata"] == {"c": "d"}
    assert ask(sandbox, path, method="DELETE").json["object"] == "conversation.deleted"
    for told in (
        get(sandbox, path),
        get(sandbox, path + "/items"),
        ask(sandbox, path, {}),
        ask(sandbox, path + "/items", {}),
    ):
        assert told.status == 404


def test_items_are_added_listed_and_deleted():
    sandbox = new_sandbox()
    path = f"{PATH}/{ask(sandbox, PATH).json['id']}/items"
    added = ask(sandbox, path, {"items": [HELLO, HELLO]}).json

    names = [item["id"] for item in added["data"]]
    assert [item["id"] for item in get(sandbox, path + "?order=asc").json["data"]] == names
    assert get(sandbox, f"{path}/{names[0]}").json == added["data"][0]
    assert ask(sandbox, f"{path}/{names[0]}", method="DELETE").json["object"] == "conversation"
    assert (
        get(sandbox, f"{path}/{names[0]}").status == ask(sandbox, f"{path}/{names[0]}", method="DELETE").status == 404
    )
    assert ask(sandbox, path, {"items": []}).status == 400


def test_a_response_reads_the_conversation_and_adds_to_it():
    sandbox = new_sandbox()
    name = ask(sandbox, PATH, {"items": [HELLO]}).json["id"]
    asked = {"model": "gpt-5-mini", "input": "more", "conversation": {"id": name}}
    first, second = (ask(sandbox, "/v1/responses", asked, x_sandbox_tokens="4").json for _ in range(2))

    assert first["conversation"] == {"id": name}
    assert first["usage"]["input_tokens"] == 3 + 2 + 1
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    roles = [item["role"] for item in get(sandbox, f"{PATH}/{name}/items?order=asc").json["data"]]
    assert roles == ["user", "user", "assistant", "user", "assistant"]
    assert ask(sandbox, "/v1/responses", {**asked, "conversation": "conv_x"}).status == 404


def test_the_oldest_items_make_room():
    conversation = Conversation("conv_a", 0, {}, {})
    conversation.add([{"id": str(number)} for number in range(ITEMS_MAX + 1)])

    assert (len(conversation.items), next(iter(conversation.items))) == (ITEMS_MAX, "1")
