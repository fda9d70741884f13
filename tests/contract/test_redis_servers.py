"""Leases over real servers: the scripts against their model, processes that race, servers that die and are replaced."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import cast

import msgspec
import pytest

from gateway.ledger.agent import RedisLedger
from gateway.ledger.redis import CONNECTIONS_MAX, FENCE, RedisStore, key
from gateway.ledger.store import Beat, Statement, StoreDown
from tests.contract.ledgers import Node, eventually, take
from tests.contract.servers import DURABLE, Address, Server
from tests.simulation import model
from tests.support.holds import hold, holds
from tests.tidy.tree import ROOT

COUNTER = "budget@2026-11|user={odd}%"
STATEMENTS = 600


def counter_statement(random: Random, run: str) -> Statement:
    spent = random.choice((0, 1, 7, 2**52))
    need = random.choice((0, 0, 1, 30, 2**53))
    return Statement(
        counter=COUNTER,
        node=random.choice("abc"),
        epoch=random.choice((1, 1, 2)),
        seq=random.randint(1, 40),
        run=random.choice((run, run, "")),
        spent=spent,
        claim=min(spent + random.choice((0, 0, 5, 2**52)), 2**53),
        keep=random.random() < 0.2,
        gives=random.random() < 0.5,
        need=need,
        want=min(need * random.choice((1, 2)), 2**53),
        more=random.random() < 0.2,
        limit=random.choice((None, 0, 100, 2**53)),
        live=random.randint(1, 4),
        since=random.choice((0, 5, 2**53)),
        marks=((50, 50), (100, 100)) if random.random() < 0.5 else (),
        heard=random.choice(((), (50,), (50, 100))),
        keep_ms=random.choice((0, 0, 60_000)),
        back=random.choice((0, 0, 0, 3, 7)),
    )


def times_apart(stored: model.Hash) -> model.Hash:
    """A hash without its times, which two clocks tell."""
    timed = ("demand", "beat:", "lacks:")
    return {field: "" if field.startswith(timed) else value for field, value in stored.items()}


@pytest.mark.parametrize("seed", range(3))
async def test_the_script_of_counters_does_what_the_model_does(server, seed):
    random, store, ours = Random(seed), RedisStore(server.url), cast(model.Hash, {})
    run, client = await run_id(server), server.client()
    for index in range(STATEMENTS):
        if index % 50 == 0:
            client.delete(key(COUNTER))
            ours.clear()
        said = counter_statement(random, run)
        expected = model.sync(ours, said, run, int(time.time() * 1000))
        assert (await store.sync(said), said) == (expected, said)
        assert times_apart(cast(model.Hash, client.hgetall(key(COUNTER)))) == times_apart(ours)
    client.close()
    await store.close()


@pytest.mark.parametrize("seed", range(3))
async def test_the_script_of_the_fence_does_what_the_model_does(server, seed):
    random, store, ours = Random(seed), RedisStore(server.url), cast(model.Hash, {})
    run, client = await run_id(server), server.client()
    for index in range(STATEMENTS // 3):
        if index % 25 == 0:
            client.delete(FENCE)
            ours.clear()
        fence = random.randint(0, 4)
        said = Beat(
            node=random.choice("abc"),
            epoch=random.choice((1, 1, 1, 2)),
            nonce=random.choice(("x", "x", "x", "y")),
            run=random.choice(("", run, "another")),
            fence=fence,
            attests=random.randint(0, fence),
            knows=random.randint(0, 4),
            nodes_min=random.choice((1, 3)),
            roster=random.choice(((), ("a", "d"))),
            lacks=random.choice(((), (COUNTER, "other"))),
        )
        expected = model.beat(ours, said, run, int(time.time() * 1000))
        assert (await store.beat(said), said) == (expected, said)
        leaver = random.choice("abcd")
        if random.random() < 0.2:
            assert await store.leave(leaver, 0) == model.leave(ours, leaver, 0)
        assert times_apart(cast(model.Hash, client.hgetall(FENCE))) == times_apart(ours)
    client.close()
    await store.close()


async def run_id(server: Server) -> str:
    with server.client() as client:
        return str(cast(dict[str, object], client.info("server"))["run_id"])


def replication(server: Server) -> dict[str, object]:
    with server.client() as client:
        return cast(dict[str, object], client.info("replication"))


@contextlib.contextmanager
def racers(url: str, count: int, *numbers: int) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-B", "-m", "tests.contract.racer", url]
    children = [
        subprocess.Popen(
            [*command, f"n{index}", *map(str, numbers)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    try:
        yield children
    finally:
        for child in children:
            child.communicate(timeout=60)


@pytest.mark.parametrize(("amount", "limit", "fitting"), [(1, 50, 50), (7, 100, 14)])
def test_of_processes_that_race_exactly_those_calls_pass_that_fit(server, amount, limit, fitting):
    with racers(server.url, 3, 40, amount, limit) as children:
        lines = [child.stdout.readline() for child in children]
        assert lines == ["ready\n"] * 3
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        admitted = [int(child.stdout.readline()) for child in children]
    assert sum(admitted) == fitting


class Load:
    """Callers on several nodes, and the sum of what they hold and have settled, looked at with every admission."""

    def __init__(self, ledgers: list[RedisLedger], limit: int) -> None:
        self.ledgers, self.limit = ledgers, limit
        self.sum = self.admitted = self.ids = 0
        self.stopped = False

    async def call(self, ledger: RedisLedger, random: Random) -> None:
        while not self.stopped:
            self.ids += 1
            id, amount = f"id{self.ids}", random.randint(1, 40)
            if await take(ledger, id, holds(hold(COUNTER, amount, self.limit)), 0.3) is None:
                self.admitted += 1
                self.sum += amount
                assert self.sum <= self.limit
                await asyncio.sleep(random.random() * 0.01)
                actual = random.choice((0, 0, 0, 1))
                self.sum += actual - amount
                ledger.settle(id, {COUNTER: actual})
            else:
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def running(self, seed: int) -> AsyncIterator["Load"]:
        random = Random(seed)
        tasks = [asyncio.create_task(self.call(ledger, random)) for ledger in self.ledgers for _ in range(4)]
        try:
            yield self
        finally:
            self.stopped = True
            await asyncio.gather(*tasks)

    async def admits(self, count: int) -> None:
        """Waits until so many more were admitted."""
        goal = self.admitted + count
        await eventually(lambda: self.admitted >= goal)


@contextlib.asynccontextmanager
async def nodes(url: str, count: int, replicas: int = 0) -> AsyncIterator[list[RedisLedger]]:
    store = RedisStore(url, replicas=replicas)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        yield [await stack.enter_async_context(Node(f"n{index}", store).working()) for index in range(count)]


async def test_a_server_killed_under_load_comes_back_and_nothing_is_overspent(server):
    async with nodes(server.url, 3) as ledgers, Load(ledgers, 2000).running(seed=1) as load:
        for _ in range(3):
            await load.admits(200)
            known = ledgers[0].checkpoint().fence
            server.kill()
            await asyncio.to_thread(server.start)
            await eventually(lambda known=known: all(it.open and it.checkpoint().fence > known for it in ledgers))
        await load.admits(200)
    assert sum(ledger.counters()[COUNTER].held for ledger in ledgers) == 0


async def test_a_replica_promoted_under_load_grants_once_all_nodes_have_told_it_their_claims(server, tmp_path: Path):
    replica = Server(tmp_path / "replica", *DURABLE, "--replicaof", "127.0.0.1", str(server.port))
    second = Server(tmp_path / "second")
    address = Address(server.port)
    replica.start()
    try:
        await eventually(lambda: "slave0" in replication(server))
        async with (
            address.listening() as url,
            nodes(url, 3, replicas=1) as ledgers,
            Load(ledgers, 2000).running(seed=2) as load,
        ):
            await load.admits(200)
            server.kill()
            replica.ask("REPLICAOF", "NO", "ONE")
            second.options = (*DURABLE, "--replicaof", "127.0.0.1", str(replica.port))
            await asyncio.to_thread(second.start)
            address.port = replica.port
            address.cut()
            await load.admits(200)
    finally:
        replica.kill()
        second.kill()


async def test_an_address_that_leads_to_another_primary_is_followed_where_the_first_keeps_its_connections(
    server, tmp_path: Path
):
    """A planned switch: the first lives on as a replica."""
    replica = Server(tmp_path / "replica", *DURABLE, "--replicaof", "127.0.0.1", str(server.port))
    address = Address(server.port)
    replica.start()
    try:
        await eventually(lambda: "slave0" in replication(server))
        async with address.listening() as url, contextlib.AsyncExitStack() as stack:
            store = RedisStore(url)
            stack.push_async_callback(store.close)
            beats = [Beat(f"n{number}", 1, "nonce") for number in range(5)]
            await asyncio.gather(*map(store.beat, beats))
            replica.ask("REPLICAOF", "NO", "ONE")
            server.ask("REPLICAOF", "127.0.0.1", str(replica.port))
            address.port = replica.port
            with pytest.raises(StoreDown, match="ReadOnlyError"):
                await store.beat(beats[0])
            fences = await asyncio.gather(*map(store.beat, beats))
        assert {fence.run for fence in fences} == {await run_id(replica)}
    finally:
        replica.kill()


async def test_a_server_that_may_drop_what_was_spent_is_not_used(server):
    store = RedisStore(server.url)
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    await store.beat(Beat("a", 1, "x"))  # which has all the room there is
    await store.close()
    server.ask("CONFIG", "SET", "maxmemory", "100mb")
    store = RedisStore(server.url)
    with pytest.raises(StoreDown, match="allkeys-lru drops what was spent when memory is full: set it to noeviction"):
        await store.beat(Beat("a", 1, "x"))
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert (await store.beat(Beat("a", 1, "x"))).status == "ok"
    await store.close()


async def test_a_grant_that_no_replica_has_is_not_used(server):
    async with nodes(server.url, 1) as ledgers:
        assert await take(ledgers[0], "x", holds(hold(COUNTER, 1, 10))) is None
    store = RedisStore(server.url, replicas=1, timeout_s=0.2)
    lonely = Node("lonely", store)
    await lonely.ledger.step()
    assert lonely.ledger.open is False
    await store.close()


async def test_amounts_are_exact_to_the_last_unit_at_two_to_the_53(server):
    async with nodes(server.url, 2) as (first, second):
        assert await take(first, "x", holds(hold(COUNTER, 2**53 - 1, 2**53))) is None
        assert await take(second, "y", holds(hold(COUNTER, 2, 2**53))) is not None
        assert await take(second, "y", holds(hold(COUNTER, 1, 2**53))) is None
        assert msgspec.to_builtins(second.balance(COUNTER)) == {"settled": 0, "held": 1, "leased": 2**53 - 1}


async def test_more_counters_at_once_than_connections_are_all_lent(server):
    """As at the beginning of a minute in which each user has a limit of its own."""
    calls = 5 * CONNECTIONS_MAX
    async with nodes(server.url, 1) as (ledger,):
        wanted = [holds(hold(f"users@2026-11|user={number}", 1, 10)) for number in range(calls)]
        found = await asyncio.gather(*(take(ledger, str(number), one) for number, one in enumerate(wanted)))
    assert found == [None] * calls


async def test_the_store_forgets_what_every_node_has_let_go_of_but_never_a_total(server):
    minute, month, total, now = "u@2026-11-25T22:10+0000|user=x", COUNTER, "all@total", "at-once@now|user=x"
    async with nodes(server.url, 1) as (ledger,):
        wanted = holds(*(hold(name, 1, 10) for name in (minute, month, total, now)))
        assert await take(ledger, "x", wanted) is None
        with server.client() as client:
            assert {client.pttl(key(name)) for name in (minute, month, total, now)} == {-1}
            ledger.settle("x", {minute: 1, month: 1, total: 1})
            ledger.over(minute)
            await eventually(lambda: minute not in ledger.counters())
            assert await ledger.leave()
            day_ms = 86_400_000
            assert 2 * day_ms < client.pttl(key(minute)) <= 3 * day_ms
            assert 2 * day_ms < client.pttl(key(now)) <= 3 * day_ms
            assert 31 * day_ms < client.pttl(key(month)) <= 35 * day_ms
            assert client.pttl(key(total)) == -1


async def test_what_is_cancelled_as_the_answer_comes_ends(server):
    """The task of an agent that is told to stop may be anywhere in a statement."""
    store = RedisStore(server.url)
    random = Random(7)

    async def agent() -> None:
        while True:
            await store.leave("nobody", 1)

    for _ in range(300):
        task = asyncio.create_task(agent())
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(asyncio.wait({task}), 5)
        assert task.cancelled()
    await store.close()
