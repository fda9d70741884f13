"""Owns what the gateway reads of a request body: a typed glance, never a change. Knows no policy and no price."""

from collections.abc import Callable
from typing import Any, cast

import msgspec


class StreamOptions(msgspec.Struct, frozen=True, gc=False):
    include_usage: bool | None = None


class Metadata(msgspec.Struct, frozen=True, gc=False):
    user_id: object = None


class Peek(msgspec.Struct, frozen=True, gc=False):
    """The members of an OpenAI-like or Anthropic body that the gateway uses; None and "" are absent or null.

    `model` is empty where the path names it. Numbers are as sent: whether they make sense is not decided here.
    """

    model: str | None = ""
    stream: bool | None = None
    stream_options: StreamOptions | msgspec.UnsetType | None = msgspec.UNSET
    user: object = None
    safety_identifier: object = None
    metadata: Metadata | None = None
    n: int | float | None = None
    best_of: int | float | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    max_output_tokens: int | float | None = None
    service_tier: str | None = None
    models: object = None
    fallbacks: object = None
    tools: object = None

    @property
    def beside(self) -> tuple[str, ...]:
        """Other models that may answer or work for the call: OpenRouter's `models`, Anthropic's `fallbacks`, tools'."""
        if self.models is None and self.fallbacks is None and self.tools is None:
            return ()
        listed = (*_items(self.models), *_items(self.fallbacks))
        workers = (_model(item) for item in (*listed, *_items(self.tools)))
        return tuple(dict.fromkeys(name for name in (*listed, *workers) if isinstance(name, str) and name))

    @property
    def has_stream_options(self) -> bool:
        """Whether the member is there at all, be it null."""
        return self.stream_options is not msgspec.UNSET

    @property
    def include_usage(self) -> bool | None:
        """What the client asked for; None: it did not say."""
        options = self.stream_options
        return options.include_usage if isinstance(options, StreamOptions) else None

    @property
    def end_user(self) -> str:
        """The provider's own field for the end user, the newest spelling first; empty where there is none."""
        named = self.metadata.user_id if self.metadata else None
        return next((who for who in (self.safety_identifier, self.user, named) if isinstance(who, str) and who), "")


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _model(item: object) -> object:
    return cast("dict[str, object]", item).get("model") if isinstance(item, dict) else None


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """Why a body cannot be used, in words for the client; nothing of the body is in them but names of members."""

    message: str


class _GenerationConfig(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    candidate_count: int | float | None = None
    max_output_tokens: int | float | None = None


class _GeminiBody(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    generation_config: _GenerationConfig | None = None


def peek(kind: str, body: dict[str, Any]) -> Peek | Malformed:
    """The members the gateway uses, in a body of a kind that gateway/endpoints.py names.

    Where the path names the model and the stream, as Gemini's does, they stay empty.
    """
    try:
        if kind == "bedrock":
            return Peek()
        if kind == "gemini":
            return _peek_gemini(msgspec.convert(body, _GeminiBody))
        return msgspec.convert(body, Peek)
    except msgspec.ValidationError as fault:
        return Malformed(f"The request body has a member of the wrong type: {fault}.")


def _peek_gemini(body: _GeminiBody) -> Peek:
    config = body.generation_config or _GenerationConfig()
    return Peek(n=config.candidate_count, max_output_tokens=config.max_output_tokens)


def peek_form(value: Callable[[str], str | None]) -> Peek:
    """The same of a form, whose fields are texts: `value` gives one by its name."""
    return Peek(model=value("model"), stream=(value("stream") or "").lower() in ("true", "1"), user=value("user"))
