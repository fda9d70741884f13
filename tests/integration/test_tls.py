"""TLS on both sides of a real gateway: callers verify it, and it verifies its provider."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest

from gateway.contract.record import Record
from tests.support.certificates import Authority
from tests.support.gateways import PROVIDER_KEY, Gateway, gateway_on, port_of, wait_until
from tests.support.processes import running_sandbox

MESSAGES = [{"role": "user", "content": "Hello"}]


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


@contextmanager
def tls_in_front_of(port: int, cert_file: Path, key_file: Path) -> Iterator[int]:
    """Terminates TLS for a plain server on the port, in a thread; gives its own port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert_file, key_file)
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    async def start() -> asyncio.Server:
        # A refused handshake is what some tests are about.
        loop.set_exception_handler(lambda _loop, _context: None)
        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:

        async def stop() -> None:
            server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Gateway]:
    """TLS towards callers; its upstreams reach one sandbox through certificates of every kind."""
    directory = tmp_path_factory.mktemp("gateway")
    cert_file, key_file = authority.issue("127.0.0.1")
    stranger = Authority(authority.ca_file.parent, "stranger")
    tls = {"LENSAI_TLS_CERT_FILE": str(cert_file), "LENSAI_TLS_KEY_FILE": str(key_file)}
    with (
        running_sandbox() as sandbox,
        tls_in_front_of(port_of(sandbox), cert_file, key_file) as good,
        tls_in_front_of(port_of(sandbox), *authority.issue("elsewhere.example")) as misnamed,
        tls_in_front_of(port_of(sandbox), *stranger.issue("127.0.0.2")) as unknown,
        gateway_on(
            directory,
            upstream("good", good, f'ca_file = "{authority.ca_file}"')
            + upstream("misnamed", misnamed, f'ca_file = "{authority.ca_file}"')
            + upstream("untrusted", good)
            + upstream("trusting", unknown, "tls_verify = false"),
            tls,
        ) as running,
    ):
        running.token = running.add_key()  # type: ignore[attr-defined]
        running.start()
        yield running
        running.stop()


def upstream(name: str, port: int, more: str = "") -> str:
    return (
        f'[credentials.{name}]\nsecret = "{PROVIDER_KEY}"\n'
        f'[upstreams.{name}]\nprovider = "openai"\norigin = "https://127.0.0.1:{port}"\n'
        f'credential_id = "{name}"\n{more}\n'
    )


@contextmanager
def client(gateway: Gateway, authority: Authority, name: str) -> Iterator[openai.OpenAI]:
    trusting = httpx.Client(verify=ssl.create_default_context(cafile=str(authority.ca_file)))
    base_url = f"https://127.0.0.1:{gateway.port}/{name}/v1"
    token = gateway.token  # type: ignore[attr-defined]
    with openai.OpenAI(base_url=base_url, api_key=token, max_retries=0, http_client=trusting) as opened:
        yield opened


def record_of(gateway: Gateway, response: httpx.Response) -> Record:
    """The record of a call, which is written a moment after its answer is out."""
    found: list[Record] = []

    def written() -> bool:
        id = response.headers["x-lensai-request-id"]
        found[:] = [record for record in gateway.journaled() if record.request_id == id]
        return bool(found)

    wait_until(written, lambda: "no record")
    return found[0]


@pytest.mark.parametrize("name", ["good", "trusting"])
def test_a_stream_is_tls_on_both_sides(gateway: Gateway, authority: Authority, name: str):
    with client(gateway, authority, name) as api:
        stream = api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        again = api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert text == again.choices[0].message.content
    record = record_of(gateway, stream.response)
    assert (record.outcome, record.upstream, record.provenance) == ("ok", name, "reported")
    assert record.tokens_out == again.usage.completion_tokens


@pytest.mark.parametrize("name", ["misnamed", "untrusted"])
def test_a_provider_that_cannot_prove_its_name_is_sent_nothing(gateway: Gateway, authority: Authority, name: str):
    with client(gateway, authority, name) as api, pytest.raises(openai.InternalServerError) as refusal:
        api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert refusal.value.status_code == 502
    assert refusal.value.code == "upstream_unreachable"
    record = record_of(gateway, refusal.value.response)
    assert (record.outcome, record.upstream, record.upstream_status) == ("upstream_error", name, 0)
    assert record.tokens_in is None

    said = next(json.loads(line) for line in gateway.output().splitlines() if record.request_id in line)
    assert (said["event"], said["upstream"], said["code"]) == ("upstream_error", name, "upstream_unreachable")


def test_who_does_not_trust_the_gateway_gets_nothing_from_it(gateway: Gateway):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{gateway.port}/good/v1/models")


def test_who_speaks_plainly_is_hung_up_on(gateway: Gateway, authority: Authority):
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://127.0.0.1:{gateway.port}/good/v1/models")
    with client(gateway, authority, "good") as api:
        assert api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES).usage
