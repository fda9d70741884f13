import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.ledger import DEAD_MS, run_ledger
from gateway.ledger.redis import FENCE, RedisStore
from gateway.ledger.store import Beat, Fence
from gateway.settings import Settings
from tests.contract.servers import Server, free_port, running_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    with running_redis(tmp_path / "redis") as server:
        yield server


def said(url: str, *words: str) -> tuple[int, list[str], str]:
    output, errors = io.StringIO(), io.StringIO()
    code = run_ledger(words, Settings(ledger_url=url), output=output, errors=errors)
    return code, output.getvalue().splitlines(), errors.getvalue()


def beat(redis: Server, *beats: Beat) -> list[Fence]:
    async def tell() -> list[Fence]:
        store = RedisStore(redis.url)
        try:
            return [await store.beat(one) for one in beats]
        finally:
            await store.close()

    return asyncio.run(tell())


def silence(redis: Server, node: str) -> None:
    """As if it had been heard of last before it was taken for dead."""
    heard_ms = int(str(redis.ask("HGET", FENCE, f"beat:{node}")))
    redis.ask("HSET", FENCE, f"beat:{node}", str(heard_ms - 2 * DEAD_MS))


def test_without_a_shared_ledger_there_is_nobody_to_list():
    code, _, errors = said("")
    assert (code, "ledger_url is not set" in errors) == (1, True)


def test_a_store_that_cannot_be_asked_is_told_without_its_address():
    code, _, errors = said(f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert (code, "cannot be asked: ConnectionError" in errors, "secret" in errors) == (1, True, False)


def test_a_node_that_never_returns_is_written_off_and_one_that_works_is_not(redis: Server):
    assert said(redis.url) == (0, ["NODE    LAST HEARD OF"], "")
    beat(redis, Beat("alive", 3, "x"), Beat("gone", 1, "y"))
    silence(redis, "gone")
    code, (_, alive, gone), _ = said(redis.url)
    assert (code, alive.split()[0], alive.endswith("works")) == (0, "alive", True)
    assert gone.endswith("silent; what it claimed counts as spent")

    for node, why in (("alive", "alive works: stop that gateway"), ("nobody", "there is no node 'nobody'")):
        code, rows, errors = said(redis.url, "--write-off", node)
        assert (code, rows, why in errors) == (1, [], True)
    code, rows, errors = said(redis.url, "--write-off", "gone")
    assert (code, [row.split()[0] for row in rows[1:]]) == (0, ["alive"])
    assert errors.startswith("gone is written off: ")
    assert [fence.status for fence in beat(redis, Beat("gone", 1, "y"), Beat("gone", 2, "z"))] == ["fenced", "ok"]


def test_who_has_not_told_a_new_server_what_it_claims_is_waited_for_until_it_is_written_off(redis: Server):
    fences = beat(redis, Beat("alive", 1, "x"), Beat("gone", 1, "y"))
    redis.kill()
    redis.start()
    silence(redis, "gone")
    assert [row.split("ago  ")[1] for row in said(redis.url)[1][1:]] == [
        "works; states its claims",
        "silent, and waited for: start it again, or `lensai ledger --write-off gone` if its disk is lost",
    ]
    told = Beat("alive", 1, "x", fences[0].run, fences[0].fence, knows=fences[1].roster_version)
    [new] = beat(redis, told)
    attested = Beat("alive", 1, "x", new.run, new.fence, attests=new.fence, knows=new.roster_version)
    assert not beat(redis, attested)[0].open
    said(redis.url, "--write-off", "gone")
    assert beat(redis, attested)[0].open
