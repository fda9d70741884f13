"""Owns the calls of the demo: a mix as applications make them, sent with nothing but the standard library."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

# The slowest call of the mix takes about a second.
REPLY_TIMEOUT_S = 15.0
# Read of the answer before its client hangs up: the headers are in, most of the text is not.
HANG_UP_AFTER_BYTES = 1

_QUESTIONS = (
    "Why is the sky blue?",
    "Summarise the minutes of this meeting in three sentences, and say who promised what to whom and until when.",
    "Write a haiku about a ledger.",
    "Which of these customer messages are urgent? Answer with their numbers only.",
    "Translate the release notes to French, keep the version numbers and leave the code samples as they are.",
)


class Call(NamedTuple):
    """One request. `controls` tell the sandbox how to answer; `expected_status` is what the client should see."""

    path: str
    body: dict[str, Any]
    controls: dict[str, int]
    expected_status: int = 200
    hangs_up: bool = False


def demo_calls() -> list[Call]:
    """The mix, families interleaved; some stream, one is refused, one fails, one client leaves."""
    families = [list(family) for family in (_chats(), _responses(), _embeddings(), _messages(), _generations())]
    calls = [family[turn] for turn in range(max(map(len, families))) for family in families if turn < len(family)]
    chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": _QUESTIONS[0]}]}
    calls.insert(9, Call("/openai/v1/chat/completions", chat, {"fail-status": 429}, expected_status=429))
    calls.insert(15, Call("/openai/v1/videos", {"model": "sora-2"}, {}, expected_status=403))
    slow = {"tokens": 60, "chunk-delay-ms": 15}
    calls.insert(21, Call("/openai/v1/chat/completions", chat | {"stream": True}, slow, hangs_up=True))
    return calls


def _chats() -> Iterator[Call]:
    for turn in range(10):
        model = ("gpt-4o-mini", "gpt-4o-mini", "gpt-4o")[turn % 3]
        body = {
            "model": model,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": _QUESTIONS[turn % len(_QUESTIONS)]},
            ],
            "stream": turn % 3 != 1,
        }
        cached = {"cached-tokens": 1_024} if turn % 4 == 2 else {}
        yield Call("/openai/v1/chat/completions", body, _pace(turn) | cached)


def _responses() -> Iterator[Call]:
    for turn in range(5):
        body = {"model": "gpt-5-mini", "input": _QUESTIONS[turn % len(_QUESTIONS)], "stream": turn % 2 == 0}
        yield Call("/openai/v1/responses", body, _pace(turn) | {"reasoning-tokens": 64 * (turn % 3)})


def _embeddings() -> Iterator[Call]:
    for turn in range(4):
        body = {"model": "text-embedding-3-small", "input": list(_QUESTIONS[: turn + 1])}
        yield Call("/openai/v1/embeddings", body, {"delay-ms": 20})


def _messages() -> Iterator[Call]:
    for turn in range(6):
        body = {
            "model": ("claude-sonnet-4-5", "claude-haiku-4-5")[turn % 2],
            "max_tokens": 256,
            "messages": [{"role": "user", "content": _QUESTIONS[turn % len(_QUESTIONS)]}],
            "stream": turn != 3,
        }
        cache = ({"cache-write-tokens": 2_048}, {"cached-tokens": 2_048})[turn % 2] if turn < 4 else {}
        yield Call("/anthropic/v1/messages", body, _pace(turn) | cache)


def _generations() -> Iterator[Call]:
    for turn in range(5):
        verb = "generateContent" if turn == 2 else "streamGenerateContent?alt=sse"
        body = {"contents": [{"role": "user", "parts": [{"text": _QUESTIONS[turn % len(_QUESTIONS)]}]}]}
        yield Call(f"/gemini/v1beta/models/gemini-2.5-flash:{verb}", body, _pace(turn))


def _pace(turn: int) -> dict[str, int]:
    """Lengths and delays that differ from call to call, and are the same in every run."""
    return {"tokens": 16 + 23 * turn % 70, "delay-ms": 90 + 110 * turn % 300, "chunk-delay-ms": 14, "chunk-tokens": 2}


def send(call: Call, mark: str, host: str, port: int, token: str) -> int:
    """Sends it, reads the answer as far as its client would; returns the status. Raises OSError, HTTPException.

    The mark travels as a LensAI tag to the gateway's record, and as a sandbox header to the sandbox's bill.
    """
    connection = http.client.HTTPConnection(host, port, timeout=REPLY_TIMEOUT_S)
    try:
        connection.request("POST", call.path, json.dumps(call.body), _headers(call, mark, token))
        with connection.getresponse() as response:
            response.read(HANG_UP_AFTER_BYTES if call.hangs_up else None)
            return response.status
    finally:
        connection.close()


def _headers(call: Call, mark: str, token: str) -> dict[str, str]:
    """The key in the slot where that provider's own SDK puts it."""
    slots = {"anthropic": ("x-api-key", token), "gemini": ("x-goog-api-key", token)}
    slot, value = slots.get(call.path.split("/")[1], ("authorization", f"Bearer {token}"))
    controls = {f"x-sandbox-{name}": str(control) for name, control in call.controls.items()}
    return {
        slot: value,
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-lensai-tags": mark,
        "x-sandbox-mark": mark,
        **controls,
    }
