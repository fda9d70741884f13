"""Owns what a prompt holds besides text: how many images, and whether anything in it has a size that nobody can tell,
starts work beside the answer, or asks for a cache of twelve hours.

Every API marks what is no text by a `type`, or by the name of a member. What is marked by a word that stands in no
table here may be anything, so that a new kind of attachment is never taken for text.
"""

from collections.abc import Iterator
from typing import Literal, cast

import msgspec

from gateway.wire import jsontext

# Content of these types is what its bytes say, or was written by the model and comes back as it was: openai 3.54.0
# (types/chat, types/responses), anthropic 2.12.0 (types/beta), cohere 7.3.
_PLAIN = frozenset(
    {
        "text", "input_text", "output_text", "refusal", "message", "summary_text", "reasoning_text", "reasoning",
        "thinking", "redacted_thinking", "function", "function_call", "function_call_output", "custom_tool_call",
        "custom_tool_call_output", "custom", "tool_use", "tool_result", "tool_call", "tool-call", "server_tool_use",
        "web_search_tool_result", "web_search_result", "web_search_call", "search", "search_result", "url_citation",
        "web_search_result_location", "search_result_location", "char_location", "content_block_location",
        "tool_reference", "ephemeral", "computer_call", "computer_call_output", "local_shell_call",
        "local_shell_call_output", "apply_patch_call", "apply_patch_call_output", "shell_call", "shell_call_output",
        "local",
        "user_input", "model_output", "thought", "function_result",  # google-genai 3.4.0, _gaos/types/interactions
        "reasoning.text", "reasoning.summary", "reasoning.encrypted",  # OpenRouter's, of turns before
    }
)  # fmt: skip
# Tools that are added amid a conversation, and the item that makes the model write it down anew: openai 3.54.0
# (types/responses/response_input_item_param.py), anthropic 2.12.0 (beta_request_tool_addition_block_param.py).
_ADDS_TOOLS = frozenset({"additional_tools", "tool_addition"})
_COMPACTS = "compaction_trigger"
_BY_CLIENT = (None, "function", "custom")
# An item of these members alone stands for another one, which is stored: its type may be left out.
_REFERENCE = frozenset({"id", "type"})
_IMAGES = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
# Members without a type beside them that hold what is no text: Gemini's, in both spellings, and Bedrock Converse's.
_DATA = frozenset({"inlineData", "inline_data"})
_OPAQUE = frozenset(
    {
        "fileData", "file_data", "document", "video", "audio", "videoMetadata", "video_metadata",
        # vLLM takes a part by its member where it has no type (vllm/entrypoints/chat_utils.py).
        "input_audio", "audio_url", "video_url",
    }
)  # fmt: skip
# Where the data of an image stand, or the way to it; a text beside them is a text.
_HOLDERS = ("image_url", "source", "image", "url", "data", "bytes", "inlineData", "inline_data")
# What a tool was called with, and by whom, or answered: JSON that the model reads as text, whatever its members are
# called. The last is a mark of Converse's that it does not read.
_AS_TEXT = frozenset(
    {
        "input", "args", "arguments", "response", "json", "action", "actions", "operation", "caller", "outcome",
        "cachePoint",
    }
)  # fmt: skip
# An object that has none of these is text, or holds what has to be looked at; most messages have none.
_MARKS = _DATA | _OPAQUE | {"type", "image", "image_url", "id"}
# Where a part of OpenAI's asks for a cache of its own time to live, and the one that costs what any write does.
_BREAKPOINT = "prompt_cache_breakpoint"
_USUAL_TTLS = (None, "30m")
_CONTAINERS: frozenset[type] = frozenset((dict, list))


class Parts(msgspec.Struct, frozen=True, gc=False):
    """What is no text: `image_characters` of the request are the data of its images, which no model reads as text."""

    images: int = 0
    image_characters: int = 0
    opaque: bool = False  # something whose size nobody can tell: a document, a sound, what is behind a file's id
    acts: bool = False  # something that starts work beside the answer: a tool that the provider runs, a compaction
    lasting: bool = False  # something that is to be cached for longer than usual

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(
            self.images + other.images,
            self.image_characters + other.image_characters,
            self.opaque or other.opaque,
            self.acts or other.acts,
            self.lasting or other.lasting,
        )


