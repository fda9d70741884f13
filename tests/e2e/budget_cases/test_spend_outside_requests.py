"""Cases 15 to 20 and 22: what is spent beside the tokens of an answer, or after its call. Sessions (21) are apart."""

import json
from typing import Any

import pytest

from tests.e2e.budget_cases.rows import (
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
from tests.e2e.budget_cases.stage import Stage, before_provider, before_sandbox, quota
from tests.support.data_plane import answer, serving

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CONVERSATION = "/openai/v1/conversations"
LINES = [{"custom_id": "a", "params": claude()}]
CHARGED = [
    Charged(
        18,
        "searches",
        claude(tools=[SEARCH | {"max_uses": 2}]),
        MESSAGES,
        2 * 10_000_000 + 3 * 100 * 5000,
        {"web_searches": 2},
    ),
]
DENIED = [
    Denied(
        15,
        "batch",
        {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        "/openai/v1/batches",
    ),
    Denied(15, "batch-of-messages", {"requests": LINES}, "/anthropic/v1/messages/batches"),
    Denied(16, "background", respond(background=True, max_output_tokens=50), RESPONSES),
    *(
        Denied(18, f"{tool}-without-a-maximum", respond(tools=[{"type": tool}], max_output_tokens=50), RESPONSES)
        for tool in ("web_search", "file_search")
    ),
    *(
        Denied(18, tool, respond(tools=[{"type": tool}], max_output_tokens=50, max_tool_calls=2), RESPONSES)
        for tool in ("code_interpreter", "image_generation", "tomorrows_tool")
    ),
    Denied(18, "searches-without-a-maximum", claude(tools=[SEARCH]), MESSAGES),
    Denied(18, "searches-in-chat", chat(web_search_options={}, max_tokens=5) | {"web_search_options": {"x": 1}}),
    Denied(19, "fine-tuning", {"model": "gpt-4o-mini", "training_file": "file-1"}, "/openai/v1/fine_tuning/jobs"),
    Denied(19, "vector-store", {"name": "x"}, "/openai/v1/vector_stores"),
    *(
        Denied(19, path, {"model": "gpt-4o-mini"}, f"/openai/v1/{path}", says="endpoint_not_metered")
        for path in ("assistants", "threads", "threads/runs", "evals", "containers", "videos", "realtime/sessions")
    ),
    Denied(20, "mcp-without-a-maximum", respond(tools=[{"type": "mcp", "server_url": "https://x"}]), RESPONSES),
    Denied(20, "mcp-servers", claude(mcp_servers=[{"type": "url", "url": "https://x", "name": "x"}]), MESSAGES),
    Denied(20, "deep-research", respond(model="o3-deep-research"), RESPONSES),
]


@pytest.mark.parametrize("row", CHARGED, ids=name)
async def test_what_is_bounded_beside_the_answer_is_held(tmp_path, sandbox, row):
    await prove_charged(tmp_path, sandbox, row)


@pytest.mark.parametrize("row", DENIED, ids=name)
async def test_what_is_spent_elsewhere_or_later_is_refused(tmp_path, sandbox, row):
    await prove_denied(tmp_path, sandbox, row)


HELD = [
    ("17-previous-response", respond(previous_response_id="resp_1", max_output_tokens=10), 272_000 * 250),
    ("17-conversation", respond(conversation="conv_1", max_output_tokens=10), 272_000 * 250),
    ("18-searches", respond(tools=[{"type": "web_search"}], max_tool_calls=3, max_output_tokens=10), 3 * 10_000_000),
    ("20-mcp", respond(tools=[{"type": "mcp", "server_url": "https://x"}], max_tool_calls=3), 4 * 272_000 * 250),
]


@pytest.mark.parametrize(("body", "least"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
async def test_what_the_provider_may_add_is_held(tmp_path, body, least):
    async with before_provider(tmp_path) as stage:
        assert (await stage.told(RESPONSES, body, answer(b"{}", status=400))).status == 400
        assert stage.held_at_most() >= least


BACKGROUND = respond(background=True, store=True, max_output_tokens=200)
CEILING = 400_000_000
CAPPED = quota(limit_usd=1, ceiling_usd="0.40")


async def begin(stage: Stage) -> str:
    message = await stage.ask(RESPONSES, BACKGROUND, tokens=150, polls=1)
    assert message.status == 200, message.body
    return json.loads(message.body)["id"]


async def look(stage: Stage, id: str, ending: str = "") -> dict[str, Any]:
    message = await stage.ask(f"{RESPONSES}/{id}{ending}", b"{}" if ending else None)
    assert message.status == 200, message.body
    return json.loads(message.body)


async def test_16_work_in_the_background_is_charged_its_ceiling_until_its_usage_is_told_once(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, CAPPED) as stage:
        ids = [await begin(stage) for _ in range(2)]
        await stage.settled(2 * CEILING)
        assert (await stage.ask(RESPONSES, BACKGROUND)).status == 402

        assert (await look(stage, ids[0]))["status"] == "in_progress"
        for _ in range(3):
            assert (await look(stage, ids[0]))["status"] == "completed"
            await stage.settled(CEILING + await stage.billed())
        for _ in range(2):
            await look(stage, ids[1])
        await stage.settled(await stage.billed())
        assert await begin(stage)


async def test_16_a_restart_forgets_neither_the_charge_nor_that_it_was_given_back(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, CAPPED) as stage:
        id = await begin(stage)
        await look(stage, id)
        await stage.settled(CEILING)
        await stage.gateway.stop()
        for _ in range(2):
            async with serving(tmp_path, (tmp_path / "lensai.toml").read_text()) as stage.gateway:
                await look(stage, id)
                await stage.settled(await stage.billed())


async def test_16_another_key_s_poll_is_not_charged_for_the_work(tmp_path, sandbox):
    other = quota("apart", limit_usd=1, ceiling_usd="0.40", scope={"user": "*"})
    async with before_sandbox(tmp_path, sandbox, CAPPED, other) as stage:
        message = await stage.ask(RESPONSES, BACKGROUND, b"x-lensai-user: ann", tokens=150)
        id = json.loads(message.body)["id"]
        for _ in range(2):
            await stage.ask(f"{RESPONSES}/{id}", None, b"x-lensai-user: bob")
        await stage.settled(billed := await stage.billed(), "apart@total|user=ann")
        assert stage.balance("apart@total|user=bob").settled == 0
        assert stage.balance().settled == billed > 0


async def test_22_what_is_cancelled_stays_charged_until_its_usage_is_told(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, CAPPED) as stage:
        id = await begin(stage)
        assert (await look(stage, id, "/cancel"))["status"] == "cancelled"
        await stage.settled(CEILING)
        assert await stage.billed() == 0
