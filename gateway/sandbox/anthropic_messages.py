"""Owns Anthropic's messages and count_tokens: their rules, and how an answer is framed.

A stream's JSON is padded with spaces, as Anthropic pads it.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.anthropic import Json, body_of, refuse, refuse_control, refuse_fault, refuse_model
from gateway.sandbox.anthropic_writing import Writing
from gateway.sandbox.bill import Model, Tier, find_model
from gateway.sandbox.call import Answer, Call, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.text import count_tokens, seed_of

# https://docs.anthropic.com/en/api/messages
_FIELD_LIST = """
billing_policy cache_control compaction container context_management diagnostics fallbacks inference_geo max_tokens
mcp_servers messages metadata model output_config output_format service_tier speed stop_sequences stream system
temperature thinking tool_choice tools top_k top_p user_profile_id
"""
FIELDS = frozenset(_FIELD_LIST.split())
# https://docs.anthropic.com/en/api/messages-count-tokens
_COUNT_FIELD_LIST = """
cache_control context_management mcp_servers messages model output_config output_format speed system thinking
tool_choice tools
"""
COUNT_FIELDS = frozenset(_COUNT_FIELD_LIST.split())

# What a thinking model thinks when no control says how much.
THINKING_TOKENS_DEFAULT = 8
# The smallest budget the real service takes.
THINKING_BUDGET_MIN = 1024


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Json], Meta(min_length=1)]


class Thinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: int | None = None


class Tool(msgspec.Struct, frozen=True):
    name: str
    type: str = "custom"


class ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""


class CountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of count_tokens that matter here."""

    model: str = ""  # named in the path by those who resell Claude
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Json] | None = None
    tools: list[Tool] | None = None

    @property
    def counted_tokens(self) -> int:
        contents = sum(3 + count_tokens(message.content) for message in self.messages)
        return 4 + contents + count_tokens(self.system) + sum(20 + count_tokens(tool.name) for tool in self.tools or ())


class MessagesRequest(CountRequest, frozen=True, kw_only=True):
    """The fields that change the answer; the other known ones are accepted and mean nothing here."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool = False
    thinking: Thinking | None = None
    tool_choice: ToolChoice | None = None

    @property
    def thinks(self) -> bool:
        return self.thinking is not None and self.thinking.type != "disabled"

    @property
    def called_tool(self) -> str:
        """The tool the model must call; empty if it may answer in words, which it then does."""
        if self.tool_choice is None or not self.tools:
            return ""
        named = {"any": self.tools[0].name, "tool": self.tool_choice.name}
        return named.get(self.tool_choice.type, "")

    @property
    def may_search(self) -> bool:
        return any(tool.type.startswith("web_search_") for tool in self.tools or ())


def messages(call: Call) -> Answer:
    request = read_body(MessagesRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    if not request.model:
        return refuse_fault(call, Fault("missing", "model", ""))
    model = find_model(request.model, "anthropic", "chat")
    if model is None:
        return refuse_model(call, request.model)
    if problem := misused_control(call, request):
        return refuse_control(call, problem)
    if problem := mistake_of(request):
        return refuse(call, 400, "invalid_request_error", problem)
    return answer_of(accept(call, request, model), request.stream)


def misused_control(call: Call, request: MessagesRequest) -> str:
    """A control that this request cannot obey; empty if there is none."""
    if call.controls.reasoning_tokens and not request.thinks:
        return "x-sandbox-reasoning-tokens: the request does not enable thinking"
    if call.controls.web_searches and not request.may_search:
        return "x-sandbox-web-searches: the request has no web search tool"
    return ""


def mistake_of(request: MessagesRequest) -> str:
    """What is wrong with a thinking budget: it is at least 1024 and leaves room for an answer. Empty if nothing is."""
    if request.thinking is None or not request.thinks:
        return ""
    budget = request.thinking.budget_tokens
    if request.thinking.type == "enabled" and budget is None:
        return "thinking.enabled.budget_tokens: Field required"
    if budget is not None and budget < THINKING_BUDGET_MIN:
        return f"thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_BUDGET_MIN}"
    if budget is not None and budget >= request.max_tokens:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return ""


def accept(
    call: Call, request: MessagesRequest, model: Model, said_model: str = "", tier: Tier = "standard"
) -> Writing:
    """What is written to this request. `said_model` is what the answer calls the model, if not its version."""
    thoughts = (call.controls.reasoning_tokens or THINKING_TOKENS_DEFAULT) if request.thinks else 0
    prompt = prompt_tokens(call.controls, request.counted_tokens)
    prompt.web_searches = call.controls.web_searches
    return Writing(
        call=call,
        model=model,
        said_model=said_model or model.version,
        seed=seed_of(model.name, request.system, request.messages, request.called_tool),
        prompt=prompt,
        budget=output_budget(call.controls, request.max_tokens, thoughts),
        thinks=request.thinks,
        called_tool=request.called_tool,
        tier=tier,
    )


def answer_of(writing: Writing, stream: bool) -> Answer:
    """The writing as Anthropic sends it: one JSON document, or server-sent events."""
    if not stream:
        piece = Piece(body_of(writing.whole()), writing.budget.visible, writing.budget.reasoning)
        return Answer(200, (piece,), charge=writing.charge)
    error: Json = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    return Answer(
        200,
        _stream(writing),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=writing.charge,
        error_event=_event(error),
    )


def _stream(writing: Writing) -> Iterator[Piece]:
    for document, output, reasoning in writing.events():
        data = _PING if document["type"] == "ping" else _event(document)
        yield Piece(data, output, reasoning)


def _event(document: Json) -> bytes:
    """An event padded before its last brace, by a length that is its own."""
    data = msgspec.json.encode(document)
    padding = b" " * (len(data) % 7)
    return b"event: %b\ndata: %b%b}\n\n" % (str(document["type"]).encode(), data[:-1], padding)


_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def tokens_count(call: Call) -> Answer:
    """What a message with this input would be billed for its input; free."""
    request = read_body(CountRequest, call.request.body, COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    if not request.model:
        return refuse_fault(call, Fault("missing", "model", ""))
    if find_model(request.model, "anthropic", "chat") is None:
        return refuse_model(call, request.model)
    counted = prompt_tokens(call.controls, request.counted_tokens)
    return Answer(200, (Piece(body_of({"input_tokens": counted.prompt})),))
