"""Speaking to Redis: keys, and that every trouble of the driver's is one exception of ours."""

import asyncio

import pytest

from gateway.ledger.redis import RedisStore, key
from gateway.ledger.store import Beat, Statement, StoreDown
from tests.contract.servers import free_port

BEAT = Beat("a", 1, "nonce")


@pytest.mark.parametrize(
    ("counter", "expected"),
    [
        ("budget@2026-11", "lensai:{budget@2026-11}"),
        ("b@2026-11|user={x}", "lensai:{b@2026-11|user=%7Bx%7D}"),
        ("b@2026-11|user=%7Bx%7D", "lensai:{b@2026-11|user=%257Bx%257D}"),
    ],
)
def test_a_counter_has_a_key_of_its_own_in_one_slot(counter, expected):
    assert key(counter) == expected


async def test_nobody_listens():
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    for work in (store.beat(BEAT), store.sync(Statement("c", "a", 1, 1, "", 0, 0)), store.leave("a", 1)):
        with pytest.raises(StoreDown):
            await work
    await store.close()


@pytest.mark.parametrize("said", [b"", b"-LOADING Redis is loading the dataset in memory\r\n", b"\x00nonsense\r\n"])
async def test_a_server_that_is_silent_busy_or_no_redis_is_a_store_that_is_down(said):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    store = RedisStore(f"redis://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/0", timeout_s=0.2)
    with pytest.raises(StoreDown) as raised:
        await store.beat(BEAT)
    assert "secret" not in str(raised.value)
    await store.close()
    server.close()
