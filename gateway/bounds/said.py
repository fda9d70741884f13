"""Owns what a body says in short: enough to know one that asks what another has asked before. Knows no meaning."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.bounds.chat import Chat, Gemini, Messages, Responses
from gateway.bounds.parts import NOTHING_ELSE, Parts, parts_in
from gateway.wire import jsontext

# What a body says beside its content: caps, tiers, a tool or two. One that says more is read instead.
SAID_BYTES_MAX = 1024

_ABSENT = msgspec.Raw()


class _Members:
    """Members of the bodies of an API: those that hold what the model reads, and those that say what is asked of it.

    Of the first, bounds take nothing but their parts; and nothing of any that stands in neither. A body is taken apart
    into one object that has both, unread.
    """

    def __init__(self, body: type[msgspec.Struct], *content: str) -> None:
        self.content = content
        unread = [(name, msgspec.Raw, _ABSENT) for name in body.__struct_fields__]
        self.decoder = msgspec.json.Decoder(msgspec.defstruct("Unread", unread, omit_defaults=True))


# By the endpoint's reader. The others take more of what the model reads than its parts.
_MEMBERS: Mapping[str, _Members] = {
    "openai.chat": _Members(Chat, "messages"),
    "openai.responses": _Members(Responses, "input"),
    "anthropic.messages": _Members(Messages, "messages", "system"),
    "gemini.generate": _Members(Gemini, "contents", "systemInstruction", "system_instruction"),
}


class Said(NamedTuple):
    """All that a body asks for: bodies that say the same may use the same, but for the length of their text."""

    members: bytes  # as the body spells them
    parts: Parts  # of whose images' characters only that length depends


def said_in(text: bytes, reader: str) -> Said | None:
    """What a body of an API says; None where it must be read to tell, or cannot be."""
    members = _MEMBERS.get(reader)
    if members is None:
        return None
    try:
        body = jsontext.decode(members.decoder, text)
        parts = NOTHING_ELSE
        for name in members.content:
            content: msgspec.Raw = getattr(body, name)
            if content is not _ABSENT:
                found = parts_in(content)
                parts = found if parts is NOTHING_ELSE else parts + found
                setattr(body, name, _ABSENT)
    except (jsontext.NotJson, msgspec.ValidationError):
        return None
    said = _encoder.encode(body)
    return None if len(said) > SAID_BYTES_MAX else Said(said, parts)


_encoder = msgspec.json.Encoder()
