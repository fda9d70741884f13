"""Owns Controls: how the sandbox is to behave, as defaults of a run or as `x-sandbox-*` headers of one request."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

HEADER_PREFIX = "x-sandbox-"
PROVIDER_HEADER = HEADER_PREFIX + "provider"

# More than any model's longest answer or window, and small enough that a typing slip ends within a test.
TOKENS_MAX = 1_000_000
# Longer than every timeout of the gateway.
DELAY_MS_MAX = 3_600_000

# Every dialect by its name; several of them share paths.
Provider = Literal[
    "auto", "openai", "azure", "anthropic", "gemini", "bedrock", "vertex", "mistral", "groq", "cohere", "together",
    "ollama", "deepseek", "xai", "openrouter", "perplexity", "cerebras", "moonshot", "zai", "voyage", "vllm",
    "llama.cpp",
]  # fmt: skip

_Tokens = Annotated[int, Meta(ge=0, le=TOKENS_MAX)]
_Delay = Annotated[int, Meta(ge=0, le=DELAY_MS_MAX)]
_Chunks = Annotated[int, Meta(ge=0)]


class Controls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Each field is a command-line option and, behind `x-sandbox-`, a header. Token counts are disjoint buckets."""

    tokens: Annotated[_Tokens, Meta(description="visible output tokens the model wants to write")] = 16
    input_tokens: Annotated[_Tokens | None, Meta(description="uncached input tokens, instead of counting")] = None
    cached_tokens: Annotated[_Tokens, Meta(description="input tokens read from a cache, besides the others")] = 0
    cache_write_tokens: Annotated[_Tokens, Meta(description="input tokens written to a cache (5 minutes)")] = 0
    cache_write_1h_tokens: Annotated[_Tokens, Meta(description="input tokens written to a cache for an hour")] = 0
    reasoning_tokens: Annotated[_Tokens, Meta(description="hidden output tokens written before the visible")] = 0
    delay_ms: Annotated[_Delay, Meta(description="before the first byte")] = 0
    chunk_delay_ms: Annotated[_Delay, Meta(description="between the events of a stream")] = 0
    chunk_tokens: Annotated[int, Meta(ge=1, description="tokens in one event of a stream")] = 1
    fail_status: Annotated[int, Meta(ge=0, le=599, description="refuse with this status; nothing is billed")] = 0
    retry_after_s: Annotated[int | None, Meta(description="retry-after of such a refusal")] = None
    error_after_chunks: Annotated[_Chunks | None, Meta(description="end with the provider's error event")] = None
    cut_after_chunks: Annotated[_Chunks | None, Meta(description="close without an end")] = None
    stall_after_chunks: Annotated[_Chunks | None, Meta(description="fall silent, connection open")] = None
    drop: Annotated[
        Literal["never", "reused", "always"],
        Meta(description="close before one byte of answer; `reused`: only on a connection that answered before"),
    ] = "never"
    close: Annotated[
        Literal["never", "announced", "silent"], Meta(description="close after the answer, said or unsaid")
    ] = "never"
    encoding: Annotated[Literal["identity", "gzip", "deflate", "br"], Meta(description="content-encoding")] = "identity"
    framing: Annotated[
        Literal["auto", "length", "chunked", "close"], Meta(description="auto: streams chunked, others by length")
    ] = "auto"
    write_bytes: Annotated[int, Meta(ge=0, description="bytes of one write, each in its own turn; 0: whole")] = 0
    frozen: Annotated[bool, Meta(description="no clock and no counter in bodies: same request, same bytes")] = False
    web_searches: Annotated[int, Meta(ge=0, le=100, description="searches of a web search tool that is allowed")] = 0
    iterations: Annotated[
        Literal["none", "compaction", "advisor", "fallback"],
        Meta(description="what Anthropic did besides the answer, as `iterations` of its usage"),
    ] = "none"
    cached_audio_tokens: Annotated[_Tokens, Meta(description="audio input tokens read from a cache")] = 0
    cached_image_tokens: Annotated[_Tokens, Meta(description="image input tokens read from a cache")] = 0
    polls: Annotated[int, Meta(ge=0, le=1000, description="times a job is asked for before it is done")] = 1
    websocket_deflate: Annotated[bool, Meta(description="take a WebSocket client's offer to compress")] = False
    fragment_bytes: Annotated[int, Meta(ge=0, description="bytes of one WebSocket frame; 0: whole messages")] = 0
    async_filter: Annotated[bool, Meta(description="Azure's verdicts on a chat stream come after the words")] = False
    spillover: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=r"^[\w.-]*$",
            description="Azure: the deployment that answers in the place of a full one",
        ),
    ] = ""
    mark: Annotated[str, Meta(max_length=128, description="a name for the call, kept on the bill")] = ""
    provider: Annotated[Provider, Meta(description="who answers; auto: as path, headers and the model's name tell")] = (
        "auto"
    )


def read_controls(headers: dict[str, str], defaults: Controls) -> Controls | str:
    """The defaults with this request's `x-sandbox-*` headers over them, or what is wrong with those headers."""
    asked = {name[len(HEADER_PREFIX) :]: value for name, value in headers.items() if name.startswith(HEADER_PREFIX)}
    if not asked:
        return defaults
    try:
        return msgspec.convert({**msgspec.to_builtins(defaults), **asked}, Controls, strict=False)
    except msgspec.ValidationError as error:
        return f"{HEADER_PREFIX}*: {error}"


# These say how a body is sent, and frames are none.
_NOT_FOR_SOCKETS = ("encoding", "framing", "close")


def misused_on_socket(headers: dict[str, str]) -> str:
    """A control that would be ignored once a connection is a WebSocket, which is an error."""
    names = (HEADER_PREFIX + name for name in _NOT_FOR_SOCKETS)
    return next((f"{name}: not for a WebSocket" for name in names if name in headers), "")
