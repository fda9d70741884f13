"""Owns the slow ones: `python -m tests.e2e.slow_clients.swarm PORT TOKEN COUNT` keeps so many of each kind connected.

A client of each kind is slow in one way: it sends a byte of its head, or of its body, now and then, or takes a few
bytes of a long stream now and then. One that is disconnected comes again. It prints `ready` once all are there, and
at the end of its input how often each kind was ended by the gateway.
"""

import asyncio
import contextlib
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

# Slow enough to be a nuisance, fast enough to look alive; 6,000 of them cost the generator little.
DRIP_S = 5.0
TAKEN_BYTES = 64
# A stream of a megabyte, more than the buffers between provider and reader hold, in few events: what is compared is
# how long connections are held, and not how much a provider can write.
HEAD = b"POST /slow/v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n"
BODY = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Count."}]}'
SIZED = (
    b"content-type: application/json\r\nx-sandbox-tokens: 200000\r\nx-sandbox-chunk-tokens: 2000\r\n"
    b"content-length: %d\r\n\r\n"
)

Slow = Callable[[socket.socket, bytes], Awaitable[None]]


async def slow_head(connection: socket.socket, token: bytes) -> None:
    await _send(connection, HEAD % token + b"x-slow: ")
    await _drip(connection)


async def slow_body(connection: socket.socket, token: bytes) -> None:
    await _send(connection, HEAD % token + SIZED % 10_000)
    await _drip(connection)


async def slow_read(connection: socket.socket, token: bytes) -> None:
    await _send(connection, HEAD % token + SIZED % len(BODY) + BODY)
    while await asyncio.get_running_loop().sock_recv(connection, TAKEN_BYTES):  # noqa: ASYNC110 - slow on purpose
        await asyncio.sleep(DRIP_S)


KINDS: dict[str, Slow] = {"head": slow_head, "body": slow_body, "read": slow_read}


async def _send(connection: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(connection, data)


async def _drip(connection: socket.socket) -> None:
    """A byte now and then, until the gateway has had enough: its refusal is read, and the connection is over."""
    loop = asyncio.get_running_loop()
    refused = asyncio.ensure_future(loop.sock_recv(connection, 1 << 16))
    try:
        while not refused.done():
            await asyncio.wait({refused}, timeout=DRIP_S)
            if not refused.done():
                await _send(connection, b"x")
    finally:
        refused.cancel()


class Swarm:
    def __init__(self, port: int, token: bytes) -> None:
        self.connected: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._port, self._token = port, token

    async def keep(self, kind: str, ramp_s: float) -> None:
        """One client of a kind, again and again."""
        await asyncio.sleep(ramp_s)
        while True:
            with socket.socket() as connection:
                connection.setblocking(False)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                with contextlib.suppress(OSError):
                    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._port))
                    self.connected[kind] += 1
                    await KINDS[kind](connection, self._token)
                self.ended[kind] += 1


async def main(port: int, token: bytes, count: int) -> None:
    swarm = Swarm(port, token)
    clients = [(kind, n) for n in range(count) for kind in KINDS]
    # They come a hundred a second: a thundering herd is another test.
    tasks = [asyncio.ensure_future(swarm.keep(kind, n / 100)) for kind, n in clients]
    await asyncio.sleep(count / 100 + DRIP_S)
    assert all(swarm.connected[kind] >= count for kind in KINDS), swarm.connected
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(*(f"{kind}={swarm.ended[kind]}" for kind in KINDS), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])))
