"""Owns the one change made to bodies: asking for `stream_options.include_usage`, and undoing what that caused.

Both are edits of the text that leave every other byte alone. What the option causes is recorded in
provider_facts section 2: on OpenAI, Azure and their like every other chunk gains `"usage":null`; on
all that honour it, one extra chunk with `"choices":[]` carries the usage. A usage object on a chunk
with choices was never seen to be caused by the option: such providers send it unasked.
"""

import re

import msgspec

from gateway.wire import jsontext
from gateway.wire.jsontext import Member, NotJson
from gateway.wire.peek import Peek

_ASK = b'"stream_options":{"include_usage":true}'
_EMPTY = re.compile(rb"\s*\{\s*\}")
_USAGE = b'"usage"'
_NULL = msgspec.Raw(b"null")

# Scalar members only. In valid JSON, what stands beside nothing but scalars at one brace's distance
# from the end of the event (or from its start) is a member of the outermost object.
_SCALAR_MEMBER = rb'"[^"\\]*+":(?:"[^"\\]*+"|[^"\\,{}\[\]]++)'
_NULL_AT_THE_END = re.compile(rb',"usage":null(?=(?:,' + _SCALAR_MEMBER + rb")*+\}\r?\n\r?\n)")
_NULL_AT_THE_START = re.compile(rb'(?m)(^data: ?\{(?:(?!"usage":)' + _SCALAR_MEMBER + rb',)*+)"usage":null,')


class _Chunk(msgspec.Struct, frozen=True, gc=False):
    """What tells whether the option caused the usage, and the members that must reach the client even if it
    caused the whole chunk: OpenAI's late moderation, Azure's asynchronous content filter."""

    choices: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    moderation: msgspec.Raw = msgspec.Raw()
    prompt_filter_results: msgspec.Raw = msgspec.Raw()
    prompt_annotations: msgspec.Raw = msgspec.Raw()
    content_filter_results: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()

    @property
    def is_caused(self) -> bool:
        choices = bytes(self.choices)
        return choices.startswith(b"[") and not choices.strip(b"[] \t\r\n") and bytes(self.usage).startswith(b"{")

    @property
    def has_payload(self) -> bool:
        filters = self.prompt_filter_results or self.prompt_annotations or self.content_filter_results
        return bool(self.moderation or filters or self.error)


_chunks = msgspec.json.Decoder(_Chunk)

_FIELD_NAME = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?data:|^(?!data:)[^\r\n]+")


def ask_for_usage(body: bytes, request: Peek) -> bytes:
    """The body with `stream_options.include_usage` true; the same object if the client asked for it itself.

    `request` is what `peek` made of this body.
    """
    if request.include_usage:
        return body
    if not request.has_stream_options:
        brace = body.index(b"{") + 1
        comma = b"" if _EMPTY.match(body) else b","
        return b"".join((body[:brace], _ASK, comma, body[brace:]))
    for member in reversed(jsontext.members(body)):
        if member.key == "stream_options":
            body = b"".join((body[: member.value], _asking(body, member), body[member.end :]))
    return body


def _asking(body: bytes, options: Member) -> bytes:
    """The text of `stream_options` with `include_usage` true and its siblings untouched."""
    text = body[options.value : options.end]
    if not text.startswith(b"{"):
        return b'{"include_usage":true}'
    siblings = jsontext.members(text)
    asked = [member for member in siblings if member.key == "include_usage"]
    for member in reversed(asked):
        text = text[: member.value] + b"true" + text[member.end :]
    if asked:
        return text
    return b'{"include_usage":true' + (b"," if siblings else b"") + text[1:]


def strip_nulls(block: bytes) -> bytes:
    """The block of whole events without the top-level `"usage":null` that can be proven so cheaply.

    The same object where there is none. What is left of `"usage"` afterwards is for `strip_usage`.
    """
    if _USAGE not in block:
        return block
    block = _NULL_AT_THE_END.sub(b"", block)
    return _NULL_AT_THE_START.sub(rb"\1", block) if _USAGE in block else block


def strip_usage(event: bytes) -> bytes | None:
    """One event as the provider sends it without the option: None where it would not have sent it at all.

    The same object where the option changed nothing, and where the event is not what it seems.
    """
    if _USAGE not in event:
        return event
    text = _masked(event)
    try:
        chunk = jsontext.decode(_chunks, text)
    except (NotJson, msgspec.ValidationError):
        return event
    if chunk.is_caused and not chunk.has_payload:
        return None
    return _without_usage(event, text) if chunk.is_caused or chunk.usage == _NULL else event


def _without_usage(event: bytes, text: bytes) -> bytes:
    found = jsontext.members(text)
    usage = next(index for index, member in enumerate(found) if member.key == "usage")
    start, end = jsontext.without_member(text, usage, found)
    return event[:start] + event[end:]


def _masked(event: bytes) -> bytes:
    """The event's JSON at the same offsets: field names, comments and other fields become blanks."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event.replace(b"data:", b"     ", 1)
    return _FIELD_NAME.sub(lambda found: b" " * len(found[0]), event)
