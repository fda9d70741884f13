"""Recorded provider traffic that lies beside the checkout, as bytes a meter can be fed.

Third-party data: read from where it is, never committed. Everything that uses it is skipped without it.
"""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parents[3] / "shared" / "recordings" / "curated.jsonl.gz"
ABSENT = "no provider recordings beside this checkout"

READERS = {
    "chat.completions": "openai.chat",
    "completions": "openai.completions",
    "responses": "openai.responses",
    "embeddings": "openai.embeddings",
    "messages": "anthropic.messages",
    "generateContent": "gemini.generate",
    "streamGenerateContent": "gemini.generate",
    "embedContent": "gemini.embeddings",
}
# What the gateway calls them. Vertex speaks Gemini's dialect.
PROVIDERS = {"azure-openai": "azure", "vertex": "gemini"}
# APIs of another shape that share an endpoint's name.
OTHER_APIS = {("openai", "messages"), ("ollama", "embeddings"), ("bedrock", "messages")}


class Recording(NamedTuple):
    provider: str
    endpoint: str
    reader: str
    stream: bool
    status: int
    model: str | None  # as the answer names it
    requested_model: str | None
    asked_for_usage: bool | None
    exact_bytes: bool  # as they were on the wire; otherwise rebuilt from parsed events
    request: bytes  # empty where only the answer was kept
    body: bytes
    usages: list[tuple[str, dict[str, Any]]]

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.provider, self.endpoint, "stream" if self.stream else "json"


def recordings() -> Iterator[Recording]:
    """Every recorded answer of an API that this version meters."""
    with gzip.open(FILE) as lines:
        for line in lines:
            raw = json.loads(line)
            provider, endpoint = raw["provider"], raw["endpoint"]
            body = _body(raw)
            if endpoint not in READERS or (provider, endpoint) in OTHER_APIS or not body:
                continue
            yield Recording(
                provider=PROVIDERS.get(provider, provider),
                endpoint=endpoint,
                # Two Azure answers from a chat model are filed under responses.
                reader="openai.chat" if endpoint == "responses" and b'"choices"' in body else READERS[endpoint],
                stream=raw["stream"],
                status=raw.get("status") or 200,
                model=raw.get("response_model"),
                requested_model=raw.get("model"),
                asked_for_usage=raw.get("include_usage"),
                exact_bytes=bool(raw.get("raw_bytes")),
                request=base64.b64decode(raw.get("req_b64") or ""),
                body=body,
                usages=[(path, usage) for path, usage in raw["usage_objects"]],
            )


def _body(raw: dict[str, Any]) -> bytes:
    if raw.get("resp_b64"):
        return base64.b64decode(raw["resp_b64"])
    if "events" in raw:
        return b"".join(_event(event) for event in raw["events"])
    return _text(raw["response"]) if "response" in raw else b""


def _event(event: Any) -> bytes:
    text = b" ".join(_text(event).split(b"\n"))
    return b"data: " + text + b"\n\n"


def _text(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode()
