"""Owns speaking to Redis or Valkey: the scripts, their arguments and answers, timeouts. Knows no lease arithmetic.

The only home of the driver. Whatever goes wrong with it comes out as StoreDown, after the timeout at the latest.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from importlib import resources
from typing import Any, cast

import redis.asyncio as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from gateway.ledger.store import Answer, Beat, Fence, Member, Statement, StoreDown

# No counter is called so: their names hold an @.
FENCE = "lensai:{fence}"
# A store that takes longer is as good as gone: callers wait for it while a lease is fetched.
TIMEOUT_S = 1.0
# Scripts at once; each takes a connection for a round trip. What comes beyond that waits for one of them to end, for as
# long again as the store is waited for.
CONNECTIONS_MAX = 64
# How often a server is asked whether it would drop keys for room.
LOOK_S = 60.0


def key(counter: str) -> str:
    """The hash of a counter; the braces keep all of it in one slot of a cluster, so its name may not hold any."""
    return "lensai:{" + counter.replace("%", "%25").replace("{", "%7B").replace("}", "%7D") + "}"


class _Script:
    """One script. Redis knows it by its hash, and is told it again where it has forgotten."""

    def __init__(self, client: Any, name: str) -> None:
        self._text = (resources.files("gateway.ledger") / "lua" / f"{name}.lua").read_text()
        self._script = client.register_script(self._text)

    def put(self, pipeline: Any, keys: Sequence[str], arguments: Sequence[str | int], *, whole: bool) -> None:
        if whole:
            pipeline.eval(self._text, len(keys), *keys, *arguments)
        else:
            pipeline.evalsha(self._script.sha, len(keys), *keys, *arguments)


class RedisStore:
    """Keeps leases in Redis. `replicas` is how many must have a grant before it is used; 0 where there are none."""

    def __init__(self, url: str, *, replicas: int = 0, timeout_s: float = TIMEOUT_S) -> None:
        self._client: Any = driver.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            decode_responses=True,
            max_connections=CONNECTIONS_MAX,
            # `_run` bounds everything. The driver's own bound is `asyncio.wait_for`, which before Python 3.12 loses a
            # cancellation that comes as the answer does: an agent told to stop went on for ever.
            socket_timeout=None,
            socket_connect_timeout=None,
            # Sent again, a statement is an old one and its grant is lost; the ledger states anew instead.
            retry=Retry(NoBackoff(), 0),
        )
        self._replicas = replicas
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(CONNECTIONS_MAX)
        self._keeps_until_s = 0.0  # by the loop's clock: until then it is trusted to drop no key
        self._sync, self._beat, self._leave = (_Script(self._client, name) for name in ("sync", "beat", "leave"))

    async def sync(self, statement: Statement) -> Answer:
        """States, and hears how the counter stands. Raises StoreDown."""
        arguments = _statement_arguments(statement)
        found = await self._run(self._sync, key(statement.counter), arguments, safe=statement.asks)
        return _answer(found)

    async def beat(self, beat: Beat) -> Fence:
        """Raises StoreDown, also where the server may drop what was spent."""
        await self._check_that_it_keeps()
        return _fence(await self._run(self._beat, FENCE, _beat_arguments(beat), safe=True))

    async def leave(self, node: str, epoch: int) -> bool:
        """Raises StoreDown."""
        return bool(await self._run(self._leave, FENCE, (node, epoch), safe=True))

    async def _check_that_it_keeps(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._keeps_until_s:
            return
        memory = await self._ask(self._client.info("memory"))
        policy = str(memory.get("maxmemory_policy", ""))
        if memory.get("maxmemory") and policy.startswith("allkeys-"):
            raise StoreDown(f"maxmemory-policy {policy} drops what was spent when memory is full: set it to noeviction")
        self._keeps_until_s = now_s + LOOK_S

    async def _ask(self, question: Awaitable[Any]) -> Any:
        """The answer, within the timeout. Raises StoreDown."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreDown(f"{type(error).__name__} from the store") from error

    async def members(self) -> tuple[Member, ...]:
        """Who is on the roster, for people; nothing is changed. Raises StoreDown."""
        fields = cast(dict[str, str], await self._ask(self._client.hgetall(FENCE)))
        seconds, us = cast(tuple[int, int], await self._ask(self._client.time()))
        server = await self._ask(self._client.info("server"))
        now_ms, is_attested = seconds * 1000 + us // 1000, fields.get("run") == server["run_id"]
        return tuple(
            Member(
                name,
                int(fields[f"epoch:{name}"]),
                now_ms - int(fields.get(f"beat:{name}", 0)),
                not is_attested or fields.get(f"attests:{name}") != fields.get("fence"),
            )
            for name in sorted(field.removeprefix("epoch:") for field in fields if field.startswith("epoch:"))
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, script: _Script, name: str, arguments: Sequence[str | int], *, safe: bool) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreDown("too much is asked of the store at once") from error
        try:
            return await self._ask(self._told(script, name, arguments, safe=safe))
        finally:
            self._turns.release()

    async def _told(self, script: _Script, name: str, arguments: Sequence[str | int], *, safe: bool) -> Any:
        try:
            return await self._once(script, name, arguments, safe=safe, whole=False)
        except NoScriptError:
            return await self._once(script, name, arguments, safe=safe, whole=True)

    async def _once(
        self, script: _Script, name: str, arguments: Sequence[str | int], *, safe: bool, whole: bool
    ) -> Any:
        """One round trip. WAIT speaks of what was written before it on the same connection."""
        waits = safe and self._replicas > 0
        async with self._client.pipeline(transaction=False) as pipeline:
            script.put(pipeline, (name,), arguments, whole=whole)
            if waits:
                pipeline.wait(self._replicas, int(self._timeout_s * 1000 / 2))
            try:
                found = await cast(Awaitable[list[Any]], pipeline.execute())
            except NoScriptError:
                raise
            except ResponseError:
                await self._look_anew()
                raise
        if waits and int(found[1]) < self._replicas:
            await self._look_anew()
            raise StoreDown("too few replicas have the grant")
        return found[0]

    async def _look_anew(self) -> None:
        """Who answers but does not serve may be the primary no more: the address may lead to another one by now."""
        await self._client.connection_pool.disconnect(inuse_connections=False)


def _flag(value: bool) -> int:
    return 1 if value else 0


def _statement_arguments(said: Statement) -> tuple[str | int, ...]:
    return (
        said.node, said.epoch, said.seq, said.run, said.spent, said.claim, _flag(said.keep), _flag(said.gives),
        said.need, said.want, _flag(said.more), "" if said.limit is None else said.limit, said.live, said.since,
        ",".join(f"{percent}:{amount}" for percent, amount in said.marks),
        ",".join(map(str, said.heard)), said.keep_ms, said.back,
    )  # fmt: skip


def _answer(found: Any) -> Answer:
    status, version, run, spent, claim, all_spent, all_claims, recalled, marks, pending, *more = found
    return Answer(
        status, version, run, spent, claim, all_spent, all_claims, bool(recalled), tuple(marks), tuple(pending), *more
    )


def _beat_arguments(said: Beat) -> tuple[str | int, ...]:
    return (
        said.node, said.epoch, said.nonce, said.run, said.fence, said.attests, said.knows, said.nodes_min,
        "\n".join(said.roster), "\n".join(said.lacks),
    )  # fmt: skip


def _fence(found: Any) -> Fence:
    status, run, fence, opened, version, roster, live, lacked = found
    return Fence(status, run, fence, bool(opened), version, tuple(roster), tuple(live), tuple(lacked))
