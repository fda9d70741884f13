"""The generator against the real simulator, over loopback: what one asked, the other answered, all of it counted."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest_asyncio

from bench import exchange, upstream
from bench.load import Fleet

_PATH = "/v1/chat/completions"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    server = await upstream.listen(0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _host(port: int) -> str:
    return f"127.0.0.1:{port}"


async def test_closed_loop_counts_every_answer(port: int) -> None:
    async with Fleet("127.0.0.1", port, connections=4) as fleet:
        samples = await fleet.closed_loop([exchange.json_request(_host(port), _PATH, "k")], duration_s=0.05)
    assert samples.calls >= 4
    assert samples.errors == 0
    assert len(samples.ttft) == len(samples.total) == samples.calls
    assert samples.events == 0


async def test_stream_has_the_events_it_asked_for(port: int) -> None:
    request = exchange.stream_request(_host(port), _PATH, "k", events=7, interval_us=0, ask_usage=False)
    async with Fleet("127.0.0.1", port, connections=3) as fleet:
        samples = await fleet.closed_loop([request], duration_s=0)
    assert samples.calls == 0, "a load of no duration sends nothing"

    async with Fleet("127.0.0.1", port, connections=3) as fleet:
        samples = await fleet.closed_loop([request], duration_s=0.001)
    assert samples.events == samples.calls * (7 + len(("finish", "[DONE]")))
    assert samples.usages == 0
    assert len(samples.travel) == samples.calls * 7
    assert len(samples.gap) == samples.calls * 6


async def test_stream_carries_usage_once_when_asked(port: int) -> None:
    request = exchange.stream_request(_host(port), _PATH, "k", events=3, interval_us=2000, ask_usage=True)
    async with Fleet("127.0.0.1", port, connections=2) as fleet:
        samples = await fleet.closed_loop([request], duration_s=0.001)
    assert samples.calls == samples.usages == 2
    spread = samples.total.spread()
    assert spread is not None
    assert spread.p50_us >= 3 * 2000


async def test_open_loop_sends_every_arrival(port: int) -> None:
    request = exchange.json_request(_host(port), _PATH, "k")
    async with Fleet("127.0.0.1", port, connections=8) as fleet:
        first = await fleet.open_loop([request], rate=400, duration_s=0.1, seed=7)
        again = await fleet.open_loop([request], rate=400, duration_s=0.1, seed=7)
    assert 15 <= first.calls <= 90
    assert first.calls == again.calls
    assert first.errors == again.errors == 0


async def test_open_loop_charges_a_stall_to_the_calls_that_waited() -> None:
    """One connection, answers 20 ms apart, all due at about once: the last one waited for all before it."""

    class Slow(upstream.Provider):
        def on_message_complete(self) -> None:
            asyncio.get_running_loop().call_later(0.02, super().on_message_complete)

    server = await asyncio.get_running_loop().create_server(lambda: Slow(itertools.count()), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Fleet("127.0.0.1", port, connections=1) as fleet:
            request = exchange.json_request(_host(port), _PATH, "k")
            samples = await fleet.open_loop([request], rate=10_000, duration_s=0.0005, seed=1)
    spread = samples.total.spread()
    assert spread is not None
    assert samples.calls > 1
    assert spread.p99_us >= samples.calls * 20_000 * 0.9


async def test_a_connection_that_breaks_under_a_call_is_an_error() -> None:
    class Rude(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            self._transport.close()

    server = await asyncio.get_running_loop().create_server(Rude, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Fleet("127.0.0.1", port, connections=2) as fleet:
            samples = await fleet.closed_loop([exchange.json_request(_host(port), _PATH, "k")], duration_s=5)
    assert (samples.calls, samples.errors) == (0, 2)
