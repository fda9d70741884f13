"""Owns what a body says in short: enough to know one that asks what another has asked before. Knows no meaning."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.bounds.chat import Chat, Gemini, Messages, Responses
from gateway.bounds.parts import NOTHING_ELSE, Parts, Plain, parts_in
from gateway.wire import jsontext

# What a body says beside its content: caps, tiers, a tool or two. One that says more is read instead.
SAID_BYTES_MAX = 1024

_ABSENT = msgspec.Raw()


class _Members:
    """Members of the bodies of an API: those that hold what the model reads, and those that say what is asked of it.

    Of the first, bounds take nothing but their parts; and nothing of any that stands in neither. A body is taken apart
    into one object that has both, the second unread.
    """

    def __init__(self, body: type[msgspec.Struct], *content: str) -> None:
        self.content = content
        names = body.__struct_fields__
        self.decoder = _decoder(dict.fromkeys(names, (msgspec.Raw, _ABSENT)))
        # Of what holds words alone; any other does not decode.
        self.plain_decoder = _decoder(
            {name: (Plain, "") if name in content else (msgspec.Raw, _ABSENT) for name in names}
        )


def _decoder(members: Mapping[str, tuple[Any, object]]) -> msgspec.json.Decoder[Any]:
    fields = [(name, kind, absent) for name, (kind, absent) in members.items()]
    return msgspec.json.Decoder(msgspec.defstruct("Unread", fields, omit_defaults=True))


# By the endpoint's reader. The others take more of what the model reads than its parts.
_MEMBERS: Mapping[str, _Members] = {
    "openai.chat": _Members(Chat, "messages"),
    "openai.responses": _Members(Responses, "input"),
    "anthropic.messages": _Members(Messages, "messages", "system"),
    "gemini.generate": _Members(Gemini, "contents", "systemInstruction", "system_instruction"),
}


class Said(msgspec.Struct, frozen=True, gc=False):
    """All that a body asks for: bodies that say the same may use the same, but for the length of their text."""

    members: bytes  # as the body spells them
    parts: Parts = NOTHING_ELSE  # of whose images' characters only that length depends


def said_in(text: bytes, reader: str) -> Said | None:
    """What a body of an API says; None where it must be read to tell, or cannot be."""
    members = _MEMBERS.get(reader)
    if members is None:
        return None
    parts = NOTHING_ELSE
    try:
        body = members.plain_decoder.decode(text)
        for name in members.content:
            setattr(body, name, "")
    except (ValueError, RecursionError):
        try:
            body = jsontext.decode(members.decoder, text)
            parts = _parts_taken(body, members.content)
        except (jsontext.NotJson, msgspec.ValidationError):
            return None
    said = _encoder.encode(body)
    return None if len(said) > SAID_BYTES_MAX else Said(said, parts)


def _parts_taken(body: Any, names: Sequence[str]) -> Parts:
    """The parts of what the model reads, which is taken out of the body."""
    parts = NOTHING_ELSE
    for name in names:
        content: msgspec.Raw = getattr(body, name)
        if content is not _ABSENT:
            parts += parts_in(content)
            setattr(body, name, _ABSENT)
    return parts


_encoder = msgspec.json.Encoder()
