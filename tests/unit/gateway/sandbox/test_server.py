import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosedError

from gateway.sandbox import Sandbox, serve
from gateway.sandbox.server import PIPELINED_MAX
from tests.support.sandbox_calls import KEY, Told, take_apart

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
# Long enough to overfill every buffer between a sandbox and a client that does not read.
LONG_TOKENS = 100_000


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    serving = await serve()
    yield serving
    await serving.close()


def request(document: Any = CHAT, path: str = "/v1/chat/completions", method: str = "POST", **headers: str) -> bytes:
    body = json.dumps(document).encode() if document else b""
    given = {"host": "sandbox", "authorization": f"Bearer {KEY}", "content-length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> Told:
        """The next answer, which must have a length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(take_apart(head).headers["content-length"])
        return take_apart(head + await self.reader.readexactly(length))

    async def ask(self, *arguments: Any, **headers: str) -> Told:
        self.writer.write(request(*arguments, **headers))
        return await self.answer()

    async def rest(self) -> bytes:
        """All that comes until the other side closes."""
        return await self.reader.read()

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    opened = await connect(sandbox)
    yield opened
    opened.writer.close()


async def connect(sandbox: Sandbox) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", sandbox.port))


async def until_billed(sandbox: Sandbox, state: str) -> dict[str, Any]:
    """The last line of the bill, asked for over a connection of its own until it has that state."""
    other = await connect(sandbox)
    async with asyncio.timeout(10):
        while True:
            lines = (await other.ask(None, "/_sandbox/bill", "GET")).json["lines"]
            if lines and lines[-1]["state"] == state:
                await other.leave()
                return lines[-1]


async def test_a_call_is_on_the_bill_under_the_id_it_was_told(sandbox: Sandbox, client: Client):
    told = await client.ask(x_sandbox_mark="first")
    bill = (await client.ask(None, "/_sandbox/bill", "GET")).json

    (line,) = bill["lines"]
    assert (line["id"], line["mark"], line["state"]) == (told.headers["x-request-id"], "first", "completed")
    assert (line["dialect"], line["endpoint"], line["model"]) == ("openai", "chat.completions", "gpt-4o-2024-08-06")
    assert line["amount_nanousd"] == line["tokens"]["input"] * 2500 + 16 * 10000 == bill["totals"]["amount_nanousd"]
    assert bill["prices"]["gpt-4o"]["output_nanousd"] == 10000


async def test_requests_are_kept_as_they_came(sandbox: Sandbox, client: Client):
    sent = request(X_Odd="Case Kept")
    client.writer.write(sent)
    await client.answer()
    kept = (await client.ask(None, "/_sandbox/requests", "GET")).json

    (seen,) = kept["requests"]
    head, _, body = sent.partition(b"\r\n\r\n")
    assert base64.b64decode(seen["head_base64"]) == head + b"\r\n\r\n"
    assert (seen["method"], seen["target"], seen["body_bytes"]) == ("POST", "/v1/chat/completions", len(body))
    assert (kept["count"], kept["connections"]) == (1, 1)


async def test_a_reset_forgets(sandbox: Sandbox, client: Client):
    await client.ask()
    sandbox.store.shelf("openai", str).put("a", "kept")
    assert (await client.ask(None, "/_sandbox/reset")).json == {"reset": True}

    assert (await client.ask(None, "/_sandbox/bill", "GET")).json["totals"]["calls"] == 0
    assert (await client.ask(None, "/_sandbox/requests", "GET")).json["count"] == 0
    assert (await client.ask(None, "/_sandbox/nothing", "GET")).status == 404
    assert sandbox.store.shelf("openai", str).get("a") is None


def socket_to(sandbox: Sandbox, **headers: str) -> Any:
    """A WebSocket of an independent client."""
    given = {"authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    uri = f"ws://127.0.0.1:{sandbox.port}/v1/realtime?model=gpt-realtime"
    return connect_websocket(uri, additional_headers=given, proxy=None)


async def read_to_the_end(socket: Any) -> None:
    while True:
        await socket.recv()


async def test_an_upgraded_connection_is_a_websocket(sandbox: Sandbox):
    async with socket_to(sandbox, x_sandbox_websocket_deflate="true", x_sandbox_chunk_delay_ms="1") as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        await socket.send('{"type": "response.create"}')
        told = [json.loads(await socket.recv())["type"] for _ in range(4)]
        pong = await socket.ping()
        await pong

    assert told[0] == "response.created"
    line = await until_billed(sandbox, "client_left")
    assert (line["endpoint"], line["id"][:5]) == ("realtime", "resp_")


async def test_a_websocket_that_is_cut_or_reset_is_on_the_bill(sandbox: Sandbox):
    async with socket_to(sandbox, x_sandbox_cut_after_chunks="6") as socket:
        await socket.send('{"type": "response.create"}')
        with pytest.raises(ConnectionClosedError):
            await read_to_the_end(socket)
    await until_billed(sandbox, "cut")

    async with socket_to(sandbox, x_sandbox_chunk_delay_ms="5", x_sandbox_tokens="10000") as socket:
        await socket.send('{"type": "response.create"}')
        for _ in range(8):
            await socket.recv()
        socket.transport.abort()
    await until_billed(sandbox, "client_left")


async def test_a_client_that_does_not_read_holds_a_websocket_back(sandbox: Sandbox):
    async with socket_to(sandbox, x_sandbox_tokens=str(LONG_TOKENS)) as socket:
        await socket.send('{"type": "response.create"}')
        assert (await until_billed(sandbox, "open"))["tokens"]["output"] < LONG_TOKENS


async def test_a_reset_forgets_what_was_kept(sandbox: Sandbox, client: Client):
    made = await client.ask({"model": "gpt-4o", "input": "hello"}, "/v1/responses")
    await client.ask(None, "/_sandbox/reset")

    assert (await client.ask(None, f"/v1/responses/{made.json['id']}", "GET")).status == 404


async def test_pipelined_requests_are_answered_in_order(sandbox: Sandbox, client: Client):
    count = PIPELINED_MAX * 3
    sent = b"".join(request(x_sandbox_tokens=str(1 + number % 5)) for number in range(count))
    client.writer.write(sent)

    told = [(await client.answer()).json["usage"]["completion_tokens"] for _ in range(count)]
    assert told == [1 + number % 5 for number in range(count)]
    assert sandbox.bill.totals().calls == count


async def test_delays_hold_back_and_requests_behind_wait(sandbox: Sandbox, client: Client):
    client.writer.write(request(x_sandbox_delay_ms="30") + request(x_sandbox_tokens="1"))

    assert (await client.answer()).json["usage"]["completion_tokens"] == 16
    assert (await client.answer()).json["usage"]["completion_tokens"] == 1


async def test_a_cut_stream_closes_without_an_end(sandbox: Sandbox, client: Client):
    client.writer.write(request({**CHAT, "stream": True}, x_sandbox_cut_after_chunks="3"))

    assert not (await client.rest()).endswith(b"0\r\n\r\n")
    line = await until_billed(sandbox, "cut")
    assert line["tokens"]["output"] == 2


async def test_a_client_that_leaves_pays_for_what_was_written(sandbox: Sandbox, client: Client):
    client.writer.write(request({**CHAT, "stream": True}, x_sandbox_chunk_delay_ms="5", x_sandbox_tokens="1000"))
    await client.reader.readuntil(b'"delta":{"content"')
    await client.leave()

    line = await until_billed(sandbox, "client_left")
    assert 0 < line["tokens"]["output"] < 1000


async def test_what_does_not_stream_is_billed_whole_from_the_start(sandbox: Sandbox, client: Client):
    client.writer.write(request(x_sandbox_delay_ms="60000"))
    await until_billed(sandbox, "open")
    await client.leave()

    line = await until_billed(sandbox, "client_left")
    assert (line["tokens"]["output"], line["wire_bytes"]) == (16, 0)


async def test_a_slow_reader_holds_the_model_back(sandbox: Sandbox, client: Client):
    client.writer.write(request({**CHAT, "stream": True}, x_sandbox_tokens=str(LONG_TOKENS)))
    await client.reader.readuntil(b"\r\n\r\n")

    assert (await until_billed(sandbox, "open"))["tokens"]["output"] < LONG_TOKENS
    end = b""
    while b"[DONE]" not in end:
        end = (end + await client.reader.read(2**20))[-100:]
    assert (await until_billed(sandbox, "completed"))["tokens"]["output"] == LONG_TOKENS


async def test_drop_closes_without_a_byte_and_bills_nothing(sandbox: Sandbox, client: Client):
    assert (await client.ask(x_sandbox_drop="reused")).status == 200
    client.writer.write(request(x_sandbox_drop="reused"))
    assert await client.rest() == b""

    fresh = await connect(sandbox)
    fresh.writer.write(request(x_sandbox_drop="always"))
    assert await fresh.rest() == b""
    await fresh.leave()
    assert sandbox.bill.totals().calls == 1


async def test_a_silent_close_follows_a_whole_answer(sandbox: Sandbox, client: Client):
    told = await client.ask(x_sandbox_close="silent")

    assert "connection" not in told.headers
    assert await client.rest() == b""
    assert (await until_billed(sandbox, "completed"))["tokens"]["output"] == 16


async def test_a_stall_says_no_more_and_stays(sandbox: Sandbox, client: Client):
    client.writer.write(request({**CHAT, "stream": True}, x_sandbox_stall_after_chunks="1"))
    await client.reader.readuntil(b"\n\n\r\n")

    assert (await until_billed(sandbox, "cut"))["tokens"]["output"] == 0
    assert not client.reader.at_eof()


async def test_broken_http_is_400_and_the_end(sandbox: Sandbox, client: Client):
    client.writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n")

    told = take_apart(await client.rest())
    assert (told.status, told.headers["connection"]) == (400, "close")
    assert sandbox.requests_count == 0


async def test_broken_http_behind_a_call_is_400_after_its_answer(sandbox: Sandbox, client: Client):
    client.writer.write(request(x_sandbox_delay_ms="20") + b"nonsense\r\n\r\n")

    assert (await client.answer()).status == 200
    assert take_apart(await client.rest()).status == 400
    assert sandbox.requests_count == 1
