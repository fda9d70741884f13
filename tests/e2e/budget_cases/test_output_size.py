"""Cases 1 to 7: how much a call may put out. The hold is of the most it can be, and the charge is of what it was."""

import json

import pytest

from tests.e2e.budget_cases.rows import (
    CHAT,
    GENERATE,
    HI,
    MESSAGES,
    RESPONSES,
    Charged,
    Denied,
    chat,
    claude,
    gemini,
    name,
    prove_charged,
    prove_denied,
    respond,
)
from tests.e2e.budget_cases.stage import before_provider, before_sandbox, dollars, error, quota
from tests.support.data_plane import answer

CHARGED = [
    Charged(1, "n", chat(n=3, max_tokens=50), least=3 * 50 * 600, controls={"tokens": 50}),
    Charged(2, "no-cap", chat(), least=16_384 * 600),
    Charged(2, "no-cap-reasoning", respond(), RESPONSES, 128_000 * 2000, {"reasoning_tokens": 300}),
    Charged(3, "both-caps", chat(max_tokens=10, max_completion_tokens=200), least=200 * 600, controls={"tokens": 200}),
    Charged(3, "both-caps-turned", chat(max_tokens=200, max_completion_tokens=10), least=200 * 600),
    Charged(4, "cap-above-the-model", chat(max_tokens=16_384), least=16_384 * 600),
    Charged(
        5, "hidden-reasoning", respond(max_output_tokens=600), RESPONSES, 600 * 2000,
        {"reasoning_tokens": 580, "tokens": 20},
    ),
    Charged(
        5, "thinking", claude(max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 2000}), MESSAGES,
        4000 * 5000, {"reasoning_tokens": 1500},
    ),
    Charged(5, "thoughts", gemini(maxOutputTokens=600), GENERATE, 600 * 2500, {"reasoning_tokens": 500}),
    Charged(6, "prediction", chat(max_tokens=50, prediction={"type": "content", "content": "word " * 300})),
    Charged(
        7, "embeddings", {"model": "text-embedding-3-small", "input": ["one", "two"]}, "/openai/v1/embeddings"
    ),
]  # fmt: skip
DENIED = [
    *(Denied(1, f"n-{n}", chat(n=n, max_tokens=5)) for n in (10**9, -1, 1.5)),
    *(Denied(1, f"n-{n!r}", chat(n=n, max_tokens=5), status=400, says="malformed_body") for n in (True, "2")),
    *(
        Denied(
            1,
            f"best_of-{n}",
            {"model": "gpt-3.5-turbo-instruct", "prompt": "x", "best_of": n},
            "/openai/v1/completions",
        )
        for n in (10**9, -1)
    ),
    Denied(3, "cap-1.5", chat(max_tokens=1.5)),
    *(Denied(3, f"cap-{cap!r}", chat(max_tokens=cap), status=400, says="malformed_body") for cap in (True, "100")),
    Denied(7, "images", {"model": "gpt-image-1.5", "prompt": "x"}, "/openai/v1/images/generations"),
]


@pytest.mark.parametrize("row", CHARGED, ids=name)
async def test_what_may_be_put_out_is_held_and_what_was_is_charged(tmp_path, sandbox, row):
    await prove_charged(tmp_path, sandbox, row)


@pytest.mark.parametrize("row", DENIED, ids=name)
async def test_an_output_without_a_bound_is_refused(tmp_path, sandbox, row):
    await prove_denied(tmp_path, sandbox, row)


async def test_02_what_does_not_fit_is_refused_with_the_amount_and_never_shrunk(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=dollars(1_000_000))) as stage:
        message = await stage.ask(CHAT, chat())
        assert message.status == 402
        wanted = float(error(message)["lensai"]["wanted"]) * 10**9
        assert wanted >= 16_384 * 600
        assert await stage.seen() == 0


async def test_04_a_cap_above_what_the_model_can_is_forwarded_as_it_is_and_held_as_what_it_can(tmp_path):
    async with before_provider(tmp_path) as stage:
        client = await stage.send(CHAT, body := chat(max_tokens=10**9))
        assert stage.there is not None
        wire, request = await stage.there.called()
        assert request.body == json.dumps(body).encode()
        assert stage.held_at_most() < 2 * 20_000 * 600
        wire.send(answer(b"{}", status=400))
        wire.close()
        assert (await client.message()).status == 400


async def test_06_sound_that_may_be_put_out_is_held_at_its_own_rate(tmp_path):
    """64 USD a million tokens of sound against 10 of text."""
    body = {"model": "gpt-audio", "messages": HI, "max_tokens": 100, "modalities": ["text", "audio"]}
    async with before_provider(tmp_path) as stage:
        message = await stage.told(CHAT, body, answer(b"{}", status=400))
        assert message.status == 400
        assert stage.held_at_most() >= 100 * 64_000
