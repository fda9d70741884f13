"""Sessions between real WebSocket libraries, through TLS, and through a gateway that is killed in their midst."""

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.sync.client import connect as connect_sync
from websockets.typing import Subprotocol

from gateway.contract.record import Record
from tests.support.certificates import Authority
from tests.support.data_plane import SECRET, TOKEN, Gateway, Wire, policy, provider, serving, soon, upstreams_at
from tests.support.gateways import gateway_on, wait_until
from tests.support.sockets import REALTIME, agree, ask, read_frame, said

BEARER = {"Authorization": f"Bearer {TOKEN}"}
CREATE = json.dumps({"type": "response.create"})
USAGE = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
AUDIO_BYTES = 1_000_000
_Handler = Callable[[ServerConnection], Awaitable[None]]


def begins(name: str) -> str:
    return json.dumps({"type": "response.created", "response": {"id": name}})


def ends(name: str) -> str:
    return json.dumps({"type": "response.done", "response": {"id": name, "usage": USAGE}})


async def respond(socket: ServerConnection) -> None:
    """Answers each `response.create` with a response, and any other message with itself."""
    await socket.send(json.dumps({"type": "session.created", "session": {"model": "gpt-realtime"}}))
    made = 0
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            if message == CREATE:
                made += 1
                await socket.send(begins(f"r{made}"))
                await socket.send(ends(f"r{made}"))
            else:
                await socket.send(message)


