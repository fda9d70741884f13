"""Cases 23 to 35: what is charged where a call does not end as it should: what is not known, as it was held."""

import json
from typing import Any

import pytest

from tests.e2e.budget_cases.rows import CHAT, chat
from tests.e2e.budget_cases.stage import before_provider, before_sandbox, quota, usage_told
from tests.support.data_plane import answer, chunk, stream_head, until

COST = 10 * 150 + 5 * 600
STREAM = chat(stream=True, max_tokens=100)
TOLD = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def event(**members: Any) -> bytes:
    return chunk(
        b"data: " + json.dumps({"model": "gpt-4o-mini-2024-07-18", "choices": []} | members).encode() + b"\n\n"
    )


DONE = chunk(b"data: [DONE]\n\n") + chunk(b"")


async def test_23_a_client_that_leaves_pays_for_what_the_provider_was_heard_to_the_end(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        client = await stage.send(CHAT, STREAM, tokens=60, chunk_delay_ms=2)
        await client.until(b"data: ")
        client.abort()
        await stage.quiet()
        assert stage.balance().settled == await stage.billed() > 0


async def test_23_where_nobody_listens_to_the_end_all_that_was_held_is_charged(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, key='on_disconnect = "cancel"') as stage:
        client = await stage.send(CHAT, STREAM, tokens=60, chunk_delay_ms=20)
        await client.until(b"data: ")
        client.abort()
        await stage.quiet()
        assert stage.balance().settled == stage.held_at_most() >= await stage.billed() > 0


async def test_24_a_client_that_leaves_before_the_first_byte_pays(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        client = await stage.send(CHAT, chat(max_tokens=20), delay_ms=200)
        while not await stage.seen():
            pass
        client.abort()
        await stage.quiet()
        assert stage.balance().settled == await stage.billed() > 0


@pytest.mark.parametrize("control", [{"fail_status": 500}, {"fail_status": 503}, {"drop": "always"}])
async def test_25_what_the_provider_made_of_a_call_that_failed_is_not_known(tmp_path, sandbox, control):
    async with before_sandbox(tmp_path, sandbox) as stage:
        assert (await stage.ask(CHAT, chat(max_tokens=20), **control)).status >= 500
        await stage.quiet()
        assert stage.balance().settled == stage.held_at_most() > 0


async def test_26_what_was_never_sent_costs_nothing(tmp_path):
    async with before_provider(tmp_path) as stage:
        assert stage.there is not None
        stage.limit(
            '[upstreams.gone]\nprovider = "openai"\ncredential_id = "openai"\norigin = "http://127.0.0.1:1"\n',
            quota(limit_usd=9),
        )
        assert (await stage.ask("/gone/v1/chat/completions", chat(max_tokens=20))).status == 502
        assert stage.held_at_most() > 0
        assert stage.balance().settled == 0


async def test_27_every_retry_of_a_client_is_held_and_charged_and_the_gateway_makes_none(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        for attempt in range(1, 4):
            assert (await stage.ask(CHAT, chat(max_tokens=20), drop="always")).status == 502
            await stage.quiet()
            assert await stage.seen() == attempt
            assert stage.balance().settled == attempt * stage.held_at_most()


async def test_28_a_key_of_idempotency_is_the_provider_s_to_obey_and_each_attempt_is_held(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        for _ in range(2):
            await stage.ask(CHAT, chat(max_tokens=20), b"idempotency-key: one")
        await stage.quiet()
        assert len(stage.witness.reserves) == 2
        assert stage.balance().settled >= await stage.billed()


async def test_29_an_end_that_comes_twice_is_charged_once(tmp_path):
    usage = event(usage=TOLD)
    async with before_provider(tmp_path) as stage:
        said = stream_head() + usage + usage + usage + DONE
        await stage.told(CHAT, STREAM, said)
        await stage.settled(COST)


async def test_30_more_than_was_held_is_charged_and_closes_the_budget(tmp_path):
    async with before_provider(tmp_path, quota(limit_usd="0.001")) as stage:
        stage.witness.overruns = True
        said = usage_told(prompt_tokens=10, completion_tokens=5000, total_tokens=5010)
        assert (await stage.told(CHAT, chat(max_tokens=20), said)).status == 200
        await stage.settled(10 * 150 + 5000 * 600)
        assert (await stage.ask(CHAT, chat(max_tokens=1))).status == 402
        assert await stage.seen() == 1


WRONG = {
    "missing": {},
    "null": {"usage": None},
    "negative": {"usage": TOLD | {"completion_tokens": -5, "total_tokens": 5}},
    "fraction": {"usage": TOLD | {"completion_tokens": 5.5}},
    "text": {"usage": TOLD | {"completion_tokens": "5"}},
    "contradictory": {"usage": TOLD | {"total_tokens": 3}},
    "empty": {"usage": {}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_31_a_usage_that_makes_no_sense_gives_nothing_back(tmp_path, wrong):
    async with before_provider(tmp_path) as stage:
        said = answer(json.dumps({"model": "gpt-4o-mini-2024-07-18", "choices": []} | wrong).encode())
        assert (await stage.told(CHAT, chat(max_tokens=20), said)).status == 200
        await stage.settled(stage.held_at_most())


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_31_in_a_stream_the_last_usage_that_makes_sense_holds(tmp_path, wrong):
    early = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    async with before_provider(tmp_path) as stage:
        await stage.told(CHAT, STREAM, stream_head() + event(usage=early) + event(usage=TOLD) + event(**wrong) + DONE)
        await stage.quiet()
        assert stage.balance().settled in (COST, stage.held_at_most())


@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": False}}])
async def test_32_a_stream_that_states_no_usage_is_charged_as_it_was_held(tmp_path, sandbox, asked):
    async with before_sandbox(tmp_path, sandbox, key='mode = "transparent"') as stage:
        message = await stage.ask(CHAT, STREAM | asked, tokens=50)
        assert b'"usage"' not in message.body
        await stage.quiet()
        assert stage.balance().settled == stage.held_at_most() >= await stage.billed() > 0


LIE = '{"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\ndata: {"usage":{"total_tokens":0}}\n\n'


async def test_33_what_a_model_says_of_usage_is_no_usage(tmp_path):
    message = {"choices": [{"message": {"content": LIE}}], "usage": TOLD}
    async with before_provider(tmp_path) as stage:
        await stage.told(CHAT, chat(max_tokens=20), answer(json.dumps({"model": "gpt-4o-mini"} | message).encode()))
        await stage.settled(COST)
        said = event(choices=[{"delta": {"content": LIE}}]) + event(usage=TOLD) + DONE
        await stage.told(CHAT, STREAM, stream_head() + said)
        await stage.settled(2 * COST)


@pytest.mark.parametrize("chunks", [0, 3])
@pytest.mark.parametrize("how", ["error_after_chunks", "cut_after_chunks"])
async def test_34_a_stream_that_breaks_is_charged_no_less_than_it_was_billed(tmp_path, sandbox, how, chunks):
    async with before_sandbox(tmp_path, sandbox) as stage:
        client = await stage.send(CHAT, STREAM, **{how: chunks}, tokens=50)
        await until(lambda: stage.balance().settled)
        client.close()
        assert stage.balance().settled >= await stage.billed() > 0


async def test_34_a_provider_s_error_in_a_stream_is_charged_what_it_reported(tmp_path):
    async with before_provider(tmp_path) as stage:
        wrong = chunk(b'data: {"error":{"message":"overloaded"}}\n\n')
        await stage.told(CHAT, STREAM, stream_head() + event(usage=TOLD) + wrong + DONE)
        await stage.quiet()
        assert stage.balance().settled in (COST, stage.held_at_most())


async def test_35_what_an_answer_s_head_says_of_cost_is_not_believed(tmp_path):
    lines = (b"x-litellm-response-cost: 0", b"x-cost: 0.0", b"x-usage-total-tokens: 0")
    body = json.dumps({"model": "gpt-4o-mini-2024-07-18", "choices": [], "usage": TOLD}).encode()
    async with before_provider(tmp_path) as stage:
        await stage.told(CHAT, chat(max_tokens=20), answer(body, *lines))
        await stage.settled(COST)
