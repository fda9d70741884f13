"""Owns which tools a provider runs by itself, what each costs besides tokens, and what bounds their number.

A tool that the client runs costs what its definition and its results do, which are bytes of its requests. One that the
provider runs makes the model read its context again, and may have a fee: it is bounded only where the request says
how often it may be used.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import msgspec

from pricing.bound import Unbounded
from pricing.usage import Usage

# Providers' own instructions for tools that a request names by type alone: at most 806 tokens before any tools and 735
# for one (platform.claude.com/docs/en/agents-and-tools/tool-use/overview, "Pricing", and …/computer-use-tool).
TOOLS_TOKENS = 1024
TYPED_TOOL_TOKENS = 1024

# No agent's turn comes near; what asks for more is a mistake, or means to have no limit.
USES_MAX = 1000
# Anthropic's loop of server tools pauses after so many passes (platform.claude.com/docs/en/build-with-claude/
# handling-stop-reasons, "pause_turn"). A use beyond `max_uses` is answered by an error, which the model reads as well.
_LOOP_PASSES = 10


class Tooling(msgspec.Struct, frozen=True, gc=False):
    """What the tools of a request may add: times that the model reads its context again, fees, instructions."""

    uses: int = 0
    fees: Usage = Usage()
    tokens: int = 0


NO_TOOLS = Tooling()


class _Kind(NamedTuple):
    """Who runs a tool: the client, or the provider for the fee of a bucket, "" where it has none."""

    by_client: bool = False
    fee: str = ""


_CLIENT = _Kind(by_client=True)
_FREE = _Kind()

# openai 3.54.0, types/responses/tool_param.py. What is not here (containers, images, programs) has fees that nothing in
# a request bounds.
_OPENAI = {
    "function": _CLIENT, "custom": _CLIENT, "computer": _CLIENT, "computer_use_preview": _CLIENT,
    "local_shell": _CLIENT, "apply_patch": _CLIENT, "namespace": _CLIENT,
    "web_search": _Kind(fee="web_searches"), "web_search_2025_08_26": _Kind(fee="web_searches"),
    "web_search_preview": _Kind(fee="web_searches"), "web_search_preview_2025_03_11": _Kind(fee="web_searches"),
    "file_search": _Kind(fee="file_searches"), "mcp": _FREE,
}  # fmt: skip
# anthropic 2.12.0, types/beta/*_tool_*_param.py: each name ends with a date.
_ANTHROPIC = {
    "custom": _CLIENT, "bash": _CLIENT, "text_editor": _CLIENT, "computer": _CLIENT, "memory": _CLIENT,
    "web_search": _Kind(fee="web_searches"), "web_fetch": _FREE,
}  # fmt: skip
# Members of an element of `tools` that the client runs: Gemini's in both spellings, Bedrock Converse's.
_GEMINI = frozenset({"functionDeclarations", "function_declarations", "computerUse", "computer_use"})
_CONVERSE = frozenset({"toolSpec", "cachePoint"})
# Who keeps to `max_tool_calls`.
_COUNTS_CALLS = frozenset({"openai", "azure"})


def openai_tools(tools: object, calls_max: object, provider: str) -> Tooling | Unbounded:
    """What tools of the Responses or the chat API may add; `provider` is the one that serves them."""
    if tools is None:
        return NO_TOOLS
    kinds = [
        (kind, _CLIENT if _is_local_shell(tool) else _OPENAI.get(kind))
        for tool, kind in zip(_objects(tools), _types(tools, "function"), strict=True)
    ]
    fault = _fault(kinds)
    if fault is not None:
        return fault
    fees = {kind.fee for _, kind in kinds if kind and kind.fee}
    tokens = _definitions(kind for kind, _ in kinds)
    if all(kind is None or kind.by_client for _, kind in kinds):
        return Tooling(0, Usage(), tokens)
    uses = _uses(calls_max) if provider in _COUNTS_CALLS else None
    if uses is None:
        return Unbounded("tools that the provider runs need max_tool_calls to have a bound")
    # Of a server of tools the model reads what it lists, though it may not use any.
    return Tooling(max(uses, 1), Usage(**dict.fromkeys(fees, uses)), tokens)


def anthropic_tools(tools: object) -> Tooling | Unbounded:
    """What tools of the Messages API may add."""
    if tools is None:
        return NO_TOOLS
    kinds = [(kind, _ANTHROPIC.get(_undated(kind))) for kind in _types(tools, "custom")]
    fault = _fault(kinds)
    if fault is not None:
        return fault
    uses, fees = 0, Usage()
    for tool, (name, kind) in zip(_objects(tools), kinds, strict=True):
        if kind is None or kind.by_client:
            continue
        each = _uses(tool.get("max_uses"))
        if each is None:
            return Unbounded(f"the tool {name} needs max_uses to have a bound")
        uses += each
        fees = fees + (Usage(**{kind.fee: each}) if kind.fee else Usage())
    if any(kind and not kind.by_client for _, kind in kinds):
        uses = max(uses, _LOOP_PASSES)
    return Tooling(uses, fees, _definitions(kind for kind, _ in kinds))


def gemini_tools(tools: object) -> Tooling | Unbounded:
    """What tools of Gemini may add: nothing bounds those that it runs itself."""
    return _by_member(tools, _GEMINI)


def converse_tools(tools: object) -> Tooling | Unbounded:
    """What tools of Bedrock's Converse may add."""
    return _by_member(tools, _CONVERSE)


