"""Owns what a body says in short: enough to know one that asks what another has asked before. Knows no meaning."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.bounds.chat import Chat, Gemini, Messages, Responses
from gateway.bounds.parts import parts_of
from gateway.wire import jsontext

# What a body says beside its content, packed: caps, tiers, a tool or two. One that says more is read instead.
SAID_BYTES_MAX = 1024


class _Members(NamedTuple):
    """Members of the bodies of an API: those that hold what the model reads, and those that say what is asked of it.

    Of the first, bounds take nothing but their parts; and nothing of any that stands in neither.
    """

    content: frozenset[str]
    saying: frozenset[str]


def _members(body: type[msgspec.Struct], *content: str) -> _Members:
    return _Members(frozenset(content), frozenset(body.__struct_fields__) - {*content})


# By the endpoint's reader. The others take more of what the model reads than its parts.
_MEMBERS: Mapping[str, _Members] = {
    "openai.chat": _members(Chat, "messages"),
    "openai.responses": _members(Responses, "input"),
    "anthropic.messages": _members(Messages, "messages", "system"),
    "gemini.generate": _members(Gemini, "contents", "systemInstruction", "system_instruction"),
}


class Said(NamedTuple):
    """All that a body asks for: bodies that say the same may use the same, but for the length of their text."""

    members: bytes
    images: int
    opaque: bool
    image_characters: int  # of which only that length depends


def said_in(text: bytes, reader: str) -> Said | None:
    """What a body of an API says; None where it must be read to tell, or cannot be."""
    members = _MEMBERS.get(reader)
    if members is None:
        return None
    try:
        body = jsontext.decode(_bodies, text)
        said = _packed.encode([(name, value) for name, value in body.items() if name in members.saying])
    except (jsontext.NotJson, msgspec.ValidationError, OverflowError):  # packed, integers have 64 bits
        return None
    if len(said) > SAID_BYTES_MAX:
        return None
    parts = parts_of([body.get(name) for name in members.content])
    return Said(said, parts.images, parts.opaque, parts.image_characters)


_bodies = msgspec.json.Decoder(dict[str, object])
_packed = msgspec.msgpack.Encoder()
