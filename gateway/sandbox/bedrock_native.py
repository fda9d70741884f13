"""Owns the bodies that models on Bedrock take and give as their makers made them: Claude, Nova, Llama and Titan."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gateway.sandbox import anthropic_messages
from gateway.sandbox.anthropic_messages import MessagesRequest, accept
from gateway.sandbox.anthropic_writing import Event
from gateway.sandbox.bedrock import Json, refuse_control, refuse_fault, refuse_request
from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Fault, output_budget, prompt_tokens, read_body
from gateway.sandbox.text import count_tokens, seed_of, write_chunks, write_vector


class Native(NamedTuple):
    """An accepted body: what was read, how much is written, and both forms of the answer."""

    prompt: Tokens
    budget: Budget
    whole: Json
    events: Iterable[Event] | None  # None: this model does not stream
    counts_cache: bool = False  # whether the answer's headers tell of a cache


# The model is in the path, and the path says whether to stream.
CLAUDE_FIELDS = (anthropic_messages.FIELDS - {"model", "stream"}) | {"anthropic_version", "anthropic_beta"}
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html ; the second
# is what Anthropic's own SDK of 2026-10 sends to everyone.
CLAUDE_VERSIONS = ("bedrock-2023-05-31", "2026-10-21")


class ClaudeRequest(MessagesRequest, frozen=True, kw_only=True):
    anthropic_version: str


def claude(call: Call, body: bytes, model: Model) -> Native | Answer:
    request = read_body(ClaudeRequest, body, CLAUDE_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if request.anthropic_version not in CLAUDE_VERSIONS:
        return refuse_request("anthropic_version: Input should be 'bedrock-2023-05-31'")
    if problem := anthropic_messages.misused_control(call, request):
        return refuse_control(call, problem)
    if problem := anthropic_messages.mistake_of(request):
        return refuse_request(problem)
    said_model = model.name.partition("anthropic.")[2].removesuffix("-v1:0")
    writing = msgspec.structs.replace(accept(call, request, model, said_model), id_prefix="msg_bdrk_01")
    events = (event for event in writing.events() if event.document["type"] != "ping")
    return Native(writing.prompt, writing.budget, writing.whole(), events, counts_cache=True)


# https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html
NOVA_FIELDS = frozenset(("schemaVersion", "messages", "system", "inferenceConfig", "toolConfig"))


class NovaMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: list[Json]


class NovaConfig(msgspec.Struct, frozen=True, rename="camel"):
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_new_tokens: Annotated[int, Meta(ge=1)] | None = msgspec.field(default=None, name="max_new_tokens")


class NovaRequest(msgspec.Struct, frozen=True, rename="camel"):
    messages: Annotated[list[NovaMessage], Meta(min_length=1)]
    system: list[Json] = []
    inference_config: NovaConfig = NovaConfig()


def nova(call: Call, body: bytes, model: Model) -> Native | Answer:
    request = read_body(NovaRequest, body, NOVA_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if call.controls.reasoning_tokens:
        return refuse_control(call, "x-sandbox-reasoning-tokens: the model does not think")
    counted = 4 + sum(3 + count_tokens(message.content) for message in request.messages) + count_tokens(request.system)
    prompt = prompt_tokens(call.controls, counted)
    limit = request.inference_config.max_new_tokens or request.inference_config.max_tokens
    budget = output_budget(call.controls, limit)
    chunks = tuple(_chunks(call, seed_of(model.name, request.system, request.messages), budget))
    message = {"content": [{"text": "".join(text for text, _ in chunks)}], "role": "assistant"}
    usage = _nova_usage(prompt, budget)
    total = {"totalTokens": prompt.prompt + budget.visible}
    whole: Json = {"output": {"message": message}, "stopReason": _nova_stop(budget), "usage": {**usage, **total}}
    return Native(prompt, budget, whole, _nova_events(chunks, budget, usage), counts_cache=True)


def _nova_stop(budget: Budget) -> str:
    return "max_tokens" if budget.capped else "end_turn"


def _nova_usage(prompt: Tokens, budget: Budget) -> Json:
    return {
        "inputTokens": prompt.input,
        "outputTokens": budget.visible,
        "cacheReadInputTokenCount": prompt.cache_read,
        "cacheWriteInputTokenCount": prompt.cache_write,
    }


def _nova_events(chunks: Iterable[tuple[str, int]], budget: Budget, usage: Json) -> Iterator[Event]:
    """Every piece of text is a block of its own."""
    yield Event({"messageStart": {"role": "assistant"}})
    for index, (text, tokens) in enumerate(chunks):
        yield Event({"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": index}}, tokens)
        yield Event({"contentBlockStop": {"contentBlockIndex": index}})
    yield Event({"messageStop": {"stopReason": _nova_stop(budget)}})
    yield Event({"metadata": {"usage": usage, "metrics": {}, "trace": {}}})


# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html
LLAMA_FIELDS = frozenset(("prompt", "temperature", "top_p", "max_gen_len", "images"))
# What the model writes at most when the request does not say.
LLAMA_LENGTH_DEFAULT = 512


class LlamaRequest(msgspec.Struct, frozen=True):
    prompt: Annotated[str, Meta(min_length=1)]
    max_gen_len: Annotated[int, Meta(ge=1, le=2048)] = LLAMA_LENGTH_DEFAULT


def llama(call: Call, body: bytes, model: Model) -> Native | Answer:
    request = read_body(LlamaRequest, body, LLAMA_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if call.controls.reasoning_tokens:
        return refuse_control(call, "x-sandbox-reasoning-tokens: the model does not think")
    prompt = prompt_tokens(call.controls, count_tokens(request.prompt))
    budget = output_budget(call.controls, request.max_gen_len)
    chunks = tuple(_chunks(call, seed_of(model.name, request.prompt), budget))
    whole: Json = {
        "generation": "".join(text for text, _ in chunks),
        "prompt_token_count": prompt.input,
        "generation_token_count": budget.visible,
        "stop_reason": "length" if budget.capped else "stop",
    }
    return Native(prompt, budget, whole, _llama_events(chunks, whole))


def _llama_events(chunks: Iterable[tuple[str, int]], whole: Json) -> Iterator[Event]:
    """The prompt is counted in the first piece alone, the reason is in the last."""
    counted, written = whole["prompt_token_count"], 0
    for text, tokens in chunks:
        written += tokens
        yield Event(_llama_piece(text, counted, written, None), tokens)
        counted = None
    yield Event(_llama_piece("", counted, written, whole["stop_reason"]))


def _llama_piece(text: str, counted: object, written: int, stop_reason: object) -> Json:
    return {
        "generation": text,
        "prompt_token_count": counted,
        "generation_token_count": written,
        "stop_reason": stop_reason,
    }


# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
TITAN_FIELDS = frozenset(("inputText", "dimensions", "normalize", "embeddingTypes"))


class TitanRequest(msgspec.Struct, frozen=True, rename="camel"):
    input_text: Annotated[str, Meta(min_length=1)]
    dimensions: Literal[256, 512, 1024] = 1024


def titan(call: Call, body: bytes, model: Model) -> Native | Answer:
    request = read_body(TitanRequest, body, TITAN_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    prompt = prompt_tokens(call.controls, count_tokens(request.input_text))
    vector = write_vector(seed_of(model.name, request.input_text), request.dimensions)
    whole: Json = {"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": prompt.input}
    return Native(prompt, Budget(0, 0, False), whole, None)


def _chunks(call: Call, seed: bytes, budget: Budget) -> Iterator[tuple[str, int]]:
    return write_chunks(seed, budget.visible, call.controls.chunk_tokens)


_MAKERS: tuple[tuple[str, Callable[[Call, bytes, Model], Native | Answer]], ...] = (
    ("anthropic.claude", claude),
    ("amazon.nova", nova),
    ("meta.llama", llama),
    ("amazon.titan-embed", titan),
)


def read_native(call: Call, body: bytes, model: Model) -> Native | Answer:
    """The body as this model's maker wants it, or its refusal."""
    reader = next((reader for name, reader in _MAKERS if name in model.name), None)
    return reader(call, body, model) if reader else refuse_request("The sandbox knows this model by Converse alone.")
