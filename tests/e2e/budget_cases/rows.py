"""Owns the two proofs that most cases are rows of: what must be let through and charged, and what must be refused."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.budget_cases.stage import AMPLE_USD, USD, Stage, before_sandbox, dollars, quota
from tests.support.data_plane import Message

CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
MESSAGES = "/anthropic/v1/messages"
GENERATE = "/gemini/v1beta/models/gemini-2.5-flash:generateContent"
HI = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
SUM = quota(limit_usd=AMPLE_USD)


def chat(**members: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": HI} | members


def respond(**members: Any) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "input": "Hi"} | members


def claude(**members: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": HI} | members


def gemini(**generation: Any) -> dict[str, Any]:
    return {"contents": CONTENTS, "generationConfig": generation}


class Charged(NamedTuple):
    """A call that is let through. It holds `least` nano-USD at least, and what the sandbox then bills is charged."""

    case: int
    name: str
    body: Any
    path: str = CHAT
    least: int = 0
    controls: dict[str, Any] = {}  # noqa: RUF012 - never changed
    lines: tuple[bytes, ...] = ()
    exact: bool = True  # charged is billed, to the nano-USD; else it is not less
    quota: str = SUM


class Denied(NamedTuple):
    """A call that no provider may see, whatever is left."""

    case: int
    name: str
    body: Any
    path: str = CHAT
    status: int = 403
    says: str = "unbounded_cost"
    lines: tuple[bytes, ...] = ()


def name(row: Charged | Denied) -> str:
    return f"{row.case:02}-{row.name}"


async def prove_charged(directory: Path, sandbox: str, row: Charged) -> None:
    """It passes where there is enough; where there is a nano-USD less than it costs, nothing is sent."""
    async with before_sandbox(directory, sandbox, row.quota) as stage:
        message = await stage.ask(row.path, row.body, *row.lines, **row.controls)
        assert message.status == 200, message.body
        await stage.quiet()
        billed, charged = await stage.billed(), stage.balance().settled
        assert billed > 0, "a case that costs nothing proves nothing"
        assert charged == billed if row.exact else charged >= billed, (charged, billed)
        assert stage.held_at_most() >= max(row.least, charged)

        seen = await stage.seen()
        stage.limit(quota(limit_usd=dollars(charged + billed - 1)))
        await _refused(stage, seen, await stage.ask(row.path, row.body, *row.lines, **row.controls), 402)


async def prove_denied(directory: Path, sandbox: str, row: Denied) -> None:
    """It is refused though there is plenty, before a byte is sent, and nothing is held or charged for it."""
    async with before_sandbox(directory, sandbox, SUM) as stage:
        message = await stage.ask(row.path, row.body, *row.lines)
        await _refused(stage, 0, message, row.status)
        assert row.says.encode() in message.body
        assert stage.balance().settled == 0
        assert stage.witness.reserves == []


async def _refused(stage: Stage, seen: int, message: Message, status: int) -> None:
    assert message.status == status, message.raw
    assert await stage.seen() == seen
    assert stage.balance(USD).held == 0
