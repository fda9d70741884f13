"""Owns the changes made to bodies: asking for `stream_options.include_usage`, undoing what that caused, setting a cap.

All are edits of the text that leave every other byte alone. What the option causes is recorded in
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

# In valid JSON a comma or brace before its quote makes `"usage":` a key. It is one of the outermost object if no
# more than one bracket closes behind it in its event, or no more than one opened before it; brackets inside strings
# only make this proof fail, and the event is then tokenised.
_NULL_BEFORE_ONE_CLOSING = re.compile(rb',"usage":null(?=[^\]}\r\n]*+\}\r?\n\r?\n)')
_NULL_AND_COMMA = b'"usage":null,'


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


def set_number(body: bytes, path: tuple[str, ...], number: int) -> bytes:
    """The body, an object, with that number at a path of members; objects that are missing on the way are added.

    Where a member on the way is no object, it is replaced by one.
    """
    name, *rest = path
    brace = body.index(b"{") + 1
    member = next((one for one in jsontext.members(body) if one.key == name), None)
    if member is None:
        comma = b"" if _EMPTY.match(body) else b","
        return b"".join((body[:brace], _nested(path, number), comma, body[brace:]))
    value = body[member.value : member.end]
    if not rest:
        new = b"%d" % number
    elif value.startswith(b"{"):
        new = set_number(value, tuple(rest), number)
    else:
        new = b"{" + _nested(tuple(rest), number) + b"}"
    return b"".join((body[: member.value], new, body[member.end :]))


def _nested(path: tuple[str, ...], number: int) -> bytes:
    """`"a":{"b":7}` for the path a, b."""
    opening = b":{".join(b'"%b"' % name.encode() for name in path)
    return b"%b:%d%b" % (opening, number, b"}" * (len(path) - 1))


def strip_nulls(block: bytes) -> bytes:
    """The block of whole events without the top-level `"usage":null` that can be proven so cheaply.

    The same object where there is none. What is left of `"usage"` afterwards is for `strip_usage`.
    """
    if _USAGE not in block:
        return block
    block = _NULL_BEFORE_ONE_CLOSING.sub(b"", block)
    return _strip_nulls_after_one_opening(block) if _NULL_AND_COMMA in block else block


def _strip_nulls_after_one_opening(block: bytes) -> bytes:
    pieces = block.split(_NULL_AND_COMMA)
    for index in range(len(pieces) - 1):
        if not _opens_one(pieces[index]):
            pieces[index] += _NULL_AND_COMMA
    return b"".join(pieces)


def _opens_one(text: bytes) -> bool:
    """Whether the text ends in the outermost object of an event that begins in it, where a key may follow."""
    blank = text.rfind(b"\n\n")
    opening = text[blank + 2 :] if blank >= 0 else text
    return (
        opening.startswith(b"data: {")
        and opening.count(b"{") == 1
        and b"[" not in opening
        and opening.endswith((b",", b"{"))
    )


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
