"""Owns the stage of the budget cases: a gateway with hard budgets before a provider, and a witness of the promise.

The provider is the sandbox, whose own bill is the oracle, or one on a raw wire that does what no sandbox would. The
witness stands between the gateway and its ledger and looks at every step: settled + held <= limit (I1), settled <= held
(I2), and each id settled once (I3).
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.ledger.base import Balance, Hold, Shortage
from gateway.ledger.embedded import EmbeddedLedger
from tests.support.data_plane import (
    Gateway,
    Message,
    Provider,
    Wire,
    answer,
    call,
    policy,
    provider,
    serving,
    soon,
    until,
    upstreams_at,
)
from tests.support.gateways import port_of, sandbox_upstreams

# More than any case costs, so that what stops a call is not this.
AMPLE_USD = 9000
USD = "q@total"


def quota(id: str = "q", **fields: Any) -> str:
    """One `[[quotas]]` table, of all the usd there is unless `fields` say otherwise."""
    rows = {"id": id, "unit": "usd", "window": "total"} | fields
    if rows["unit"] == "concurrent":
        del rows["window"]
    return "[[quotas]]\n" + "\n".join(f"{name} = {_toml(value)}" for name, value in rows.items()) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'{name} = "{text}"' for name, text in value.items()) + "}"
    return json.dumps(value)


def dollars(nanousd: int) -> str:
    return f"{nanousd / 10**9:.9f}"


class Witness:
    """Sees every step of a ledger. `faults` is what it saw that was promised never to be."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.faults: list[str] = []
        self.reserves: list[dict[str, int]] = []  # what was taken, call by call
        self.overruns = False  # a provider that bills more than can be asked for is in play
        self._limits: dict[str, int] = {}
        self._reserved: Counter[str] = Counter()
        self._settled: Counter[str] = Counter()
        self._ledger = ledger
        self._reserve, self._extend, self._settle = ledger.reserve, ledger.extend, ledger.settle
        ledger.reserve, ledger.extend, ledger.settle = self.reserve, self.extend, self.settle  # pyright: ignore[reportAttributeAccessIssue]
        ledger.settle_later = self.settle  # pyright: ignore[reportAttributeAccessIssue]

    def reserve(self, id: str, holds: Sequence[Hold]) -> Shortage | None:
        short = self._reserve(id, holds)
        if short is None:
            self._reserved[id] += 1
            self.reserves.append({hold.counter: hold.amount for hold in holds})
            self._look(holds)
        return short

    def extend(self, id: str, holds: Sequence[Hold]) -> Shortage | None:
        short = self._extend(id, holds)
        if short is None:
            self._look(holds)
        return short

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        held = dict(self._ledger.held(id))
        seq = self._settle(id, actual)
        for counter, amount in actual.items():
            if counter in self._limits and amount > held.get(counter, 0) and not self.overruns:
                self.faults.append(f"{id} held {held.get(counter, 0)} of {counter} and was charged {amount}")
        self._settled[id] += seq > 0
        if self._ledger.held(id):
            self.faults.append(f"{id} holds after it was settled")
        return seq

    def _look(self, holds: Sequence[Hold]) -> None:
        for hold in holds:
            if hold.limit is None:
                continue
            self._limits[hold.counter] = hold.limit
            balance = self._ledger.balance(hold.counter)
            if hold.amount and balance.settled + balance.held > hold.limit:
                self.faults.append(f"{hold.counter} stands at {balance} of {hold.limit}")

    @property
    def settled_once(self) -> bool:
        """Whether whatever was taken was settled, once; a session takes and settles for each of its responses."""
        return self._reserved == +self._settled


