"""Cases 8 to 14: how much a call may read, and at which rate. No byte of a body is more than a token."""

import json
from typing import Any

import pytest

from tests.e2e.budget_cases.rows import (
    CHAT,
    CONTENTS,
    HI,
    MESSAGES,
    RESPONSES,
    Charged,
    Denied,
    chat,
    claude,
    name,
    prove_charged,
    prove_denied,
    respond,
)
from tests.e2e.budget_cases.stage import before_provider
from tests.support.data_plane import answer

LONG = "four words of text. " * 100  # 2,000 bytes
TOOLS = [
    {"type": "function", "function": {"name": f"f{n}", "description": LONG, "parameters": {"type": "object"}}}
    for n in range(3)
]
PDF = "JVBERi0xLjQK" * 20


def seen(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def document(**source: str) -> dict[str, Any]:
    return {"type": "document", "source": source}


CACHED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
CACHED_1H = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]

CHARGED = [
    Charged(8, "image-by-url", chat(messages=seen(image("https://example.org/cat.png")), max_tokens=20), least=400_000),
    Charged(
        9,
        "pdf-in-base64",
        claude(messages=seen(document(type="base64", media_type="application/pdf", data=PDF))),
        MESSAGES,
        200_000 * 1000,
    ),
    Charged(
        9,
        "sound",
        chat(messages=seen({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})),
        least=128_000 * 150,
    ),
    Charged(10, "tools-and-system", chat(tools=TOOLS, max_tokens=20), least=6000 * 150),
    Charged(
        10,
        "schema",
        chat(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "object", "description": LONG}},
            },
            max_tokens=20,
        ),
        least=2000 * 150,
    ),
    Charged(
        12,
        "cache-writes",
        claude(system=CACHED),
        MESSAGES,
        2000 * 1250,
        {"input_tokens": 40, "cache_write_tokens": 500},
    ),
    Charged(
        12,
        "cache-writes-of-an-hour",
        claude(system=CACHED_1H),
        MESSAGES,
        2000 * 2000,
        {"input_tokens": 40, "cache_write_tokens": 300, "cache_write_1h_tokens": 200},
    ),
    Charged(
        13,
        "implicit-cache",
        chat(messages=[{"role": "user", "content": LONG}], max_tokens=20),
        CHAT,
        2000 * 150,
        {"input_tokens": 100, "cached_tokens": 400},
    ),
    Charged(14, "priority", chat(service_tier="priority", max_tokens=100), least=100 * 600 * 5 // 3, exact=False),
    Charged(14, "auto", chat(service_tier="auto", max_tokens=100), least=100 * 600 * 5 // 3, exact=False),
    Charged(14, "none-named", chat(max_tokens=100), least=100 * 600 * 5 // 3),
]
DENIED = [
    Denied(
        8,
        "image-for-an-embedding",
        {"model": "embed-v4.0", "images": ["data:image/png;base64,AA=="]},
        "/cohere/v2/embed",
        says="has no bound",
    ),
    Denied(
        14,
        "fast",
        {"model": "claude-opus-4-6", "max_tokens": 10, "messages": HI, "speed": "fast"},
        MESSAGES,
        says="unpriced_model",
    ),
]


@pytest.mark.parametrize("row", CHARGED, ids=name)
async def test_what_may_be_read_is_held_at_the_dearest_rate(tmp_path, sandbox, row):
    await prove_charged(tmp_path, sandbox, row)


@pytest.mark.parametrize("row", DENIED, ids=name)
async def test_an_input_without_a_bound_is_refused(tmp_path, sandbox, row):
    await prove_denied(tmp_path, sandbox, row)


HELD = [
    # Gemini 2.5 Pro: 1.25 USD a million up to 200,000 tokens, 2.50 beyond.
    (
        "11-long-context",
        "gemini",
        "/gemini/v1beta/models/gemini-2.5-pro:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": "x" * 250_000}]}],
            "generationConfig": {"maxOutputTokens": 9},
        },
        250_000 * 2500,
    ),
    (
        "11-short-context",
        "gemini",
        "/gemini/v1beta/models/gemini-2.5-pro:generateContent",
        {"contents": CONTENTS, "generationConfig": {"maxOutputTokens": 10}},
        10 * 10_000,
    ),
    (
        "08-file-by-id",
        "openai",
        RESPONSES,
        respond(
            input=[{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}], max_output_tokens=9
        ),
        272_000 * 250,
    ),
    (
        "14-region",
        "anthropic",
        MESSAGES,
        {"model": "claude-opus-4-6", "max_tokens": 1000, "messages": HI, "inference_geo": "us"},
        1000 * 27_500,
    ),
]


@pytest.mark.parametrize(("upstream", "path", "body", "least"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
async def test_the_dearest_that_may_be_billed_is_held(tmp_path, upstream, path, body, least):
    async with before_provider(tmp_path, upstream=upstream) as stage:
        message = await stage.told(path, json.dumps(body).encode(), answer(b"{}", status=400))
        assert message.status == 400, message.body
        assert stage.held_at_most() >= least
