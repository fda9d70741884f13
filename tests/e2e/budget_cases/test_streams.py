"""Case 2, streams: one without a cap pays as it goes and is cut when it can pay no more, in its provider's own words.

And the mode `guaranteed`: the cap is lowered to what the budget affords, so that every answer is whole.
"""

from typing import Any, NamedTuple

import pytest

from tests.e2e.budget_cases.rows import CONTENTS, HI
from tests.e2e.budget_cases.stage import before_sandbox, dollars, quota
from tests.support.data_plane import Wire

WORDS = [{"role": "user", "content": [{"text": "Hi"}]}]
PRICES = '[[price_overrides]]\nupstream = "ollama"\nmodel = "*"\nrates = { input_text = "1", output_text = "1" }\n'


class Dialect(NamedTuple):
    """One API's stream. `cap` is where its body has the output cap, and `told` what ends a stream that is cut."""

    name: str
    path: str
    body: dict[str, Any]
    cap: tuple[str, ...]
    told: bytes
    nanousd: int  # of an output token
    plain: str = ""  # the path of the call that does not stream, where it has another


DIALECTS = [
    Dialect(
        "openai-chat",
        "/openai/v1/chat/completions",
        {"model": "gpt-4o-mini", "messages": HI, "stream": True},
        ("max_completion_tokens",),
        b'"code":"budget_exhausted_midstream"',
        1000,
    ),
    Dialect(
        "openai-responses",
        "/openai/v1/responses",
        {"model": "gpt-4o-mini", "input": "Hi", "stream": True},
        ("max_output_tokens",),
        b"event: error\ndata: ",
        1000,
    ),
    Dialect(
        "gemini",
        "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {"contents": CONTENTS},
        ("generationConfig", "maxOutputTokens"),
        b'"error":{"code":402',
        2500,
        "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
    ),
    Dialect(
        "bedrock",
        "/bedrock/model/us.amazon.nova-lite-v1:0/converse-stream",
        {"messages": WORDS},
        ("inferenceConfig", "maxTokens"),
        b":exception-type",
        240,
        "/bedrock/model/us.amazon.nova-lite-v1:0/converse",
    ),
    Dialect(
        "cohere",
        "/cohere/v2/chat",
        {"model": "command-r-08-2024", "messages": HI, "stream": True},
        ("max_tokens",),
        b'"message":',
        600,
    ),
]
OLLAMA = Dialect(
    "ollama",
    "/ollama/api/chat",
    {"model": "llama3.2", "messages": HI, "stream": True, "options": {"num_predict": 50_000}},
    ("options", "num_predict"),
    b"",
    1000,
)
# Nothing is known of what Ollama's models can put out, so that a call needs a cap. Anthropic's API always has one,
# so that nothing of it pays as it goes.
CLAUDE = Dialect(
    "anthropic",
    "/anthropic/v1/messages",
    {"model": "claude-haiku-4-5", "messages": HI, "max_tokens": 4000, "stream": True},
    ("max_tokens",),
    b"",
    5000,
)
# As fast as any model writes: what a provider writes at once is not held (docs/internals/traps.md).
AT_A_PACE = {"chunk_tokens": 50, "chunk_delay_ms": 20}
PAYING = [each for each in DIALECTS if each.name != "gemini"]


async def read_all(client: Wire) -> bytes:
    """What is said until the end of a chunked answer."""
    said = b""
    while not said.endswith(b"0\r\n\r\n"):
        said += await client.some()
    return said


# Two thousand tokens a second and more: what no provider of such models does.
@pytest.mark.parametrize("pace", [{"chunk_tokens": 4, "chunk_delay_ms": 2}, AT_A_PACE])
@pytest.mark.parametrize("dialect", PAYING, ids=lambda each: each.name)
async def test_02_a_stream_that_can_pay_no_more_is_cut_in_its_provider_s_words(tmp_path, sandbox, dialect, pace):
    limit = 4000 * dialect.nanousd
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=dollars(limit)), more=PRICES) as stage:
        client = await stage.send(dialect.path, dialect.body, **pace, tokens=3500)
        said = await read_all(client)
        assert said.startswith(b"HTTP/1.1 200 "), said[:500]
        assert dialect.told in said, said[-500:]
        await stage.quiet()
        [line] = await stage.bill()
        assert line["state"] == "client_left"
        assert line["amount_nanousd"] <= stage.balance().settled <= limit


@pytest.mark.parametrize("dialect", PAYING, ids=lambda each: each.name)
async def test_02_a_stream_that_can_pay_is_whole_and_charged_what_it_cost(tmp_path, sandbox, dialect):
    limit = 30_000 * dialect.nanousd
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=dollars(limit)), more=PRICES) as stage:
        said = await read_all(await stage.send(dialect.path, dialect.body, **AT_A_PACE, tokens=2900))
        assert said.startswith(b"HTTP/1.1 200 ")
        await stage.quiet()
        [line] = await stage.bill()
        assert line["state"] == "completed"
        assert stage.held_at_most() < 2900 * dialect.nanousd, "it held a slice"
        assert line["amount_nanousd"] <= stage.balance().settled <= limit


@pytest.mark.parametrize("dialect", [*DIALECTS, CLAUDE, OLLAMA], ids=lambda each: each.name)
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_02_a_guaranteed_answer_is_as_long_as_the_budget_affords(tmp_path, sandbox, dialect, streams):
    limit = 3000 * dialect.nanousd
    budget = quota(limit_usd=dollars(limit))
    path = dialect.path if streams or not dialect.plain else dialect.plain
    body = {name: streams if name == "stream" else value for name, value in dialect.body.items()}
    async with before_sandbox(tmp_path, sandbox, budget, key='mode = "guaranteed"', more=PRICES) as stage:
        message = await stage.ask(path, body, tokens=20_000, chunk_tokens=100)
        assert message.status == 200, message.body
        await stage.quiet()
        [line] = await stage.bill()
        assert line["state"] == "completed"
        assert 500 < line["tokens"]["output"] < 3000
        assert line["amount_nanousd"] <= stage.balance().settled <= limit


async def test_02_what_a_provider_writes_while_a_slow_client_keeps_it_unread_is_held(tmp_path, sandbox):
    dialect = DIALECTS[0]
    limit = 12_000 * dialect.nanousd
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=dollars(limit))) as stage:
        client = await stage.send(dialect.path, dialect.body, chunk_tokens=1, tokens=16_000, write_bytes=0)
        client.pause()
        await stage.quiet()
        assert stage.balance().settled <= limit
        client.resume()
        await client.message()
