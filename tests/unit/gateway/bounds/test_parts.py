import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bounds.parts import Parts, images_of, parts_in, parts_of

URL = "data:image/png;base64,AAAA"
OPAQUE = Parts(opaque=True)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": URL, "detail": "high"}},
        {"type": "image_url", "image_url": URL},
        {"type": "input_image", "image_url": URL},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": URL}},
        {"inlineData": {"mimeType": "image/png", "data": URL}},
        {"inline_data": {"mime_type": "IMAGE/PNG", "data": URL}},
        {"image": {"format": "png", "source": {"bytes": URL}}},
        {"image": URL},
        {"image_url": URL},
        {"image_url": {"url": URL}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": URL}}]},
        {
            "functionResponse": {
                "name": "f",
                "response": {},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": URL}}],
            }
        },
    ],
)
def test_an_image_is_found_wherever_an_api_has_it_and_its_data_is_no_text(part):
    message = {"role": "user", "content": [part, {"type": "text", "text": "what is it?"}]}
    found = parts_of([message])
    assert (found.images, found.opaque) == (1, False)
    assert len(URL) <= found.image_characters <= len(URL) + len("base64")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_file", "file_id": "file-1"},
        {"type": "file", "file": {"file_data": "AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com"}},
        {"type": "container_upload", "file_id": "file-1"},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "video_url", "video_url": {"url": "https://example.com"}},
        {"type": "brand_new"},
        {"fileData": {"fileUri": "https://example.com", "mimeType": "image/png"}},
        {"file_data": {"file_uri": "https://example.com"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        {"inlineData": {"data": "AAAA"}},
        {"document": {"format": "pdf", "source": {"bytes": "AAAA"}}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a/b"}}}},
        {"role": "assistant", "audio": {"id": "audio_1"}},
        {"id": "msg_1"},
        {"id": "msg_1", "type": None},
        {"video_url": {"url": "https://example.com"}},
        {"input_audio": {"data": "AAAA"}},
    ],
)
def test_what_has_a_size_that_nobody_can_tell_is_opaque(part):
    assert parts_of([{"role": "user", "content": [part]}]) == OPAQUE


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [{"role": "user", "content": "image_url"}],
        [{"role": "assistant", "content": None, "audio": None}],
        [{"type": "function_call", "arguments": '{"type":"file"}'}],
        [{"type": "tool_use", "input": {"type": "document", "source": {"type": "base64", "data": "A" * 99}}}],
        [{"functionCall": {"name": "f", "args": {"inlineData": {"mimeType": "image/png", "data": "A" * 99}}}}],
        [{"toolResult": {"content": [{"json": {"image": {"source": {"bytes": "A" * 99}}}}]}}],
        [{"type": "computer_call", "id": "a", "action": {"type": "click", "x": 1, "y": 2}}],
        [{"type": "computer_call", "id": "a", "actions": [{"type": "screenshot"}]}],
        [{"type": "local_shell_call", "id": "a", "action": {"type": "exec", "command": ["ls"], "env": {}}}],
        [{"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": "b"}}],
        [{"type": "web_search_call", "id": "a", "action": {"type": "open_page", "url": "https://example.com"}}],
        [{"type": "shell_call", "call_id": "a", "action": {"commands": ["ls"]}, "environment": {"type": "local"}}],
        [{"type": "shell_call_output", "output": [{"stdout": "a", "outcome": {"type": "exit", "exit_code": 0}}]}],
        [{"type": "function_call_output", "output": "a", "caller": {"type": "direct"}}],
        [{"type": "thought", "signature": "a"}, {"type": "function_result", "call_id": "a", "result": "b"}],
        [{"role": "user", "content": [{"text": "a"}, {"cachePoint": {"type": "default"}}]}],
        [{"role": "assistant", "content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "b"}]}],
        [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}],
    ],
)
def test_texts_and_what_tools_were_called_with_are_text(value):
    assert parts_of(value) == Parts()


FUNCTION = {"type": "function", "name": "f"}
SEARCH = {"type": "web_search_20250305", "name": "w"}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "compaction_trigger"},
        {"type": "additional_tools", "role": "developer", "tools": [FUNCTION, {"type": "web_search"}]},
        {"type": "additional_tools", "role": "developer", "tools": ["web_search"]},
        {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": SEARCH}},
    ],
)
def test_what_starts_work_beside_the_answer_is_seen_amid_the_input(item):
    found = parts_of([{"role": "user", "content": [item]}])
    assert (found.acts, found.opaque) == (True, True)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "additional_tools", "role": "developer", "tools": [FUNCTION, {"type": "custom", "name": "c"}]},
        {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "f", "input_schema": {}}}},
        {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}},
    ],
)
def test_tools_of_the_client_s_may_be_added_amid_the_input(item):
    assert parts_of([item]) == OPAQUE


@pytest.mark.parametrize(("ttl", "lasts"), [("12h", True), ("30m", False), (None, False)])
def test_a_part_may_ask_for_a_longer_cache(ttl, lasts):
    part = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": ttl}}
    assert parts_of([{"role": "user", "content": [part]}]) == Parts(lasting=lasts)


def test_a_list_of_images_holds_nothing_else():
    assert images_of(["AAAA", "AA", 7]) == Parts(images=3, image_characters=6)
    assert images_of("AAAA") == Parts()


def test_parts_add_up():
    assert Parts(1, 2) + Parts(3, 4, True) == Parts(4, 6, True)


def test_depth_is_no_recursion():
    value: object = "a"
    for _ in range(100_000):
        value = [value]
    assert parts_of(value) == Parts()


_NAMES = st.sampled_from(["role", "name", "content", "parts", "type", "text", "image", "document", "source"])
_WORDS = st.sampled_from(["", "user", "text", "input_text", "image", "file", "hi"])
CONTENT = st.recursive(
    _WORDS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3)
)


@given(CONTENT)
def test_a_text_holds_what_its_value_does_however_it_is_read(content: object):
    assert parts_in(msgspec.Raw(json.dumps(content).encode())) == parts_of(content)


@pytest.mark.parametrize("text", [b'"\xff"', b"[", b"nul"])
def test_what_is_no_json_has_no_parts(text: bytes):
    with pytest.raises(msgspec.ValidationError):
        parts_in(msgspec.Raw(text))