NOTHING_ELSE = Parts()  # than text
_LASTING = Parts(lasting=True)


class _PlainPart(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    text: str
    type: Literal["text", "input_text", "output_text"] = "text"


class _PlainTurn(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What somebody says in words alone. Members that hold words are named alike by all APIs but Gemini's."""

    role: str = ""
    name: str = ""
    content: str | list[_PlainPart] = ""
    parts: list[_PlainPart] = []


# What conversations in words alone, as most are, decode as, and nothing else does.
Plain = str | list[_PlainTurn] | _PlainTurn
_plain = msgspec.json.Decoder(Plain)
_any_json = msgspec.json.Decoder()


def parts_in(text: msgspec.Raw) -> Parts:
    """What `parts_of` finds in a JSON text. Conversations in words alone, as most are, are known by their shape.

    Raises msgspec.ValidationError for what is no JSON.
    """
    try:
        _plain.decode(text)
    except ValueError:
        return parts_of(jsontext.decode_member(_any_json, text))
    return NOTHING_ELSE


def parts_of(value: object) -> Parts:
    """What the messages or the input of a request hold besides text, however deep."""
    found = NOTHING_ELSE
    pending = [value]
    while pending:
        top = pending.pop()
        if isinstance(top, list):
            for item in cast("list[object]", top):
                if type(item) in _CONTAINERS:
                    pending.append(item)
        elif isinstance(top, dict):
            members = cast("dict[str, object]", top)
            if _BREAKPOINT in members and lasts(members[_BREAKPOINT]):
                found = found + _LASTING
            own = None if _MARKS.isdisjoint(members) else _own(members)
            if own is not None:
                found = found + own
                continue
            for name, member in members.items():
                if type(member) in _CONTAINERS and name not in _AS_TEXT:
                    pending.append(member)
    return found


def images_of(value: object) -> Parts:
    """The images of a list that holds nothing else, in base64 or as data URLs."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return Parts(len(items), sum(len(item) for item in items if isinstance(item, str)))


def _own(members: dict[str, object]) -> Parts | None:
    """What an object is besides text; None: it is none, or holds what has to be looked at."""
    kind = members.get("type")
    if isinstance(kind, str) and kind not in _PLAIN:
        if kind in _IMAGES:
            return _image(members)
        return Parts(opaque=True, acts=kind == _COMPACTS or (kind in _ADDS_TOOLS and _adds_unbounded(members)))
    if "id" in members and members.keys() <= _REFERENCE:
        return Parts(opaque=True)
    if not _OPAQUE.isdisjoint(members):
        return Parts(opaque=any(members[name] is not None for name in _OPAQUE.intersection(members)))
    for name in _DATA.intersection(members):
        return _inline(members, members[name])
    if isinstance(members.get("image"), dict | str) or (kind is None and "image_url" in members):
        return _image(members)
    return None


def _adds_unbounded(members: dict[str, object]) -> bool:
    """Whether any of the tools that are added is not the client's to run. One that is named was judged where it is."""
    tools, tool = members.get("tools"), members.get("tool")
    added = cast("list[object]", tools) if isinstance(tools, list) else []
    if isinstance(tool, dict) and "definition" in tool:
        added = [*added, cast("dict[str, object]", tool)["definition"]]
    return not all(_is_client_s(each) for each in added)


def _is_client_s(tool: object) -> bool:
    return isinstance(tool, dict) and cast("dict[str, object]", tool).get("type") in _BY_CLIENT


def lasts(options: object) -> bool:
    """Whether the options of a cache ask for a longer time to live than the usual one."""
    return isinstance(options, dict) and cast("dict[str, object]", options).get("ttl") not in _USUAL_TTLS


def _inline(members: dict[str, object], data: object) -> Parts:
    held = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    kind = held.get("mimeType") or held.get("mime_type")
    is_image = isinstance(kind, str) and kind.lower().startswith("image/")
    return _image(members) if is_image else Parts(opaque=True)


def _image(members: dict[str, object]) -> Parts:
    return Parts(1, sum(map(len, _held(members))))


def _held(members: dict[str, object]) -> Iterator[str]:
    for name in _HOLDERS:
        value = members.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _held(cast("dict[str, object]", value))