def function_tools(tools: object) -> Tooling | Unbounded:
    """What tools may add where only functions have a bound."""
    return _by_type(tools, ("function",))


def chat_tools(tools: object) -> Tooling | Unbounded:
    """What tools of the chat API may add."""
    return _by_type(tools, ("function", "custom"))


def _by_type(tools: object, by_client: tuple[str, ...]) -> Tooling | Unbounded:
    if tools is None:
        return NO_TOOLS
    kinds = [(kind, _CLIENT if kind in by_client else None) for kind in _types(tools, "function")]
    return _fault(kinds) or Tooling(tokens=_definitions(kind for kind, _ in kinds))


ToolReader = Callable[[object], Tooling | Unbounded]


def _by_member(tools: object, by_client: frozenset[str]) -> Tooling | Unbounded:
    if tools is None:
        return NO_TOOLS
    for tool in _objects(tools):
        for name, value in tool.items():
            if name not in by_client and value is not None:
                return _refused(name)
    return Tooling(tokens=_definitions("function" for _ in _objects(tools)))


def _is_local_shell(tool: dict[str, object]) -> bool:
    """Whether it is a shell of the client's own; any other is in a container."""
    environment = tool.get("environment")
    if tool.get("type") != "shell" or not isinstance(environment, dict):
        return False
    return cast("dict[str, object]", environment).get("type") == "local"


def _fault(kinds: list[tuple[str, _Kind | None]]) -> Unbounded | None:
    return next((_refused(name) for name, kind in kinds if kind is None), None)


def _refused(tool: str) -> Unbounded:
    shown = tool[:64] if tool.isprintable() else "?"
    return Unbounded(f"nothing in a request bounds what the tool {shown!r} costs: leave it out")


def _definitions(kinds: Iterator[str]) -> int:
    listed = list(kinds)
    typed = sum(kind not in ("function", "custom", "namespace") for kind in listed)
    return TOOLS_TOKENS + typed * TYPED_TOOL_TOKENS if listed else 0


def _types(tools: object, default: str) -> list[str]:
    """The type of every tool; one that is no text is a type that nobody knows."""
    kinds = (tool.get("type", default) for tool in _objects(tools))
    return [kind if isinstance(kind, str) else default if kind is None else "?" for kind in kinds]


def _objects(tools: object) -> list[dict[str, object]]:
    """The tools of a request. An element that is no object stands for a tool that nobody knows."""
    if tools is None:
        return []
    items = cast("list[object]", tools) if isinstance(tools, list) else [tools]
    return [cast("dict[str, object]", item) if isinstance(item, dict) else {"type": "?", "?": "?"} for item in items]


def _undated(kind: str) -> str:
    stem, _, date = kind.rpartition("_")
    return stem if stem and date.isdigit() else kind


def _uses(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= USES_MAX else None
