"""Owns Ollama's own API: chat and generate, which stream unless told not to, embeddings, and what it runs.

Facts: github.com/ollama/ollama/blob/main/docs/api.md. It knows no unknown field: Go's decoder drops them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import msgspec

from gateway.sandbox.bill import Kind, Model, Tokens, find_model, list_models
from gateway.sandbox.call import Answer, Budget, Call, Charge, Piece, output_budget, prompt_tokens
from gateway.sandbox.compatible import OUTPUT_CONTROLS, Json, answer_json, read_request, refuse_ignored
from gateway.sandbox.openai_chat import Tool
from gateway.sandbox.refusals import error_event, refuse_model
from gateway.sandbox.text import count_tokens, seed_of, write_chunks, write_vector

VERSION = "0.13.0"
_WIDTH_DEFAULT = 64

# Nanoseconds; no test may depend on how long nothing took.
_TIMES = {"total_duration": 530_000_000, "load_duration": 40_000_000}


class _Options(msgspec.Struct, frozen=True):
    """`num_predict` limits the output; negative ones do not."""

    num_predict: int | None = None

    @property
    def limit(self) -> int | None:
        return self.num_predict if self.num_predict and self.num_predict > 0 else None


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    stream: bool | None = None  # absent: it streams
    options: _Options | None = None


class _ChatRequest(_Asked, frozen=True, kw_only=True):
    messages: list[_Message] = []
    tools: list[Tool] | None = None


class _GenerateRequest(_Asked, frozen=True, kw_only=True):
    prompt: str = ""
    suffix: str | None = None
    system: str | None = None


class _EmbedRequest(msgspec.Struct, frozen=True):
    model: str
    input: str | list[str]
    dimensions: int | None = None


class _EmbeddingsRequest(msgspec.Struct, frozen=True):
    model: str
    prompt: str = ""


class _ShowRequest(msgspec.Struct, frozen=True):
    model: str


def _resolve(call: Call, name: str, *kinds: Kind) -> Model | Answer:
    """A model by its name; `:latest` may be left out, or said."""
    found = (find_model(name.removesuffix(":latest"), "ollama", kind) for kind in kinds)
    return next((model for model in found if model), None) or refuse_model(call, name)


class _Writing(msgspec.Struct, frozen=True):
    """One accepted call. `speaks` puts a text, or a thought, where the operation has it."""

    call: Call
    asked: _Asked
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget
    chats: bool

    def envelope(self) -> Json:
        return {"model": self.asked.model, "created_at": _moment(self.call)}

    def says(self, text: str, thought: str = "") -> Json:
        hidden = {"thinking": thought} if thought else {}
        if self.chats:
            return {"message": {"role": "assistant", "content": text, **hidden}}
        return {"response": text, **hidden}

    def end(self) -> Json:
        """The members that only the last object has: why it ended, and what was counted."""
        written = self.budget.visible + self.budget.reasoning
        return {
            "done": True,
            "done_reason": "length" if self.budget.capped else "stop",
            **({} if self.chats else {"context": [1, 2, 3]}),
            **_TIMES,
            "prompt_eval_count": self.prompt.prompt,
            "prompt_eval_duration": 90_000_000,
            "eval_count": written,
            "eval_duration": 400_000_000,
        }

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def thoughts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + b"thought", self.budget.reasoning, self.call.controls.chunk_tokens)


def _moment(call: Call) -> str:
    return datetime.fromtimestamp(call.created_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def chat(call: Call) -> Answer:
    request = read_request(call, _ChatRequest, None)
    if isinstance(request, Answer):
        return request
    counted = 3 + sum(4 + count_tokens(message.content) for message in request.messages)
    return _respond(call, request, [message.content for message in request.messages], counted, chats=True)


def generate(call: Call) -> Answer:
    request = read_request(call, _GenerateRequest, None)
    if isinstance(request, Answer):
        return request
    said = [request.system, request.prompt, request.suffix]
    return _respond(call, request, said, 3 + count_tokens(said), chats=False)


def _respond(call: Call, asked: _Asked, said: object, counted: int, *, chats: bool) -> Answer:
    model = _resolve(call, asked.model, "chat")
    if isinstance(model, Answer):
        return model
    prompt = prompt_tokens(call.controls, counted)
    budget = output_budget(call.controls, asked.options.limit if asked.options else None)
    writing = _Writing(call, asked, model, seed_of(model.name, said), prompt, budget, chats)
    charge = Charge(model, prompt, call.endpoint)
    if asked.stream is False:
        return Answer(200, (_whole(writing),), "application/json; charset=utf-8", charge=charge)
    return Answer(
        200, _stream(writing), "application/x-ndjson", stream=True, charge=charge, error_event=error_event(call)
    )


def _whole(writing: _Writing) -> Piece:
    text = "".join(text for text, _ in writing.texts())
    thought = "".join(text for text, _ in writing.thoughts())
    document = {**writing.envelope(), **writing.says(text, thought), **writing.end()}
    return Piece(msgspec.json.encode(document), writing.budget.visible, writing.budget.reasoning)


def _line(document: Json) -> bytes:
    return msgspec.json.encode(document) + b"\n"


def _stream(writing: _Writing) -> Iterator[Piece]:
    for text, tokens in writing.thoughts():
        yield Piece(_line({**writing.envelope(), **writing.says("", text), "done": False}), 0, tokens)
    for text, tokens in writing.texts():
        yield Piece(_line({**writing.envelope(), **writing.says(text), "done": False}), tokens)
    yield Piece(_line({**writing.envelope(), **writing.says(""), **writing.end()}))


def embed(call: Call) -> Answer:
    request = read_request(call, _EmbedRequest, None)
    if isinstance(request, Answer):
        return request
    model = _resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    texts = [request.input] if isinstance(request.input, str) else request.input
    prompt = prompt_tokens(call.controls, count_tokens(texts))
    width = request.dimensions or _WIDTH_DEFAULT
    document: Json = {
        "model": request.model,
        "embeddings": [write_vector(seed_of(model.name, text), width) for text in texts],
        **_TIMES,
        "prompt_eval_count": prompt.prompt,
    }
    charge = Charge(model, prompt, call.endpoint)
    return refuse_ignored(call, *OUTPUT_CONTROLS) or Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def embeddings(call: Call) -> Answer:
    """The older operation: one vector, and no count."""
    request = read_request(call, _EmbeddingsRequest, None)
    if isinstance(request, Answer):
        return request
    model = _resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    document = {"embedding": write_vector(seed_of(model.name, request.prompt), _WIDTH_DEFAULT)}
    charge = Charge(model, prompt_tokens(call.controls, count_tokens(request.prompt)), call.endpoint)
    return refuse_ignored(call, *OUTPUT_CONTROLS) or Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def _details(model: Model) -> Json:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.name.partition(":")[0],
        "families": [model.name.partition(":")[0]],
        "parameter_size": "3.2B",
        "quantization_level": "Q4_K_M",
    }


def _listed(model: Model) -> Json:
    name = model.name if ":" in model.name else model.name + ":latest"
    return {
        "name": name,
        "model": name,
        "size": 2_019_393_189,
        "digest": seed_of(model.name).hex(),
        "details": _details(model),
    }


def tags(call: Call) -> Answer:
    modified = {"modified_at": _moment(call)}
    return answer_json({"models": [{**_listed(model), **modified} for model in list_models("ollama")]})


def running(call: Call) -> Answer:
    """Everything it has is loaded, for ever."""
    loaded = {"expires_at": _moment(call), "size_vram": 0, "context_length": 4096}
    return answer_json({"models": [{**_listed(model), **loaded} for model in list_models("ollama")]})


def version(call: Call) -> Answer:
    return answer_json({"version": VERSION})


def show(call: Call) -> Answer:
    request = read_request(call, _ShowRequest, None)
    if isinstance(request, Answer):
        return request
    model = _resolve(call, request.model, "chat", "embeddings")
    if isinstance(model, Answer):
        return model
    return answer_json(
        {
            "license": "",
            "modelfile": f"FROM {model.name}",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": _details(model),
            "model_info": {"general.architecture": model.name.partition(":")[0]},
            "capabilities": ["embedding"] if model.kind == "embeddings" else ["completion", "tools"],
            "modified_at": _moment(call),
        }
    )
