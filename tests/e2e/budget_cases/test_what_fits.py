"""Every unit in every window, for some scopes: exactly as many calls pass as fit, and the next one does not."""

from typing import get_args

import pytest

from gateway.contract.policy import Unit, Window
from tests.e2e.budget_cases.stage import before_provider, dollars, quota
from tests.support.data_plane import answer

# Its prices are flat and its tokenizer is not known: every such call holds the same.
PATH = "/groq/v1/chat/completions"
BODY = b'{"model":"llama-3.3-70b-versatile","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'
TOKENS_IN, TOKENS_OUT = len(BODY) + 512, 100
USED_IN, USED_OUT = 10, 5
HELD = {
    "usd": TOKENS_IN * 590 + TOKENS_OUT * 790,
    "tokens_in": TOKENS_IN,
    "tokens_out": TOKENS_OUT,
    "tokens": TOKENS_IN + TOKENS_OUT,
    "requests": 1,
    "concurrent": 1,
}
USED = {
    "usd": USED_IN * 590 + USED_OUT * 790,
    "tokens_in": USED_IN,
    "tokens_out": USED_OUT,
    "tokens": USED_IN + USED_OUT,
    "requests": 1,
    "concurrent": 0,
}
FIT = 3
SCOPES = {
    "everything": {},
    "project": {"project": "web"},
    "each-user": {"user": "*"},
    "each-user-and-model": {"user": "*", "model": "*"},
    "one-tag": {"tag": "a"},
}
LINES = (b"x-lensai-user: ann", b"x-lensai-tags: a")
WINDOWS = {unit: ("total",) if unit == "concurrent" else get_args(Window) for unit in get_args(Unit)}
ROWS = [
    pytest.param(unit, window, scope, id=f"{unit}-{window}-{name}")
    for unit in get_args(Unit)
    for window in WINDOWS[unit]
    for name, scope in SCOPES.items()
    if window in ("day", "total") or name == "everything"
]


def told() -> bytes:
    usage = f'"prompt_tokens":{USED_IN},"completion_tokens":{USED_OUT},"total_tokens":{USED_IN + USED_OUT}'
    return answer(b'{"model":"llama-3.3-70b-versatile","choices":[],"usage":{%b}}' % usage.encode())


@pytest.mark.parametrize(("unit", "window", "scope"), ROWS)
async def test_as_many_calls_pass_as_fit(tmp_path, unit, window, scope):
    # While one is under way it holds; when it has ended it has used.
    limit = (FIT - 1) * USED[unit] + HELD[unit] if unit != "concurrent" else FIT
    amount = {"limit_usd": dollars(limit)} if unit == "usd" else {"limit": limit}
    table = quota(unit=unit, window=window, scope=scope, **amount)
    async with before_provider(tmp_path, table, upstream="groq") as stage:
        assert stage.there is not None
        if unit == "concurrent":
            pending = [(await stage.send(PATH, BODY, *LINES), await stage.there.called()) for _ in range(FIT)]
        else:
            pending = []
            for _ in range(FIT):
                assert (await stage.told(PATH, BODY, told(), *LINES)).status == 200
        assert (await stage.ask(PATH, BODY, *LINES)).status == (402 if unit == "usd" else 429)
        for client, (wire, _) in pending:
            wire.send(told())
            wire.close()
            assert (await client.message()).status == 200
        assert await stage.seen() == FIT
        [balance] = stage.gateway.server.ledger.counters().values()
        assert (balance.settled, balance.held) == (FIT * USED[unit], 0)
