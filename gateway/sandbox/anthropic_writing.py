"""Owns what Claude writes, whoever sells it: the message as one document, and as the events of a stream.

Knows no HTTP and no framing: Anthropic and Vertex send the events as SSE, Bedrock in frames of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gateway.sandbox.anthropic import Json
from gateway.sandbox.bill import MODELS, Model, Share, Tier, Tokens
from gateway.sandbox.call import Budget, Call, Charge
from gateway.sandbox.text import write_chunks

# The model that advises where the control `iterations` asks for advice.
ADVISOR = "claude-opus-4-8"
# What a compaction or an advice takes and gives: enough to be seen in a sum.
_BESIDE = Tokens(input=48, output=12)


class Event(NamedTuple):
    """One event of a stream, and the tokens that were written for it."""

    document: Json
    output: int = 0
    reasoning: int = 0


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted message: all that its answer is made of."""

    call: Call
    model: Model
    said_model: str  # what the answer calls the model
    seed: bytes
    prompt: Tokens
    budget: Budget
    thinks: bool
    called_tool: str  # empty if the model answers in words
    tier: Tier = "standard"
    id_prefix: str = "msg_01"

    @property
    def stop_reason(self) -> str:
        if self.budget.capped:
            return "max_tokens"
        return "tool_use" if self.called_tool else "end_turn"

    @property
    def charge(self) -> Charge:
        share = self._beside()
        others = (share,) if share else ()
        return Charge(self.model, self.prompt, self.call.endpoint, others=others, tier=self.tier)

    def prompt_usage(self) -> Json:
        """Input tokens exclude those read from and written to the cache."""
        return {
            "input_tokens": self.prompt.input,
            "cache_creation_input_tokens": self.prompt.cache_write + self.prompt.cache_write_1h,
            "cache_read_input_tokens": self.prompt.cache_read,
        }

    def output_usage(self) -> Json:
        """What is known at the end. Thinking is part of the output tokens; iterations but `message` are beside them."""
        usage: Json = {"output_tokens": self.budget.visible + self.budget.reasoning}
        if self.thinks:
            usage["output_tokens_details"] = {"thinking_tokens": self.budget.reasoning}
        if self.prompt.web_searches:
            usage["server_tool_use"] = {"web_search_requests": self.prompt.web_searches, "web_fetch_requests": 0}
        if self.call.controls.iterations != "none":
            usage["iterations"] = self._iterations()
        return usage

    def cache_creation(self) -> Json:
        return {
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.prompt.cache_write,
                "ephemeral_1h_input_tokens": self.prompt.cache_write_1h,
            }
        }

    def message(self, content: list[Json], stop_reason: str | None, usage: Json) -> Json:
        return {
            "model": self.said_model,
            "id": self.id_prefix + self.call.id_hex(self.seed)[2:],
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {
                **self.prompt_usage(),
                **self.cache_creation(),
                **usage,
                "service_tier": self.tier,
                "inference_geo": "global",
            },
        }

    def whole(self) -> Json:
        """The message in one piece."""
        return self.message(self._content(), self.stop_reason, self.output_usage())

    def events(self) -> Iterator[Event]:
        """Thinking first if there is any, then searches, then the text or the tool's input.

        Usage is at both ends; the last decides.
        """
        yield Event({"type": "message_start", "message": self.message([], None, {"output_tokens": 1})})
        index = 0
        if self.thinks:
            yield from self._thinking_events()
            index = 1
        for block in self._searches():
            yield from _search_events(index, block)
            index += 1
        yield from self._block_events(index)
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        usage = {**self.prompt_usage(), **self.output_usage()}
        yield Event({"type": "message_delta", "delta": delta, "usage": usage})
        yield Event({"type": "message_stop"})

    def _beside(self) -> Share | None:
        """What the control `iterations` has done besides the answer."""
        asked = self.call.controls.iterations
        if asked == "none":
            return None
        model = MODELS[ADVISOR] if asked == "advisor" else self.model
        return Share(model.version, msgspec.structs.replace(_BESIDE))

    def _iterations(self) -> list[Json]:
        answer: Json = {
            "type": "message",
            **self.prompt_usage(),
            **self.cache_creation(),
            "output_tokens": self.budget.visible + self.budget.reasoning,
        }
        beside: Json = {
            "input_tokens": _BESIDE.input,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": _BESIDE.output,
        }
        if self.call.controls.iterations == "compaction":
            return [{"type": "compaction", **beside}, answer]
        return [answer, {"type": "advisor_message", "model": ADVISOR, **beside}]

    def _texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def _thoughts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + b"t", self.budget.reasoning, self.call.controls.chunk_tokens)

    def _content(self) -> list[Json]:
        text = "".join(text for text, _ in self._texts())
        if self.called_tool:
            block: Json = {**self._tool_use(), "input": {"text": text}}
        else:
            block = {"type": "text", "text": text}
        thinking = "".join(text for text, _ in self._thoughts())
        thought: Json = {"type": "thinking", "thinking": thinking, "signature": self.seed.hex()}
        return [*([thought] if self.thinks else []), *self._searches(), block]

    def _tool_use(self) -> Json:
        identifier = "toolu_01" + self.seed.hex()[:22]
        return {"type": "tool_use", "id": identifier, "name": self.called_tool, "input": {}}

    def _searches(self) -> Iterator[Json]:
        """Each search of the server's own tool: what it looked for, and what it found."""
        for number in range(self.prompt.web_searches):
            identifier = f"srvtoolu_01{self.seed.hex()[:20]}{number:02}"
            query = {"query": "simulated search"}
            yield {"type": "server_tool_use", "id": identifier, "name": "web_search", "input": query}
            found = {
                "type": "web_search_result",
                "title": "A simulated page",
                "url": "https://example.com/",
                "encrypted_content": self.seed.hex(),
                "page_age": None,
            }
            yield {"type": "web_search_tool_result", "tool_use_id": identifier, "content": [found]}

    def _thinking_events(self) -> Iterator[Event]:
        yield _start(0, {"type": "thinking", "thinking": "", "signature": ""})
        for text, tokens in self._thoughts():
            yield _delta(0, {"type": "thinking_delta", "thinking": text})._replace(reasoning=tokens)
        yield _delta(0, {"type": "signature_delta", "signature": self.seed.hex()})
        yield _stop(0)

    def _block_events(self, index: int) -> Iterator[Event]:
        called = bool(self.called_tool)
        yield _start(index, self._tool_use() if called else {"type": "text", "text": ""})
        yield Event({"type": "ping"})
        if called:
            yield _delta(index, {"type": "input_json_delta", "partial_json": '{"text": "'})
        for text, tokens in self._texts():
            said = (
                {"type": "input_json_delta", "partial_json": text} if called else {"type": "text_delta", "text": text}
            )
            yield _delta(index, said)._replace(output=tokens)
        if called:
            yield _delta(index, {"type": "input_json_delta", "partial_json": '"}'})
        yield _stop(index)


def _start(index: int, block: Json) -> Event:
    return Event({"type": "content_block_start", "index": index, "content_block": block})


def _delta(index: int, delta: Json | dict[str, str]) -> Event:
    return Event({"type": "content_block_delta", "index": index, "delta": delta})


def _stop(index: int) -> Event:
    return Event({"type": "content_block_stop", "index": index})


def _search_events(index: int, block: Json) -> Iterator[Event]:
    """A search's input comes as a delta; what it found is whole from the start."""
    if block["type"] == "server_tool_use":
        yield _start(index, {**block, "input": {}})
        query = msgspec.json.encode(block["input"]).decode()
        yield _delta(index, {"type": "input_json_delta", "partial_json": query})
    else:
        yield _start(index, block)
    yield _stop(index)
