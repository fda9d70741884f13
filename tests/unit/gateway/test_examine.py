import gzip
import json
import zlib

import pytest

from gateway.examine import BESIDE_MAX, Call, examine
from gateway.faults import Refusal
from tests.support.stages import caller_of, request_of, route_of, view_of

BYTES_MAX = 100_000
CHAT = "/v1/chat/completions"
UPSTREAMS = (
    "\n".join(
        f'[upstreams.{name}]\ncredential_id = "c"' for name in ("openai", "anthropic", "gemini", "groq", "azure")
    ).replace("[upstreams.azure]", '[upstreams.azure]\nresources = ["r"]')
    + '\n[credentials.c]\nsecret = "s"'
)


def examined(path: str, body: bytes, *lines: bytes, key: str = "") -> Call | Refusal:
    view = view_of(UPSTREAMS, key)
    request = request_of(path, body, *lines)
    return examine(request, caller_of(request, view), route_of(request, view), BYTES_MAX)


def call(path: str, body: bytes, *lines: bytes, key: str = "") -> Call:
    found = examined(path, body, *lines, key=key)
    assert isinstance(found, Call), found
    return found


@pytest.mark.parametrize(
    ("path", "body", "model", "stream"),
    [
        (CHAT, b'{"model":"m"}', "m", False),
        (CHAT, b'{"model":"m","stream":false}', "m", False),
        (CHAT, b'{"stream":true,"model":"m"}', "m", True),
        ("/anthropic/v1/messages", b'{"model":"c","stream":true}', "c", True),
        ("/gemini/v1beta/models/g:generateContent", b'{"model":"ignored"}', "g", False),
        ("/gemini/v1beta/models/g:streamGenerateContent", b"{}", "g", True),
        ("/azure/r/openai/deployments/d/chat/completions", b'{"model":"ignored"}', "d", False),
        (CHAT, b"{}", "", False),
    ],
)
def test_a_body_or_its_path_names_the_model_and_the_stream(path, body, model, stream):
    found = call(path, body)
    assert (found.model, found.stream) == (model, stream)
    assert found.text == body


def test_what_bedrock_s_invoke_is_priced_by_stands_in_headers():
    view = view_of(
        '[credentials.c]\nsecret = "AKIDEXAMPLE:s"\n[upstreams.bedrock]\ncredential_id = "c"\nregion = "us-east-1"'
    )
    lines = (b"X-Amzn-Bedrock-Service-Tier: priority", b"x-amzn-bedrock-performanceconfig-latency: optimized")
    for operation, found in (
        ("invoke", (("service_tier", "priority"), ("latency", "optimized"))),
        ("converse", ()),  # whose body says it
    ):
        request = request_of(f"/bedrock/model/amazon.nova-lite-v1%3A0/{operation}", b"{}", *lines)
        examined = examine(request, caller_of(request, view), route_of(request, view), BYTES_MAX)
        assert isinstance(examined, Call)
        assert examined.modifiers == found


def test_a_stream_is_asked_for_its_usage_and_nothing_else_of_it_changes():
    body = b'{ "model":"m", "stream" : true }'
    found = call(CHAT, body)
    assert found.spliced
    assert json.loads(found.body) == {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    assert found.text == body


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (CHAT, b'{"model":"m"}', ""),
        (CHAT, b'{"model":"m","stream":true}', 'mode = "transparent"'),
        (CHAT, b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}', ""),
        ("/groq/v1/chat/completions", b'{"model":"m","stream":true}', ""),
        ("/v1/responses", b'{"model":"m","stream":true}', ""),
        ("/anthropic/v1/messages", b'{"model":"m","stream":true}', ""),
    ],
)
def test_a_body_is_left_as_it_is_where_nothing_has_to_be_asked(path, body, key):
    found = call(path, body, key=key)
    assert (found.body, found.spliced) == (body, False)


