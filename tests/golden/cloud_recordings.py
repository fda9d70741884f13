"""Recorded answers of Bedrock, Cohere, Ollama, Voyage's reranker, Vertex's predict and Writer, as they were framed."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from gateway.metering.reading import About
from gateway.wire.eventstream import encode
from gateway.wire.headers import METERED_HEADERS
from tests.golden import recordings

READERS = {
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
    # OpenAI's chat at another path.
    ("writer", "chat"): "openai.chat",
}


class CloudRecording(NamedTuple):
    provider: str
    endpoint: str
    reader: str
    stream: bool
    about: About
    body: bytes
    usages: list[tuple[str, Any]]

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.provider, self.endpoint, "stream" if self.stream else "json"


def cloud_recordings() -> Iterator[CloudRecording]:
    """Every recorded answer of these APIs, the refusals among them."""
    with gzip.open(recordings.FILE) as lines:
        for line in lines:
            raw = json.loads(line)
            reader = READERS.get((raw["provider"], raw["endpoint"]))
            if reader is not None:
                yield _recording(raw, reader)


def _recording(raw: dict[str, Any], reader: str) -> CloudRecording:
    headers = {name.lower().encode(): str(value).encode() for name, value in (raw.get("resp_headers") or {}).items()}
    metered = {name: value for name, value in headers.items() if name in METERED_HEADERS}
    return CloudRecording(
        provider=raw["provider"],
        endpoint=raw["endpoint"],
        reader=reader,
        stream=raw["stream"],
        about=About(raw["provider"], metered, base64.b64decode(raw.get("req_b64") or "")),
        body=_body(raw),
        usages=[(path, usage) for path, usage in raw["usage_objects"]],
    )


def _body(raw: dict[str, Any]) -> bytes:
    if raw.get("resp_b64"):
        return base64.b64decode(raw["resp_b64"])
    if "response" in raw:
        return raw["response"].encode()
    reframed = _frame if raw["provider"] == "bedrock" else _event
    return b"".join(reframed(json.loads(event)) for event in raw["events"])


def _frame(event: dict[str, Any]) -> bytes:
    """One of Converse's events, which a source kept as {name: payload}, as the frame it came in."""
    [(name, payload)] = event.items()
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return encode(headers, json.dumps(payload).encode())


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
