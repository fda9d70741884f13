"""Owns one process of a race: `python -m tests.contract.racer URL NODE TRIES AMOUNT LIMIT` takes what it can get.

Prints how many calls were admitted, and keeps what they hold until its input is closed.
"""

import asyncio
import sys

from gateway.ledger.redis import RedisStore
from tests.contract.ledgers import Node, take
from tests.support.holds import hold, holds

COUNTER = "race@total"


async def main(url: str, name: str, tries: int, amount: int, limit: int) -> None:
    store = RedisStore(url)
    async with Node(name, store).working() as ledger:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        wanted = holds(hold(COUNTER, amount, limit))
        outcomes = await asyncio.gather(*(take(ledger, f"{name}-{index}", wanted, 20.0) for index in range(tries)))
        print(sum(outcome is None for outcome in outcomes), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await store.close()


if __name__ == "__main__":
    url, name, *numbers = sys.argv[1:]
    tries, amount, limit = map(int, numbers)
    asyncio.run(main(url, name, tries, amount, limit))