def test_a_packed_body_is_read_and_sent_as_it_came():
    packed = gzip.compress(b'{"model":"m","stream":true}')
    found = call(CHAT, packed, b"Content-Encoding: gzip")
    assert (found.model, found.stream, found.body, found.spliced) == ("m", True, packed, False)
    assert call(CHAT, b'{"model":"m"}', b"content-encoding: identity").model == "m"


@pytest.mark.parametrize(
    ("body", "line", "code"),
    [
        (b"", b"x: 1", "malformed_body"),
        (b"no json", b"x: 1", "malformed_body"),
        (b"[]", b"x: 1", "malformed_body"),
        (b'{"model":7}', b"x: 1", "malformed_body"),
        (b'{"model":"m"', b"x: 1", "malformed_body"),
        (b'{"model":"m"}{}', b"x: 1", "malformed_body"),
        (b'{"model":"m","model":"n"}', b"x: 1", "malformed_body"),
        (b'{"model":"m","a":[{"b":1,"\\u0062":2}]}', b"x: 1", "malformed_body"),
        (b'{"model":"m","a":"\\ud800"}', b"x: 1", "malformed_body"),
        (b'{"model":"m"}', b"content-type: application/x-www-form-urlencoded", "malformed_body"),
        (b'{"model":"m"}', b"content-type: application/json; charset=utf-16", "malformed_body"),
        (b'{"model":"\xff"}', b"x: 1", "malformed_body"),
        (b"[" * 50_000, b"x: 1", "malformed_body"),
        (b"not gzip", b"content-encoding: gzip", "malformed_body"),
        (gzip.compress(bytes(BYTES_MAX * 2)), b"content-encoding: gzip", "malformed_body"),
        (gzip.compress(b'{"model":"m"}')[:-1], b"content-encoding: gzip", "malformed_body"),
        (gzip.compress(b'{"model":"m"}') + b"x", b"content-encoding: gzip", "malformed_body"),
        (gzip.compress(b'{"model":"m","model":"n"}'), b"content-encoding: gzip", "malformed_body"),
        (b"{}", b"content-encoding: compress", "unsupported_encoding"),
        (gzip.compress(zlib.compress(b"{}")), b"content-encoding: deflate, gzip", "unsupported_encoding"),
    ],
)
def test_a_body_that_cannot_be_metered_is_refused(body, line, code):
    found = examined("/v1/responses", body or b" ", line)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_a_key_may_be_bound_to_models_as_they_are_requested():
    key = 'models = ["gpt-4o", "d"]'
    assert call(CHAT, b'{"model":"gpt-4o"}', key=key).model == "gpt-4o"
    assert call("/azure/r/openai/deployments/d/chat/completions", b'{"model":"x"}', key=key).model == "d"
    for body in (b'{"model":"gpt-4o-mini"}', b'{"model":"GPT-4o"}', b"{}", b'{"model":"gpt-4o\\u0000"}'):
        found = examined(CHAT, body, key=key)
        assert isinstance(found, Refusal)
        assert found.code == "key_scope"


@pytest.mark.parametrize(
    "member", [b'"models":["gpt-4o","o1-pro"]', b'"tools":[{"type":"advisor_20260301","model":"o1-pro"}]']
)
def test_a_key_s_models_are_also_those_that_may_stand_in_or_work_for_a_call(member):
    body = b'{"model":"gpt-4o",' + member + b"}"
    found = examined(CHAT, body, key='models = ["gpt-4o"]')
    assert isinstance(found, Refusal)
    assert (found.code, found.message) == ("key_scope", "This key may not use the model 'o1-pro'")
    assert "o1-pro" in call(CHAT, body, key='models = ["gpt-4o", "o1-pro"]').beside


