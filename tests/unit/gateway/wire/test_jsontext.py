"""Members are found where a JSON parser finds them, in any text, at any depth, in any chunks."""

import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import jsontext
from gateway.wire.jsontext import Elements, NotJson, members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)


class Model(msgspec.Struct):
    model: str = ""


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_members_are_those_a_parser_finds(value: dict[str, object], indent: int | None, ascii_only: bool):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    found = members(text)
    assert {member.key: json.loads(text[member.value : member.end]) for member in found} == value
    for member in found:
        assert json.loads(b"{" + text[member.start : member.end] + b"}") == {member.key: value[member.key]}


def test_duplicates_and_escaped_spellings_are_members_too():
    text = rb'{"a":1,"\u0061":{"a":3},"b":["a",{"a":4}]}'
    assert [member.key for member in members(text)] == ["a", "a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'"a"',
        b"{",
        b'{"a"',
        b'{"a":',
        b'{"a":}',
        b'{"a":1',
        b'{"a":[1',
        b'{"a":"x',
        b'{"a":1 "b":2}',
        b"{1:2}",
    ],
)
def test_what_is_no_object_is_refused(text: bytes):
    with pytest.raises(NotJson):
        members(text)


def test_deep_and_long_texts_take_linear_time_and_no_recursion():
    assert len(members(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b',"b":1}')) == 2
    assert len(members(b'{"a":"' + rb"\"" * 500_000 + b'","b":1}')) == 2


@pytest.mark.parametrize(
    ("index", "left"), [(0, b'{ "b" : 2, "c":3 }'), (1, b'{ "a": 1,\n"c":3 }'), (2, b'{ "a": 1,\n"b" : 2 }')]
)
def test_a_member_goes_with_its_one_comma(index: int, left: bytes):
    text = b'{ "a": 1,\n"b" : 2, "c":3 }'
    start, end = jsontext.without_member(text, index, members(text))
    assert text[:start] + text[end:] == left


def test_the_only_member_leaves_an_empty_object():
    text = b'{"a":1}'
    start, end = jsontext.without_member(text, 0, members(text))
    assert text[:start] + text[end:] == b"{}"


def test_half_a_surrogate_pair_does_not_hide_the_rest():
    decoder = msgspec.json.Decoder(Model)
    assert jsontext.decode(decoder, rb'{"x":"\ud83d","model":"m"}').model == "m"
    assert jsontext.decode(decoder, rb'{"model":"a\udc00"}').model == "a\ufffd"


@pytest.mark.parametrize("text", [b"", b"{", b"{'a':1}", b'{"a":nan}', b"[" * 100_000, rb'{"a":"\ud83d"'])
def test_what_is_no_json_is_said_to_be_none(text: bytes):
    with pytest.raises(NotJson):
        jsontext.decode(msgspec.json.Decoder(object), text)


def test_json_of_another_shape_is_told_apart_from_no_json():
    with pytest.raises(msgspec.ValidationError):
        jsontext.decode(msgspec.json.Decoder(Model), b'{"model":1}')


def test_a_member_left_raw_is_read_as_the_rest_or_is_of_another_shape():
    decoder = msgspec.json.Decoder(Model)
    assert jsontext.decode_member(decoder, msgspec.Raw(rb'{"model":"a\udc00"}')).model == "a\ufffd"
    for text in (b'{"model":1}', b'{"model":"\xff"}', b'{"model":', b"[" * 100_000):
        with pytest.raises(msgspec.ValidationError):
            jsontext.decode_member(decoder, msgspec.Raw(text))


ARRAY = [{"text": 'a "quoted" ] } \\', "n": [1, [2]]}, {}, {"deep": {"er": "é"}}]


@pytest.mark.parametrize("separator", [",", ",\r\n", "\n,\r\n  "])
def test_elements_of_a_streamed_array_come_out_whole(separator: str):
    text = ("[" + separator.join(json.dumps(element, indent=1) for element in ARRAY) + "\n]").encode()
    rng = random.Random(3)
    for sizes in ([1] * len(text), [len(text)], *([rng.randint(1, 9) for _ in text] for _ in range(30))):
        elements, at, out = Elements(1000), 0, []
        for size in sizes:
            out += elements.feed(text[at : at + size])
            at += size
        assert [json.loads(element) for element in out] == ARRAY
        assert not elements.oversize


def test_an_element_beyond_the_limit_is_left_out_and_the_next_one_is_not():
    elements = Elements(20)
    out = [
        element for byte in b'[{"a":"0123456789 \\" 0123456789"},{"b":1}]' for element in elements.feed(bytes([byte]))
    ]
    assert out == [b'{"b":1}']
    assert elements.oversize


def test_how_much_stands_behind_the_last_whole_element_is_known():
    elements = Elements(9)
    behind = []
    for piece in (b"[", b'{"a":', b"1}", b",\r\n", b'{"b":"]', b'too long"}', b"\n,{}]", b" "):
        elements.feed(piece)
        behind.append(elements.behind_bytes)
    assert behind == [1, 6, 0, 3, 10, 0, 1, 2]
