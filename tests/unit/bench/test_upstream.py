import asyncio

from bench import exchange, upstream


async def _conversation(*requests: bytes) -> bytes:
    """What comes back on one connection, to one request after the other."""
    server = await upstream.listen(0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = b""
        for request in requests:
            writer.write(request)
            answers += await _answer(reader)
        writer.close()
        await writer.wait_closed()
    return answers


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        return head + await reader.readuntil(b"\r\n0\r\n\r\n")
    return head + await reader.readexactly(len(exchange.ANSWER))


async def test_a_connection_answers_json_and_streams_in_turn() -> None:
    whole = exchange.json_request("h", "/v1/chat/completions", "k")
    stream = exchange.stream_request("h", "/v1/chat/completions", "k", events=2, interval_us=0, ask_usage=True)
    answers = await _conversation(whole, stream, whole)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answers.count(exchange.ANSWER) == 2
    assert answers.count(b'"content":" at ') == 2
    assert answers.count(b'"usage":{') == 3
    assert answers.count(b"data: [DONE]\n\n") == 1


async def test_every_event_is_a_chunk_of_its_own() -> None:
    stream = exchange.stream_request("h", "/", "k", events=3, interval_us=1000, ask_usage=False)
    _, _, body = (await _conversation(stream)).partition(b"\r\n\r\n")
    chunks = [chunk.partition(b"\r\n")[2] for chunk in body.removesuffix(b"0\r\n\r\n").split(b"\n\n\r\n")[:-1]]
    assert [chunk.count(b"data: ") for chunk in chunks] == [1, 1, 1, 2]


async def test_a_client_that_leaves_stops_its_stream() -> None:
    server = await upstream.listen(0)
    async with server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(exchange.stream_request("h", "/", "k", events=10**9, interval_us=100, ask_usage=False))
        await writer.drain()
        writer.transport.abort()
    # Closing waits for every connection; a stream that ran on would hold it for a day.
