"""Owns the one change made to bodies: asking for `stream_options.include_usage`, and undoing what that caused.

Both are edits of the text that leave every other byte alone. What the option causes is recorded in
provider_facts section 2: on OpenAI, Azure and their like every other chunk gains `"usage":null`; on
all that honour it, one extra chunk with `"choices":[]` carries the usage. A usage object on a chunk
with choices was never seen to be caused by the option: such providers send it unasked.
"""

import re

from gateway.wire import jsontext
from gateway.wire.jsontext import Member, NotJson
from gateway.wire.peek import Peek

_ASK = b'"stream_options":{"include_usage":true}'
_EMPTY = re.compile(rb"\s*\{\s*\}")
_USAGE = b'"usage"'

# Scalar members only. In valid JSON, what stands beside nothing but scalars at one brace's distance
# from the end of the event (or from its start) is a member of the outermost object.
_SCALAR_MEMBER = rb'"[^"\\]*+":(?:"[^"\\]*+"|[^"\\,{}\[\]]++)'
_NULL_AT_THE_END = re.compile(rb',"usage":null(?=(?:,' + _SCALAR_MEMBER + rb")*+\}\r?\n\r?\n)")
_NULL_AT_THE_START = re.compile(rb'(?m)(^data: ?\{(?:(?!"usage":)' + _SCALAR_MEMBER + rb',)*+)"usage":null,')

# Keys of a choiceless chunk that the client must get even if the option made the chunk carry usage too:
# OpenAI's late moderation and Azure's asynchronous content filter.
_PAYLOAD_KEYS = frozenset(
    ("moderation", "prompt_filter_results", "prompt_annotations", "content_filter_results", "error")
)

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
        found = jsontext.members(text)
    except NotJson:
        return event
    usage = next((index for index, member in enumerate(found) if member.key == "usage"), None)
    if usage is None or not _is_caused(text, found, found[usage]):
        return event
    if text.startswith(b"{", found[usage].value) and _PAYLOAD_KEYS.isdisjoint(member.key for member in found):
        return None
    start, end = jsontext.without_member(text, usage, found)
    return event[:start] + event[end:]


def _is_caused(text: bytes, found: list[Member], usage: Member) -> bool:
    if text.startswith(b"null", usage.value):
        return True
    choices = next((text[member.value : member.end] for member in found if member.key == "choices"), b"")
    return text.startswith(b"{", usage.value) and choices[:1] == b"[" and not choices.strip(b"[] \t\r\n")


def _masked(event: bytes) -> bytes:
    """The event's JSON at the same offsets: field names, comments and other fields become blanks."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event.replace(b"data:", b"     ", 1)
    return _FIELD_NAME.sub(lambda found: b" " * len(found[0]), event)
