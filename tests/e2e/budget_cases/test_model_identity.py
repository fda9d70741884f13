"""Cases 52 to 58: which model is meant, and at which price. What is not known exactly has no price, and no call."""

import json

import pytest

from gateway.policy import PolicyError
from tests.e2e.budget_cases.rows import (
    CHAT,
    HI,
    MESSAGES,
    Charged,
    Denied,
    chat,
    claude,
    name,
    prove_charged,
    prove_denied,
)
from tests.e2e.budget_cases.stage import USD, before_provider, before_sandbox, quota, usage_told
from tests.support.data_plane import answer

CONVERSE = "/bedrock/model/us.amazon.nova-lite-v1:0/converse"
BEDROCK = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 50}}
DEPLOYED = "/azure/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-04-01-preview"
UNPRICED = "unpriced_model"
ROUTED = "/openrouter/v1/chat/completions"

CHARGED = [
    Charged(54, "dated-snapshot", chat(model="gpt-4o-mini-2024-07-18", max_tokens=20)),
    Charged(55, "bedrock-path", BEDROCK, CONVERSE),
]
DENIED = [
    *(
        Denied(52, repr(model), chat(model=model, max_tokens=5), says=UNPRICED)
        for model in (
            " gpt-4o-mini",
            "gpt-4o-mini ",
            "gpt-4o-mini\0",
            "gpt\u20104o\u2010mini",
            "gpt-4\u043e-mini",
            "gpt-4o-mini\n",
            "",
        )
    ),
    *(
        Denied(53, model, chat(model=model, max_tokens=5), says=UNPRICED)
        for model in ("gpt-7", "ft:acme-1::id", "claude-haiku-4-5", "acme-1")
    ),
    Denied(54, "snapshot-of-nothing", chat(model="gpt-4o-mini-2031-01-01x", max_tokens=5), says=UNPRICED),
    Denied(55, "azure-deployment", chat(max_tokens=5), DEPLOYED, says=UNPRICED),
    Denied(
        55,
        "arn-of-a-profile",
        BEDROCK,
        "/bedrock/model/arn:aws:bedrock:us-east-1:1:application-inference-profile%2Fx/converse",
        says="has no price",
    ),
    Denied(58, "auto", chat(model="openrouter/auto", max_tokens=5), ROUTED),
    Denied(58, "fallbacks", claude(fallbacks=[{"model": "claude-opus-4-8"}]), MESSAGES),
    Denied(
        58, "a-fallback-without-a-price", chat(models=["gpt-4o-mini", "acme-1"], max_tokens=5), ROUTED, says=UNPRICED
    ),
]


@pytest.mark.parametrize("row", CHARGED, ids=name)
async def test_a_model_that_is_named_exactly_is_charged(tmp_path, sandbox, row):
    await prove_charged(tmp_path, sandbox, row)


@pytest.mark.parametrize("row", DENIED, ids=name)
async def test_a_model_without_a_price_is_refused(tmp_path, sandbox, row):
    await prove_denied(tmp_path, sandbox, row)


async def test_52_another_case_is_held_at_a_price_or_refused(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        message = await stage.ask(CHAT, chat(model="GPT-4o-mini", max_tokens=100))
        assert message.status in (403, 404)  # ours, or the provider's
        assert stage.held_at_most() >= 100 * 600 or await stage.seen() == 0


async def test_53_an_unknown_model_passes_at_the_ceiling_and_is_charged_it(tmp_path):
    capped = quota(limit_usd=1, ceiling_usd="0.40")
    async with before_provider(tmp_path, capped) as stage:
        body = json.dumps(chat(model="acme-1", max_tokens=5)).encode()
        for _ in range(2):
            said = usage_told(prompt_tokens=5, completion_tokens=5, total_tokens=10).replace(
                b"gpt-4o-mini-2024-07-18", b"acme-1".ljust(22)
            )
            assert (await stage.told(CHAT, body, said)).status == 200
        await stage.quiet()
        assert stage.balance(USD).settled == 800_000_000
        assert (await stage.ask(CHAT, body)).status == 402
        assert await stage.seen() == 2


async def test_54_a_dearer_model_in_the_answer_is_charged_as_it_is(tmp_path):
    async with before_provider(tmp_path) as stage:
        stage.witness.overruns = True
        usage = {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}
        said = answer(json.dumps({"model": "gpt-4o-2024-08-06", "choices": [], "usage": usage}).encode())
        await stage.told(CHAT, chat(max_tokens=100), said)
        assert stage.balance(USD).settled == 10 * 2500 + 100 * 10_000


async def test_55_a_deployment_that_the_policy_maps_is_charged_as_its_model(tmp_path, sandbox):
    mapped = (
        '[upstreams.deployed]\nprovider = "azure"\norigin = "%s"\ncredential_id = "azure"\n'
        'models = { sandbox-deployment = "gpt-4o-mini" }\n'
    )
    path = "/deployed/openai/deployments/sandbox-deployment/chat/completions?api-version=2025-04-01-preview"
    async with before_sandbox(tmp_path, sandbox, more=mapped % sandbox) as stage:
        message = await stage.ask(path, {"messages": HI, "model": "gpt-5-nano", "max_tokens": 40}, tokens=40)
        assert message.status == 200
        await stage.quiet()
        assert stage.balance(USD).settled == await stage.billed() > 40 * 600
        assert stage.held_at_most() >= 40 * 600


async def test_56_a_price_that_changes_under_a_call_is_not_its_price(tmp_path):
    dearer = '[[price_overrides]]\nupstream = "openai"\nmodel = "*"\nmultiplier = "50"\n'
    async with before_provider(tmp_path) as stage:
        assert stage.there is not None
        client = await stage.send(CHAT, chat(max_tokens=100))
        wire, _ = await stage.there.called()
        stage.limit(dearer, quota(limit_usd=1000))
        wire.send(usage_told(prompt_tokens=10, completion_tokens=100, total_tokens=110))
        wire.close()
        assert (await client.message()).status == 200
        assert stage.balance(USD).settled == 10 * 150 + 100 * 600
        await stage.told(CHAT, chat(max_tokens=100), usage_told(prompt_tokens=10, completion_tokens=1, total_tokens=11))
        assert stage.balance(USD).settled == 10 * 150 + 100 * 600 + 50 * (10 * 150 + 600)


@pytest.mark.parametrize("rate", ["-1", "-0.000001", "NaN"])
async def test_57_a_price_below_zero_is_not_served(tmp_path, rate):
    varies = f'[[price_overrides]]\nupstream = "openai"\nmodel = "gpt-4o-mini"\nrates = {{ input_text = "{rate}" }}\n'
    with pytest.raises(PolicyError):
        async with before_provider(tmp_path, more=varies):
            raise AssertionError("it was served")


async def test_58_of_models_that_may_answer_the_dearest_is_held(tmp_path):
    models = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"]
    async with before_provider(tmp_path, upstream="openrouter") as stage:
        await stage.told(ROUTED, chat(model=models[0], models=models, max_tokens=1000), answer(b"{}", status=400))
        assert stage.held_at_most() >= 1000 * 5000
