"""Asking for usage changes one member; stripping gives back what the provider sends without it, byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.peek import Peek, peek
from gateway.wire.splice import ask_for_usage, strip_nulls, strip_usage

ASK = b'"stream_options":{"include_usage":true}'


def asked(body: bytes) -> bytes:
    seen = peek("openai", json.loads(body))
    assert isinstance(seen, Peek)
    return ask_for_usage(body, seen)


@pytest.mark.parametrize(
    ("body", "spliced"),
    [
        (b'{"model":"m","stream":true}', b"{" + ASK + b',"model":"m","stream":true}'),
        (b' \r\n{\n "model": "m"\n}\n', b" \r\n{" + ASK + b',\n "model": "m"\n}\n'),
        (b"{ }", b"{" + ASK + b" }"),
        (b'{"stream_options":null,"a":1}', b'{"stream_options":{"include_usage":true},"a":1}'),
        (b'{"a":1,"stream_options": {} }', b'{"a":1,"stream_options": {"include_usage":true} }'),
        (
            b'{"stream_options":{"include_obfuscation":false}}',
            b'{"stream_options":{"include_usage":true,"include_obfuscation":false}}',
        ),
        (
            b'{"stream_options":{ "include_usage" : false , "x":1}}',
            b'{"stream_options":{ "include_usage" : true , "x":1}}',
        ),
        (b'{"stream_options":{"include_usage":null}}', b'{"stream_options":{"include_usage":true}}'),
        (
            rb'{"stream_\u006fptions":{"include_us\u0061ge":false}}',
            rb'{"stream_\u006fptions":{"include_us\u0061ge":true}}',
        ),
        (
            b'{"stream_options":{},"stream_options":null}',
            b'{"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}',
        ),
        (
            rb'{"messages":[{"content":"\"stream_options\":{}"}],"stream_options":{}}',
            rb'{"messages":[{"content":"\"stream_options\":{}"}],"stream_options":{"include_usage":true}}',
        ),
    ],
)
def test_one_member_is_added_or_edited_and_no_other_byte(body: bytes, spliced: bytes):
    assert asked(body) == spliced


def test_who_asks_for_usage_is_left_alone():
    body = b'{"stream_options":{"include_usage":true}}'
    assert asked(body) is body


OPTIONS = st.none() | st.dictionaries(
    st.sampled_from(["include_usage", "include_obfuscation", "x"]), st.none() | st.booleans(), max_size=3
)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), OPTIONS, st.sampled_from([None, 2]))
def test_the_spliced_body_says_the_same_but_for_the_option(
    members: dict[str, str], options: dict[str, bool] | None, indent: int | None
):
    body = {"model": "m", "stream_options": options, **{f"_{key}": value for key, value in members.items()}}
    spliced = json.loads(asked(json.dumps(body, indent=indent).encode()))
    assert spliced == {**body, "stream_options": {**(options or {}), "include_usage": True}}


# Left: as sent because of the option. Right: as sent without it.
OPENAI_CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4o","service_tier":"default","choices":[{"index":0,'
    b'"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3"}\n\n',
    b'data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4o","service_tier":"default","choices":[{"index":0,'
    b'"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"obfuscation":"aB3"}\n\n',
)
USAGE_BEFORE_CHOICES = (
    b'data: {"id":"c","system_fingerprint":null,"usage":null,"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
    b'data: {"id":"c","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
)
USAGE_LAST = (
    b'data: {"choices":[{"text":"Hi","index":0}],"model":"babbage","usage":null}\n\n',
    b'data: {"choices":[{"text":"Hi","index":0}],"model":"babbage"}\n\n',
)
USAGE_FIRST = (
    b'data: {"usage":null,"choices":[{"text":"Hi"}]}\n\n',
    b'data: {"choices":[{"text":"Hi"}]}\n\n',
)
CRLF = (
    b'data: {"choices":[{"text":"Hi"}],"usage":null}\r\n\r\n',
    b'data: {"choices":[{"text":"Hi"}]}\r\n\r\n',
)
SPACED = (
    b'data: {"choices": [{"text": "Hi"}], "usage": null, "x": {"usage": null}}\n\n',
    b'data: {"choices": [{"text": "Hi"}], "x": {"usage": null}}\n\n',
)
OBJECT_BEHIND = (
    b'data: {"choices":[{"text":"Hi"}],"usage":null,"p":{"q":[1]}}\n\n',
    b'data: {"choices":[{"text":"Hi"}],"p":{"q":[1]}}\n\n',
)
ESCAPED_KEY = (
    rb'data: {"choices":[{"text":"\"usage\":null}"}],"\u0075sage":null,"usage":null}' + b"\n\n",
    rb'data: {"choices":[{"text":"\"usage\":null}"}],"usage":null}' + b"\n\n",
)
AZURE_PROMPT_FILTER = (
    b'data: {"choices":[],"id":"","model":"","prompt_filter_results":[{"prompt_index":0}],"usage":null}\n\n',
    b'data: {"choices":[],"id":"","model":"","prompt_filter_results":[{"prompt_index":0}]}\n\n',
)
MODERATION_WITH_USAGE = (
    b'data: {"choices":[],"moderation":{"flagged":false},"usage":{"prompt_tokens":1},"id":"c"}\n\n',
    b'data: {"choices":[],"moderation":{"flagged":false},"id":"c"}\n\n',
)
LINES = (
    b'event: chunk\nid: 7\ndata: {"choices":[{"text":"Hi"}],\ndata: "usage":null}\n\n',
    b'event: chunk\nid: 7\ndata: {"choices":[{"text":"Hi"}]}\n\n',
)
REMOVED = [
    OPENAI_CHUNK, USAGE_BEFORE_CHOICES, USAGE_LAST, USAGE_FIRST, CRLF, SPACED, OBJECT_BEHIND,
    AZURE_PROMPT_FILTER, MODERATION_WITH_USAGE, LINES,
]  # fmt: skip

USAGE = b'"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}'
DROPPED = [
    b'data: {"id":"c","choices":[],' + USAGE + b',"obfuscation":"x"}\n\n',
    b'data: {"id":"c","choices": [ ], "usage": {"prompt_tokens":5}}\n\n',
    b'data: {"id":"c","choices":[],' + USAGE + b',"latency_checkpoint":{"engine_ms":3}}\r\n\r\n',
    b'data: {' + USAGE + b',"choices":[]}\n\n',
]  # fmt: skip

KEPT = [
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
    b"data: [DONE]\n\n",
    b": ping\n\n",
    b"\n",
    # A provider that sends usage unasked puts it on a chunk with choices.
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],' + USAGE + b"}\n\n",
    b'data: {"choices":[{"delta":{"content":"x"}}],"x_groq":{' + USAGE + b"}}\n\n",
    # Text of the model and of tools.
    rb'data: {"choices":[{"delta":{"content":",\"usage\":null}"}}]}' + b"\n\n",
    rb'data: {"choices":[{"delta":{"content":"\"usage"}}]}' + b"\n\n",
    b'data: {"choices":[{"delta":{"usage":null}}],"a":1}\n\n',
    b'data: {"choices":[{"delta":{"content":"usage"}}],"k":"usage"}\n\n',
    # Lines of one JSON text: the usage is not the outermost object's.
    b'data: {"a":\ndata: {"usage":null,"b":1},"c":[1]}\n\n',
    b'data: {"a":{"b":1\ndata: ,"usage":null}\ndata: }\n\n',
    # Not what it seems.
    b'data: {"choices":[],"usage":{"prompt_tokens":5\n\n',
    b'data: "usage"\n\n',
    b'data: {"choices":[],"usage":7}\n\n',
]


@pytest.mark.parametrize(("sent", "without"), REMOVED)
def test_the_null_that_the_option_added_is_gone(sent: bytes, without: bytes):
    assert strip_usage(sent) == without
    assert strip_usage(strip_nulls(sent)) == without


@pytest.mark.parametrize("event", DROPPED)
def test_the_event_that_the_option_added_is_gone(event: bytes):
    assert strip_nulls(event) == event
    assert strip_usage(event) is None


@pytest.mark.parametrize("event", KEPT)
def test_what_the_option_did_not_cause_stays_the_same_object(event: bytes):
    assert strip_nulls(event) == event
    assert strip_usage(event) is event


def test_one_key_of_two_spellings_is_removed_once():
    sent, without = ESCAPED_KEY
    assert strip_usage(sent) == without


@pytest.mark.parametrize("pair", [OPENAI_CHUNK, USAGE_BEFORE_CHOICES, USAGE_LAST, CRLF])
def test_a_block_of_common_events_needs_no_second_look(pair: tuple[bytes, bytes]):
    assert strip_nulls(pair[0] * 3) == pair[1] * 3


CONTENT = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["usage", '"usage":null', ',"usage":null}\n\n', "}"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["usage", "a", "choices", ',"usage":null']), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["id", "model", "choices", "x", "y", '"usage']), CONTENT),
    st.integers(0, 6),
    st.booleans(),
)
def test_a_null_usage_added_anywhere_is_taken_out_again(chunk: dict[str, object], place: int, spaced: bool):
    separators = (", ", ": ") if spaced else (",", ":")
    members = list(chunk.items())
    without = json.dumps(dict(members), separators=separators)
    sent = json.dumps(dict([*members[:place], ("usage", None), *members[place:]]), separators=separators)
    event = b"data: " + sent.encode() + b"\n\n"
    expected = b"data: " + without.encode() + b"\n\n"
    assert strip_usage(event) == expected
    assert strip_usage(strip_nulls(event)) == expected
    assert strip_usage(expected) is expected
