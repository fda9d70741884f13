"""Recorded provider traffic that lies beside the checkout, as bytes a meter can be fed.

Third-party data: read from where it is, never committed. Everything that uses it is skipped without it.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.metering.reading import About
from gateway.wire.eventstream import encode
from gateway.wire.headers import METERED_HEADERS

FILE = Path(__file__).parents[3] / "shared" / "recordings" / "curated.jsonl.gz"
ABSENT = "no provider recordings beside this checkout"

# By the endpoint, whoever serves it.
READERS = {
    "chat.completions": "openai.chat",
    "completions": "openai.completions",
    "responses": "openai.responses",
    "responses.get": "openai.responses",
    "responses.compact": "openai.responses",
    "embeddings": "openai.embeddings",
    "messages": "anthropic.messages",
    "generateContent": "gemini.generate",
    "streamGenerateContent": "gemini.generate",
    "embedContent": "gemini.embeddings",
    "interactions": "gemini.interactions",
    "images": "openai.images",
    "audio.transcriptions": "openai.transcription",
}
# By the provider too, where it serves an API of its own under such a name.
OWN_READERS = {
    ("bedrock", "converse"): "bedrock.converse",
    ("bedrock", "converse-stream"): "bedrock.converse",
    ("bedrock", "invoke"): "bedrock.invoke",
    ("bedrock", "invoke-stream"): "bedrock.invoke",
    ("cohere", "chat"): "cohere.chat",
    ("cohere", "generate"): "cohere.chat",
    ("cohere", "embed"): "cohere.embed",
    ("cohere", "rerank"): "cohere.rerank",
    ("ollama", "chat"): "ollama.chat",
    ("ollama", "generate"): "ollama.chat",
    ("ollama", "embeddings"): "ollama.embed",
    ("vertex", "predict"): "vertex.predict",
    ("voyage", "rerank"): "rerank",
    ("writer", "chat"): "openai.chat",
}
# What costs nothing, or is not forwarded, and therefore has no meter.
UNMETERED = {
    "files": "free",
    "countTokens": "free",
    "messages.count_tokens": "free",
    "moderations": "free",
    "responses.input_tokens": "free",
    "vector_stores": "free; storage is billed apart",
    "assistants": "the Assistants API is not forwarded",
    "threads": "the Assistants API is not forwarded",
    "realtime": "sets a session up whose media do not pass here; not forwarded",
}
OWN_UNMETERED = {("openai", "messages"): UNMETERED["threads"]}
# What the gateway calls them. Vertex speaks Gemini's dialect.
PROVIDERS = {"azure-openai": "azure", "vertex": "gemini"}


class Recording(NamedTuple):
    provider: str
    endpoint: str
    reader: str  # empty where nothing is metered
    why: str  # then, the reason
    stream: bool
    status: int
    model: str | None  # as the answer names it
    requested_model: str | None
    asked_for_usage: bool | None
    exact_bytes: bool  # as they were on the wire; otherwise rebuilt from parsed events
    about: About
    request: bytes  # empty where only the answer was kept
    body: bytes
    messages: list[tuple[bool, bytes]]  # of a socket: whether the client sent it, and what
    usages: list[tuple[str, dict[str, Any]]]

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.provider, self.endpoint, "socket" if self.messages else "stream" if self.stream else "json"

    @property
    def is_error(self) -> bool:
        return self.status >= 400


def recordings() -> Iterator[Recording]:
    """Every recorded exchange."""
    with gzip.open(FILE) as lines:
        for line in lines:
            yield _recording(json.loads(line))


def _recording(raw: dict[str, Any]) -> Recording:
    body = _body(raw)
    messages = [(one["direction"] == "sent", _text(one["data"])) for one in raw.get("ws", ()) if "data" in one]
    reader, why = _reader(raw, body, messages)
    provider = PROVIDERS.get(raw["provider"], raw["provider"])
    if reader == "gemini.live":
        provider = "gemini"  # one was recorded behind a proxy that has OpenAI's name
    headers = {name.lower().encode(): str(value).encode() for name, value in (raw.get("resp_headers") or {}).items()}
    request = base64.b64decode(raw.get("req_b64") or "")
    return Recording(
        provider=provider,
        endpoint=raw["endpoint"],
        reader=reader,
        why=why,
        stream=raw["stream"],
        status=raw.get("status") or 200,
        # The name in an answer of Bedrock's is not what it bills; the path's is.
        model=raw.get("response_model") if provider != "bedrock" else None,
        requested_model=raw.get("model"),
        asked_for_usage=raw.get("include_usage"),
        exact_bytes=bool(raw.get("raw_bytes")),
        about=About(provider, {name: value for name, value in headers.items() if name in METERED_HEADERS}, request),
        request=request,
        body=body,
        messages=messages,
        usages=[(path, usage) for path, usage in raw["usage_objects"]],
    )


def _reader(raw: dict[str, Any], body: bytes, messages: list[tuple[bool, bytes]]) -> tuple[str, str]:
    """The meter of a recording, or why it has none."""
    own, endpoint = (raw["provider"], raw["endpoint"]), raw["endpoint"]
    if messages:
        return "gemini.live" if any(b'"setup"' in message for _, message in messages) else "openai.realtime", ""
    if own in OWN_UNMETERED or endpoint in UNMETERED:
        return "", OWN_UNMETERED.get(own) or UNMETERED[endpoint]
    if endpoint == "responses" and b'"choices"' in body:
        return "openai.chat", ""  # two Azure answers from a chat model are filed under responses
    return OWN_READERS.get(own) or READERS[endpoint], ""


def _body(raw: dict[str, Any]) -> bytes:
    if raw.get("resp_b64"):
        return base64.b64decode(raw["resp_b64"])
    if "events" in raw:
        frame = FRAMES.get(raw["provider"], _event)
        return b"".join(frame(event) for event in raw["events"])
    return _text(raw["response"]) if "response" in raw else b""


def _event(event: Any) -> bytes:
    text = b" ".join(_text(event).split(b"\n"))
    return b"data: " + text + b"\n\n"


def _named_event(event: Any) -> bytes:
    return b"event: " + json.loads(event)["type"].encode() + b"\n" + _event(event)


def _frame(event: Any) -> bytes:
    """One of Converse's events, kept as {name: payload}, as the frame it came in."""
    [(name, payload)] = json.loads(event).items()
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return encode(headers, _text(payload))


# How kept events were framed on the wire, where it was not as data alone.
FRAMES: dict[str, Callable[[Any], bytes]] = {"bedrock": _frame, "cohere": _named_event}


def _text(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode()
