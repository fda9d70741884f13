import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.peek import Malformed
from gateway.wire.strictjson import DEPTH_MAX, VALUES_MAX, check_type, read
from tests.support.plain_json import reads_alike

CHAT = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": 'Grüße, "Schiffe"\n\t\\ 🚢 \x7f\u2028'}],
    "temperature": 0.7,
    "top_p": 1,
    "seed": 2**63,
    "stop": None,
    "stream": True,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
}
SPELLINGS = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
    {"ensure_ascii": False},
    {"indent": 2},
    {"indent": "\t", "separators": (" ,", " : ")},
    {"sort_keys": True},
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)  # fmt: skip


def check(text: bytes) -> Malformed | None:
    """What is wrong with it; where nothing is, it was read as every parser reads it."""
    found = read(text)
    if isinstance(found, Malformed):
        return found
    assert found == json.loads(text)
    return None


def nested(depth: int) -> bytes:
    """An object that is nested that deep, itself counted."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
def test_honest_bodies_pass_however_they_are_spelled(spelling):
    assert check(json.dumps(CHAT, **spelling).encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b' \r\n\t{ "a" : 1 } \n',
        b'{"a":1e-5,"b":1E5,"c":-0,"d":-0.0,"e":0e0,"f":1.50,"g":1e308,"h":1e-400}',
        b'{"a":0.1000000000000000055511151231257827021181583404541015625}',
        b'{"a":18446744073709551615,"b":-9223372036854775808}',
        b'{"a":"\\u00e9\\/\\ud83d\\udea2"}',
        b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
        b'{"a":{"x":1,"X":2}}',
        b'{"a":"\\u0000"}',
        b'{"":1}',
    ],
)
def test_what_is_only_unusual_passes(text):
    assert check(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","model":"a"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"a":[{"b":{"c":1,"c":2}}]}',
        b'{ "a" : 1 , "a" : 2 }',
        b'{"model":"a","Model":"b"}',
        b'{"stream":false,"\xc5\xbftream":true}',
        b'{"max_tokens":1,"max_to\xe2\x84\xaaens":2}',
    ],
)
def test_a_member_that_is_there_twice_is_refused(text):
    assert isinstance(check(text), Malformed)


@pytest.mark.parametrize(
    "number",
    [
        b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1.8e308", b"1" * 400 + b".5", b"1" + b"0" * 25,
        b"18446744073709551616", b"-9223372036854775809", b"1" * 5000, b"01", b"+1", b".5", b"1.", b"1e", b"0x10",
        b"1_000", b"--1", b"1e1e1", "\u0661".encode(),
    ],
)  # fmt: skip
def test_a_number_that_not_every_parser_holds_is_refused(number):
    assert isinstance(check(b'{"a":%b}' % number), Malformed)
    assert isinstance(check(b'{"a": [0, {"b": %b}]}' % number), Malformed)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"\xc0\x80":1}',
        b'{"a":"\xf4\x90\x80\x80"}',
        b'{"a":"\xc3"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-16-be"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":1}\xc2\xa0',
        b'{"a":"\x01"}',
        b'{"a":"\n"}',
        b'{"a":"\\x41"}',
    ],
)
def test_text_that_is_no_text_is_refused(text):
    assert isinstance(check(text), Malformed)


@pytest.mark.parametrize("text", [
    b"", b" ", b"[]", b'"a"', b"1", b"null", b"true", b'{"a":1}{}', b'{"a":1}]', b'{"a":1},', b'{"a":1}x', b"{}\x00",
    b'{"a":1,}', b'{"a":[1,]}', b"{'a':1}", b"{a:1}", b'{"a":1/**/}', b'{"a":1}//', b'{"a"}', b'{"a":}', b'{"a":1',
    b'{"a" 1}', b'{"a":1;"b":2}', b'{"a":tru}', b'{"a":TRUE}', b'{"a":undefined}', b'{"a":1 "b":2}', b"{,}",
])  # fmt: skip
def test_what_is_no_object_is_refused(text):
    assert isinstance(check(text), Malformed)


def test_depth_is_bounded_whatever_is_nested():
    assert check(nested(DEPTH_MAX)) is None
    deep = [
        nested(DEPTH_MAX + 1),
        nested(900),
        nested(100_000),
        b'{"a":' * 100_000,
        b'{"a": ' + nested(DEPTH_MAX) + b"}",
    ]
    assert {found.message if (found := check(text)) else "" for text in deep} == {
        f"The request body is nested deeper than {DEPTH_MAX} levels"
    }
    assert isinstance(check(b"[" * 100_000), Malformed)
    assert check(b'{"a":[' + b"[],{}," * 500 + b"1]}") is None
    assert check(b'{"a":"' + b"[{" * 500 + b'"}') is None


def test_values_are_bounded_and_those_inside_strings_are_none():
    refused = Malformed(f"The request body has more than {VALUES_MAX} values")
    assert check(b'{"a":[' + b"[]," * VALUES_MAX + b"[]]}") == refused
    assert check(b'{"a":[' + b"1," * (VALUES_MAX - 10) + b"1]}") is None
    assert check(b'{"a":"' + b'1,\\",[\\\\' * VALUES_MAX + b'"}') is None


def test_a_refusal_says_why_and_quotes_nothing():
    for text in (b'{"secret":1,"secret":2}', b'{"a":"secret\xff"}', b'{"a":"secret', b'{"a":secret}', b'["secret"]'):
        found = check(text)
        assert found is not None
        assert found.message.startswith(("The request body", "An object"))
        assert "secret" not in found.message
    lone = check(b'{"a":"\\ud83d"}')
    assert lone is not None
    assert "surrogate" in lone.message


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from(SPELLINGS))
def test_any_object_passes_exactly_if_the_plain_reading_takes_it(value, spelling):
    text = json.dumps(value, **spelling).encode("utf-8", "surrogatepass")
    assert (check(text) is None) == reads_alike(text)


@given(st.data())
def test_a_changed_text_passes_exactly_if_the_plain_reading_takes_it(data):
    text = bytearray(json.dumps(CHAT, **data.draw(st.sampled_from(SPELLINGS))).encode())
    pieces = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b"e", b"-", b".", b" ", b'"model":1,', b"\\ud800"]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.sampled_from(pieces) | st.binary(max_size=2))
        text[at : at + data.draw(st.integers(0, 3))] = piece
    assert (check(bytes(text)) is None) == reads_alike(bytes(text))


@given(st.binary(max_size=30))
def test_no_bytes_raise(text):
    assert (check(text) is None) == reads_alike(text)


@pytest.mark.parametrize(
    "content_type",
    [
        None, b"application/json", b"Application/JSON", b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"', b"application/json ; charset=utf8", b"application/vnd.api+json",
        b"text/json", b"text/plain", b"text/plain;charset=UTF-8",
        b"application/json;", b"application/json; charset=utf-8;",
    ],
)  # fmt: skip
def test_json_may_be_declared_as_such_or_not_at_all(content_type):
    assert check_type(content_type) is None


@pytest.mark.parametrize(
    "content_type",
    [
        b"", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=a", b"application/xml",
        b"application/x-protobuf", b"application/json; charset=utf-16", b"application/json; charset=utf-7",
        b"application/json; charset=iso-8859-1", b"application/json, application/x-www-form-urlencoded",
        b"application/json; charset=utf-8; charset=utf-16", b"application/jsonp", b"json",
        b"application/json; ;", b"application/json; charset=utf-8; charset=utf-8", b"application/json; x",
    ],
)  # fmt: skip
def test_what_another_parser_would_be_given_is_refused(content_type):
    assert isinstance(check_type(content_type), Malformed)
