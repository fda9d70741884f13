"""A glance at a request body: what the gateway needs, or why the body is of no use."""

import json

import pytest

from gateway.wire.peek import Malformed, Peek, peek, peek_form


def looked(body: bytes, dialect: str = "openai") -> Peek:
    found = peek(dialect, json.loads(body))
    assert isinstance(found, Peek)
    return found


def test_an_openai_body_is_read_and_its_other_members_are_skipped():
    found = looked(
        b'{"model":"gpt-4o","stream":true,"messages":[{"content":"hi"}],"n":2,"max_completion_tokens":9,'
        b'"service_tier":"flex","user":"ann","temperature":0.5}'
    )
    assert (found.model, found.stream, found.n, found.max_completion_tokens) == ("gpt-4o", True, 2, 9)
    assert (found.service_tier, found.end_user) == ("flex", "ann")


@pytest.mark.parametrize(
    ("members", "beside"),
    [
        (b"", ()),
        (b',"models":["a","",7,{"model":"b"}],"fallbacks":null', ("a", "b")),
        (b',"fallbacks":[{"model":"a"},{"model":null},"b"]', ("b", "a")),
        (b',"tools":[{"type":"advisor","model":"a"},{"type":"function"},"web_search",7]', ("a",)),
        (b',"models":"a","fallbacks":"default","tools":{"model":"a"}', ()),
    ],
)
def test_other_models_are_those_that_stand_in_and_those_of_tools(members: bytes, beside: tuple[str, ...]):
    assert looked(b'{"model":"m"' + members + b"}").beside == beside


@pytest.mark.parametrize(
    ("member", "present", "asked"),
    [
        (b"", False, None),
        (b',"stream_options":null', True, None),
        (b',"stream_options":{}', True, None),
        (b',"stream_options":{"include_obfuscation":false}', True, None),
        (b',"stream_options":{"include_usage":null}', True, None),
        (b',"stream_options":{"include_usage":false}', True, False),
        (b',"stream_options":{"include_usage":true}', True, True),
        (rb',"stream_\u006fptions":{"include_usage":true}', True, True),
    ],
)
def test_what_the_client_asked_of_usage(member: bytes, present: bool, asked: bool | None):
    found = looked(b'{"model":"m"' + member + b"}")
    assert (found.has_stream_options, found.include_usage) == (present, asked)


@pytest.mark.parametrize(
    ("body", "who"),
    [
        (b"{}", ""),
        (b'{"user":"old"}', "old"),
        (b'{"user":"old","safety_identifier":"new"}', "new"),
        (b'{"metadata":{"user_id":"anthropic"}}', "anthropic"),
        (b'{"user":7,"metadata":{"user_id":null}}', ""),
    ],
)
def test_the_end_user_is_the_providers_own_field(body: bytes, who: str):
    assert looked(body).end_user == who


def test_gemini_names_its_model_in_the_path_and_its_limits_in_a_config():
    found = looked(b'{"model":5,"contents":[],"generationConfig":{"candidateCount":2,"maxOutputTokens":64}}', "gemini")
    assert (found.model, found.n, found.max_output_tokens) == ("", 2, 64)


def test_nulls_are_as_good_as_absent():
    found = looked(b'{"model":null,"stream":null,"metadata":null,"n":null,"background":null}')
    assert (found.model or "", bool(found.stream), found.n) == ("", False, None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"model":4}', "$.model"),
        (b'{"model":"m","stream":"true"}', "$.stream"),
        (b'{"model":"m","stream_options":"usage"}', "$.stream_options"),
        (b'{"model":"m","n":"3"}', "$.n"),
        (b'{"model":"m","n":true}', "$.n"),
    ],
)
def test_a_useless_body_is_refused_in_words(body: bytes, reason: str):
    found = peek("openai", json.loads(body))
    assert isinstance(found, Malformed)
    assert reason in found.message


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), float("inf"), -1, 2.5])
def test_absurd_numbers_crash_nothing(number: float):
    assert isinstance(peek("openai", {"model": "m", "max_tokens": number}), Peek | Malformed)


def test_a_form_is_read_by_its_fields():
    form = {"model": "whisper-1", "stream": "True", "user": "ann", "n": "2"}
    found = peek_form(form.get)
    assert (found.model, found.stream, found.end_user) == ("whisper-1", True, "ann")
    assert (peek_form({}.get).model, peek_form({"stream": "false"}.get).stream) == (None, False)
