"""Owns generateContent, streamGenerateContent in both its forms, and countTokens."""

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox import vertex
from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens
from gateway.sandbox.gemini import error_of, read, refuse, refuse_fault, resolve
from gateway.sandbox.google_json import CONTENT_TYPE, Json, compact, pretty
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://ai.google.dev/api/generate-content#request-body
FIELDS = frozenset(
    (
        "model",
        "contents",
        "tools",
        "toolConfig",
        "safetySettings",
        "systemInstruction",
        "generationConfig",
        "cachedContent",
        "serviceTier",
        "store",
    )
)
VERTEX_FIELDS = (FIELDS - {"serviceTier", "store"}) | {"labels", "modelArmorConfig"}
COUNT_FIELDS = frozenset(("contents", "generateContentRequest"))
# https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens
VERTEX_COUNT_FIELDS = frozenset(("contents", "generationConfig", "instances", "model", "systemInstruction", "tools"))


class Content(msgspec.Struct, frozen=True):
    parts: list[Json]
    role: Literal["user", "model", "function"] | None = None


class SystemInstruction(msgspec.Struct, frozen=True):
    parts: list[Json]


class ThinkingConfig(msgspec.Struct, frozen=True, rename="camel"):
    include_thoughts: bool = False


class GenerationConfig(msgspec.Struct, frozen=True, rename="camel"):
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    candidate_count: int = 1
    thinking_config: ThinkingConfig = ThinkingConfig()


class FunctionDeclaration(msgspec.Struct, frozen=True):
    name: str


class Tool(msgspec.Struct, frozen=True, rename="camel"):
    function_declarations: tuple[FunctionDeclaration, ...] = ()


class FunctionCallingConfig(msgspec.Struct, frozen=True):
    mode: str = "AUTO"


class ToolConfig(msgspec.Struct, frozen=True, rename="camel"):
    function_calling_config: FunctionCallingConfig = FunctionCallingConfig()


class GenerateRequest(msgspec.Struct, frozen=True, rename="camel"):
    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: SystemInstruction | None = None
    generation_config: GenerationConfig = GenerationConfig()
    tools: tuple[Tool, ...] = ()
    tool_config: ToolConfig = ToolConfig()

    @property
    def counted_tokens(self) -> int:
        instruction = count_tokens(self.system_instruction.parts) if self.system_instruction else 0
        return 1 + instruction + sum(count_tokens(content.parts) for content in self.contents)

    @property
    def counted_characters(self) -> int:
        instruction = vertex.characters_of(self.system_instruction.parts) if self.system_instruction else 0
        return instruction + sum(vertex.characters_of(content.parts) for content in self.contents)

    @property
    def called_function(self) -> str:
        """The function the model must call; empty if it may answer in words, which it then does."""
        names = (declaration.name for tool in self.tools for declaration in tool.function_declarations)
        return next(names, "") if self.tool_config.function_calling_config.mode == "ANY" else ""


class CountRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What is counted is beside the contents at Vertex, and around them at Gemini."""

    contents: list[Content] | None = None
    system_instruction: SystemInstruction | None = None
    generate_content_request: GenerateRequest | None = None


class _Writing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    request: GenerateRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def response_id(self) -> str:
        return base64.urlsafe_b64encode(bytes.fromhex(self.call.id_hex(self.seed))).decode().rstrip("=")

    @property
    def finish_reason(self) -> str:
        return "MAX_TOKENS" if self.budget.capped else "STOP"

    @property
    def charge(self) -> Charge:
        """Gemini names an answer in its body alone; what is frozen there cannot be told apart on the bill."""
        bill_id = "" if self.call.controls.frozen else self.response_id
        return Charge(self.model, self.prompt, self.call.endpoint, bill_id)

    def usage(self, visible: int) -> Json:
        """The usage so far: cached is part of the prompt, thoughts are not part of the candidates."""
        prompt, cached, thoughts = self.prompt.prompt, self.prompt.cache_read, self.budget.reasoning
        usage: Json = {"promptTokenCount": prompt}
        if visible:
            usage["candidatesTokenCount"] = visible
        usage["totalTokenCount"] = prompt + visible + thoughts
        if cached:
            usage["cachedContentTokenCount"] = cached
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": prompt}]
        if cached:
            usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": cached}]
        if thoughts:
            usage["thoughtsTokenCount"] = thoughts
        return usage

    def document(self, parts: list[Json], visible: int, finish_reason: str | None = None) -> Json:
        candidate: Json = {"content": {"parts": parts, "role": "model"}}
        if finish_reason:
            candidate["finishReason"] = finish_reason
        document: Json = {
            "candidates": [{**candidate, "index": 0}],
            "usageMetadata": self.usage(visible),
            "modelVersion": self.model.version,
            "responseId": self.response_id,
        }
        if self.call.dialect == "vertex":
            return vertex.dress(self.call, document, last=bool(finish_reason))
        return document

    def thought(self) -> list[Json]:
        """The thinking as parts: one if there was any and it was asked for."""
        if not (self.budget.reasoning and self.request.generation_config.thinking_config.include_thoughts):
            return []
        text = "".join(text for text, _ in write_chunks(self.seed + b"t", self.budget.reasoning, 1))
        return [{"text": text, "thought": True}]

    def parts(self) -> Iterator[tuple[Json, int]]:
        """(part, tokens): words in pieces, or one call with such words as its argument."""
        chunk_tokens = max(1, self.budget.visible) if self.request.called_function else self.call.controls.chunk_tokens
        for text, tokens in write_chunks(self.seed, self.budget.visible, chunk_tokens):
            if self.request.called_function:
                yield {"functionCall": {"name": self.request.called_function, "args": {"text": text}}}, tokens
            else:
                yield {"text": text}, tokens


def _read(call: Call, verb: str) -> _Writing | Answer:
    """The accepted call, or its refusal."""
    model = resolve(call, "chat", verb)
    if isinstance(model, Answer):
        return model
    request = read(GenerateRequest, call.request.body, VERTEX_FIELDS if call.dialect == "vertex" else FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if call.dialect == "vertex" and not all(content.role for content in request.contents):
        return refuse(400, "Please use a valid role: user, model.")
    config = request.generation_config
    if config.candidate_count != 1:
        return refuse(400, "Only one candidate can be specified in the current model")
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.system_instruction, request.contents, request.called_function),
        prompt=prompt_tokens(call.controls, request.counted_tokens),
        budget=output_budget(call.controls, config.max_output_tokens),
    )


def generate(call: Call) -> Answer:
    writing = _read(call, "generateContent")
    if isinstance(writing, Answer):
        return writing
    document = writing.document(_whole(writing), writing.budget.visible, writing.finish_reason)
    piece = Piece(pretty(document) + b"\n", writing.budget.visible, writing.budget.reasoning)
    return Answer(200, (piece,), CONTENT_TYPE, charge=writing.charge)


def _whole(writing: _Writing) -> list[Json]:
    """All that is written, as the parts of one answer."""
    parts = [part for part, _ in writing.parts()]
    if not writing.request.called_function:
        whole: Json = {"text": "".join(str(part["text"]) for part in parts)}
        parts = [whole]
    return [*writing.thought(), *parts]


def stream(call: Call) -> Answer:
    """`alt=sse` asks for events, ended by CRLF; without it the answer is one JSON array, sent as it grows."""
    writing = _read(call, "streamGenerateContent")
    if isinstance(writing, Answer):
        return writing
    error = error_of(500, "An internal error has occurred.")
    if call.request.query.get("alt") == "sse":
        return Answer(
            200,
            (Piece(_event(document), *tokens) for document, *tokens in _documents(writing)),
            "text/event-stream",
            stream=True,
            charge=writing.charge,
            error_event=_event(error),
        )
    separator = b"[" if call.controls.error_after_chunks == 0 else b"\n,\n"
    return Answer(
        200,
        _array(writing),
        CONTENT_TYPE,
        stream=True,
        charge=writing.charge,
        error_event=separator + pretty(error) + b"\n]",
    )


def _event(document: Json) -> bytes:
    return b"data: %b\r\n\r\n" % compact(document)


def _array(writing: _Writing) -> Iterator[Piece]:
    before = b"["
    for document, output, reasoning in _documents(writing):
        yield Piece(before + pretty(document), output, reasoning)
        before = b"\n,\n"
    yield Piece(b"\n]")


def _documents(writing: _Writing) -> Iterator[tuple[Json, int, int]]:
    """(document, visible tokens, hidden tokens): each repeats the usage so far, the last says why it ends."""
    thoughts, visible = writing.budget.reasoning, 0
    if thought := writing.thought():
        yield writing.document(thought, 0), 0, thoughts
        thoughts = 0
    for part, tokens in writing.parts():
        visible += tokens
        yield writing.document([part], visible), tokens, thoughts
        thoughts = 0
    yield writing.document([{"text": ""}], visible, writing.finish_reason), 0, thoughts


def tokens_count(call: Call) -> Answer:
    """What generating from this input would be billed for its input; free."""
    model = resolve(call, "chat", "countTokens")
    if isinstance(model, Answer):
        return model
    vertexed = call.dialect == "vertex"
    request = read(CountRequest, call.request.body, VERTEX_COUNT_FIELDS if vertexed else COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    around = GenerateRequest(request.contents, request.system_instruction) if request.contents else None
    asked = request.generate_content_request or around
    if asked is None:
        return refuse(400, "* CountTokensRequest.contents: contents is not specified")
    total = prompt_tokens(call.controls, asked.counted_tokens).prompt
    document: Json = {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}
    if vertexed:
        document["totalBillableCharacters"] = asked.counted_characters
    return Answer(200, (Piece(pretty(document)),), CONTENT_TYPE)