def test_the_models_that_may_stand_in_are_bounded_in_number_and_length():
    def naming(*names: str) -> bytes:
        return json.dumps({"model": "m", "models": names}).encode()

    names = [f"m{number}" for number in range(BESIDE_MAX)]
    assert call(CHAT, naming(*names, *names)).beside == tuple(names)
    for refused in (examined(CHAT, naming(*names, "more")), examined(CHAT, naming("m" * 2049))):
        assert isinstance(refused, Refusal)
        assert refused.code == "malformed_body"


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/fine_tuning/jobs", "/anthropic/v1/messages/batches"])
def test_a_key_with_models_begins_nothing_whose_models_are_not_read(path):
    found = examined(path, b"{}", key='models = ["gpt-4o"]')
    assert isinstance(found, Refusal)
    assert found.code == "key_scope"
    call(path, b"{}")
    call(f"{path}/1/cancel", b"{}", key='models = ["gpt-4o"]')


@pytest.mark.parametrize(
    ("lines", "body", "user_id"),
    [
        ((b"x-lensai-user: header",), b'{"user":"body"}', "header"),
        ((), b'{"user":"body"}', "body"),
        ((), b'{"safety_identifier":"new","user":"old"}', "new"),
        ((), b'{"metadata":{"user_id":"theirs"}}', "theirs"),
        ((), b'{"user":7}', ""),
        ((), b'{"user":"' + b"u" * 1000 + b'"}', "u" * 128),
    ],
)
def test_a_body_may_say_whose_call_it_is_where_no_header_does(lines, body, user_id):
    assert call(CHAT, body, *lines).user_id == user_id


def test_a_free_endpoint_s_body_is_not_read():
    found = call("/v1/moderations", b"\x00 anything")
    assert found == Call("", False, "", b"\x00 anything", False, b"")


FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b%b--\r\n'
FORM_TYPE = b"content-type: multipart/form-data; boundary=b"
TRANSCRIPTIONS = "/v1/audio/transcriptions"


def test_a_form_names_its_model_and_its_stream():
    streams = b'\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--b'
    assert (call(TRANSCRIPTIONS, FORM % b"", FORM_TYPE).model, call(TRANSCRIPTIONS, FORM % b"", FORM_TYPE).stream) == (
        "whisper-1",
        False,
    )
    assert call(TRANSCRIPTIONS, FORM % streams, FORM_TYPE).stream


def test_a_form_with_two_models_is_refused():
    second = b'\r\nContent-Disposition: form-data; name="Model"\r\n\r\ngpt-4o-transcribe\r\n--b'
    for body, line in ((FORM % second, FORM_TYPE), (FORM % b"", b"content-type: application/json"), (b"{}", FORM_TYPE)):
        refused = examined(TRANSCRIPTIONS, body, line)
        assert isinstance(refused, Refusal)
        assert refused.code == "malformed_body"


def test_a_form_is_held_to_the_models_of_its_key():
    refused = examined(TRANSCRIPTIONS, FORM % b"", FORM_TYPE, key='models = ["gpt-4o-transcribe"]')
    assert isinstance(refused, Refusal)
    assert refused.code == "key_scope"


@pytest.mark.parametrize(("body", "stream"), [(b'{"model":"m"}', True), (b'{"model":"m","stream":false}', False)])
def test_ollama_streams_unasked(body, stream):
    view = view_of()
    request = request_of("/k/lk-test/ollama/api/chat", body, b"authorization: Bearer own", token="")
    found = examine(request, caller_of(request, view), route_of(request, view), BYTES_MAX)
    assert isinstance(found, Call)
    assert (found.model, found.stream, found.spliced) == ("m", stream, False)


def test_what_tells_of_earlier_work_has_no_body_to_read():
    found = call("/v1/responses/resp_1", b"", key='models = ["gpt-4o"]')
    assert (found.model, found.stream, found.text) == ("", False, b"")


def test_a_model_s_name_may_be_as_long_as_an_arn():
    assert call(CHAT, b'{"model":"%b"}' % (b"m" * 2048)).model == "m" * 2048
    refused = examined(CHAT, b'{"model":"%b"}' % (b"m" * 2049))
    assert refused == Refusal("malformed_body", "The model's name has more than 2048 characters")