class Stage:
    """A running gateway, its witness, and the provider behind it."""

    def __init__(self, gateway: Gateway, toml: str, sandbox: str, there: Provider | None) -> None:
        self.gateway = gateway
        self.there = there
        self.witness = Witness(gateway.server.ledger)
        self._toml = toml
        self._sandbox = sandbox

    # -- calls

    async def send(self, path: str, body: Any, *lines: bytes, **controls: Any) -> Wire:
        """A client that has asked. Controls are the sandbox's, without their prefix."""
        client = await self.gateway.client()
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        if self.there is None:
            controls = {"close": "announced"} | controls  # an idle connection would keep the event loop from its end
        told = [f"x-sandbox-{name.replace('_', '-')}: {value}".encode() for name, value in controls.items()]
        client.send(call(path, data, b"anthropic-version: 2023-06-01", *lines, *told))
        return client

    async def ask(self, path: str, body: Any, *lines: bytes, **controls: Any) -> Message:
        """One whole call."""
        client = await self.send(path, body, *lines, **controls)
        message = await client.message()
        client.close()
        return message

    async def told(self, path: str, body: Any, said: bytes, *lines: bytes) -> Message:
        """One whole call of which a provider on a raw wire is made to say this, and then to hang up."""
        assert self.there is not None
        client = await self.send(path, body, *lines)
        wire, _ = await self.there.called()
        wire.send(said)
        wire.close()
        return await client.message()

    # -- the books

    def balance(self, counter: str = USD) -> Balance:
        return self.gateway.server.ledger.balance(counter)

    def held_at_most(self, counter: str = USD) -> int:
        """The most that one call has held at its beginning."""
        return max((taken.get(counter, 0) for taken in self.witness.reserves), default=0)

    def limit(self, *quotas: str) -> None:
        """Other quotas from now on."""
        self.gateway.reload(self._toml + "".join(quotas))

    async def bill(self) -> list[dict[str, Any]]:
        """What the sandbox has billed, line by line."""
        return (await self._page("bill"))["lines"]

    async def billed(self) -> int:
        """The sum of it in nano-USD."""
        return sum(line["amount_nanousd"] for line in await self.bill())

    async def seen(self) -> int:
        """How many requests have reached the provider."""
        if self.there is not None:
            return self.there.connections
        return (await self._page("requests"))["count"]

    async def settled(self, amount: int, counter: str = USD) -> None:
        """Returns when a counter has been charged so much in all, and nothing of it is held."""
        await until(lambda: self.balance(counter) == Balance(amount, 0))

    async def quiet(self) -> None:
        """Returns when nothing is held any more."""
        ledger = self.gateway.server.ledger
        await until(lambda: not any(balance.held for balance in ledger.counters().values()))

    async def _page(self, name: str) -> dict[str, Any]:
        wire = Wire(*await soon(asyncio.open_connection("127.0.0.1", port_of(self._sandbox), limit=1 << 26)))
        wire.send(f"GET /_sandbox/{name} HTTP/1.1\r\nhost: sandbox\r\n\r\n".encode())
        message = await wire.message()
        await wire.gone()
        return json.loads(message.body)


async def _reset(sandbox: str) -> None:
    wire = Wire(*await soon(asyncio.open_connection("127.0.0.1", port_of(sandbox))))
    wire.send(b"POST /_sandbox/reset HTTP/1.1\r\nhost: sandbox\r\ncontent-length: 0\r\n\r\n")
    await wire.message()
    await wire.gone()


@contextlib.asynccontextmanager
async def before_sandbox(
    directory: Path, sandbox: str, *quotas: str, key: str = "", more: str = "", **settings: Any
) -> AsyncIterator[Stage]:
    """A gateway before the sandbox, which has forgotten everything. Fails in the end if a promise was broken."""
    await _reset(sandbox)
    toml = policy(sandbox_upstreams(sandbox), key) + more
    async with serving(directory, toml + "".join(quotas or (quota(limit_usd=AMPLE_USD),)), **settings) as gateway:
        stage = Stage(gateway, toml, sandbox, None)
        yield stage
        await _judge(stage)
        billed = await stage.billed()
        charged = stage.balance().settled
        assert quotas or billed <= charged, f"billed {billed}, charged {charged}"


@contextlib.asynccontextmanager
async def before_provider(
    directory: Path, *quotas: str, upstream: str = "openai", key: str = "", more: str = "", **settings: Any
) -> AsyncIterator[Stage]:
    """The same before a provider that does nothing but what the test makes it do."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, upstream), key) + more
        async with serving(directory, toml + "".join(quotas or (quota(limit_usd=AMPLE_USD),)), **settings) as gateway:
            stage = Stage(gateway, toml, "", there)
            yield stage
            await _judge(stage)
            there.close()  # while the gateway is there to notice


async def _judge(stage: Stage) -> None:
    await stage.quiet()
    await until(lambda: stage.witness.settled_once)  # what holds nothing is settled too, perhaps by a thread
    assert not stage.witness.faults, str(stage.witness.faults)


def error(message: Message) -> dict[str, Any]:
    """The error of an answer in OpenAI's or Anthropic's shape."""
    return json.loads(message.body)["error"]


def usage_told(**usage: Any) -> bytes:
    """A whole answer of OpenAI's chat API with this usage."""
    return answer(json.dumps({"model": "gpt-4o-mini-2024-07-18", "choices": [], "usage": usage}).encode())