@contextlib.asynccontextmanager
async def realtime(handler: _Handler = respond, *, compression: str | None = "deflate", **more) -> AsyncIterator[int]:
    """A provider made of another library; its port."""
    async with serve(handler, "127.0.0.1", 0, compression=compression, max_size=None, **more) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def url_of(gateway: Gateway, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{gateway.port}{REALTIME}"


def told(records: list[Record]) -> list[tuple[str, str, int | None]]:
    return [(record.outcome, record.provenance, record.tokens_in) for record in records]


WHOLE = ("ok", "none", None)


@pytest.mark.parametrize("theirs", ["deflate", None])
@pytest.mark.parametrize("ours", ["deflate", None])
async def test_a_session_is_as_it_would_be_without_the_gateway(tmp_path, ours, theirs):
    chance = random.Random(3)
    async with realtime(compression=theirs) as port, serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway:
        async with connect(
            url_of(gateway), additional_headers=BEARER, compression=ours, max_size=None, proxy=None
        ) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"
            compressed = [type(extension).__name__ for extension in socket.protocol.extensions]
            assert compressed == (["PerMessageDeflate"] if ours and theirs else [])
            audio = chance.randbytes(AUDIO_BYTES)
            for message in (audio, "a" * AUDIO_BYTES, "", "zwölf", audio[:100], "repeated " * 1000, "repeated " * 1000):
                await socket.send(message)
                assert await soon(socket.recv()) == message
            await socket.send(["in ", "three ", "fragments"])
            assert await soon(socket.recv()) == "in three fragments"
            await (await socket.ping())
            for n in (1, 2):
                await socket.send(CREATE)
                assert [await soon(socket.recv()) for _ in range(2)] == [begins(f"r{n}"), ends(f"r{n}")]
        assert (socket.close_code, socket.close_reason) == (1000, "")
        assert told(await gateway.stop()) == [("ok", "reported", 9), ("ok", "reported", 9), WHOLE]


async def test_a_synchronous_client_is_served_as_well(tmp_path):
    async with realtime() as port, serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway:

        def talk() -> list[str | bytes]:
            with connect_sync(url_of(gateway), additional_headers=BEARER, proxy=None) as socket:
                socket.recv()
                socket.send(CREATE)
                return [socket.recv() for _ in range(2)]

        assert await soon(asyncio.to_thread(talk)) == [begins("r1"), ends("r1")]
        assert told(await gateway.stop()) == [("ok", "reported", 9), WHOLE]


async def test_contexts_may_be_given_up_on_either_side(tmp_path):
    alone = {"server_no_context_takeover": True, "client_no_context_takeover": True}
    theirs = [ServerPerMessageDeflateFactory(**alone, server_max_window_bits=9, client_max_window_bits=9)]
    ours = [ClientPerMessageDeflateFactory(client_max_window_bits=True)]
    async with (
        realtime(compression=None, extensions=theirs) as port,
        serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway,
    ):
        async with connect(
            url_of(gateway), additional_headers=BEARER, compression=None, extensions=ours, proxy=None
        ) as socket:
            await socket.recv()
            for n in (1, 2):
                await socket.send(CREATE)
                assert [await soon(socket.recv()) for _ in range(2)] == [begins(f"r{n}"), ends(f"r{n}")]
        assert told(await gateway.stop()) == [("ok", "reported", 9), ("ok", "reported", 9), WHOLE]


async def test_a_browser_s_key_is_swapped_for_the_policy_s(tmp_path):
    seen: list[Headers] = []

    async def look(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request.headers)

    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{TOKEN}")]
    async with (
        realtime(look, subprotocols=[Subprotocol("realtime")]) as port,
        serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway,
    ):
        async with connect(url_of(gateway), subprotocols=offered, proxy=None) as socket:
            assert socket.subprotocol == "realtime"
        assert seen[0]["Sec-WebSocket-Protocol"] == "realtime"
        assert seen[0]["authorization"] == f"Bearer {SECRET}"


async def test_many_sessions_at_once_do_not_meet(tmp_path):
    async with realtime() as port, serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway:

        async def talk(n: int) -> None:
            async with connect(url_of(gateway), additional_headers=BEARER, proxy=None) as socket:
                await socket.recv()
                for _ in range(5):
                    await socket.send(f"mine {n}")
                    assert await socket.recv() == f"mine {n}"
                await socket.send(CREATE)
                assert await socket.recv() == begins("r1")
                assert await socket.recv() == ends("r1")

        await soon(asyncio.gather(*(talk(n) for n in range(30))))
        records = await gateway.stop()
        assert sorted(told(records), key=str) == sorted([("ok", "reported", 9), WHOLE] * 30, key=str)
        assert len({record.request_id for record in records}) == 60


async def test_a_provider_s_goodbye_reaches_the_client_with_its_reason(tmp_path):
    async def leave(socket: ServerConnection) -> None:
        await socket.close(CloseCode.GOING_AWAY, "session expired")

    async with realtime(leave) as port, serving(tmp_path, policy(upstreams_at(port, "openai"))) as gateway:
        async with connect(url_of(gateway), additional_headers=BEARER, proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await soon(socket.recv())
        assert (socket.close_code, socket.close_reason) == (1001, "session expired")
        assert told(await gateway.stop()) == [WHOLE]


async def test_both_sides_may_speak_tls(tmp_path):
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("127.0.0.1")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(cert_file, key_file)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    tls = {"tls_cert_file": str(cert_file), "tls_key_file": str(key_file)}
    async with realtime(ssl=theirs) as port:
        toml = policy(
            upstreams_at(port, "openai").replace("http://", "https://") + f'\nca_file = "{authority.ca_file}"'
        )
        async with serving(tmp_path / "gateway", toml, **tls) as gateway:
            async with connect(
                url_of(gateway, "wss"), ssl=trusting, additional_headers=BEARER, max_size=None, proxy=None
            ) as socket:
                await socket.recv()
                for message in (b"x" * AUDIO_BYTES, "text"):
                    await socket.send(message)
                    assert await soon(socket.recv()) == message
                await socket.send(CREATE)
                assert [await soon(socket.recv()) for _ in range(2)] == [begins("r1"), ends("r1")]
            assert socket.close_code == 1000
            assert told(await gateway.stop()) == [("ok", "reported", 9), WHOLE]


async def test_a_killed_gateway_loses_no_response_that_was_reported(tmp_path: Path):
    async with provider() as there:
        with gateway_on(tmp_path, upstreams_at(there.port, "openai")) as gateway:
            token = gateway.add_key()
            await asyncio.to_thread(gateway.start)
            client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
            client.send(ask(token=token))
            wire, _ = await there.called()
            wire.send(agree(), *(said(text.encode()) for text in (begins("r1"), ends("r1"), begins("r2"))))
            await client.until(b"\r\n\r\n")
            for _ in range(3):
                await read_frame(client)
            await asyncio.to_thread(
                wait_until, lambda: len(gateway.journaled()) == 1, lambda: "the response is not journaled"
            )
            await asyncio.to_thread(gateway.kill)
            await wire.closed()
            await asyncio.to_thread(gateway.start)
            gateway.start_lake()
            rows = await asyncio.to_thread(gateway.rows_of, 2)
            await asyncio.to_thread(gateway.stop)
        client.close()
    by_id = sorted(rows, key=lambda row: row["request_id"])
    assert [(row["outcome"], row["provenance"], row["tokens_in"]) for row in by_id] == [
        ("crashed", "held", None),
        ("ok", "reported", 9),
    ]
    assert by_id[1]["request_id"] == by_id[0]["request_id"] + "-1"
