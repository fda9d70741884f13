"""One worker's life in the test's own event loop: ready, reloading, draining, and the machine in its way."""

import asyncio
import json
import os
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from gateway.connect import outbound
from gateway.faults import GatewayFault
from gateway.server import Server
from gateway.settings import Settings
from tests.support.data_plane import (
    Gateway,
    Wire,
    answer,
    call,
    chunk,
    policy,
    provider,
    serving,
    stream_head,
    until,
    upstreams_at,
)

BODY = b'{"model":"gpt-4o-mini","stream":true}'
CHAT = "/v1/chat/completions"
NO_PROVIDER = policy(upstreams_at(1, "openai"))
EVENT = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'


def transparent(port: int) -> str:
    return policy(upstreams_at(port, "openai"), 'mode = "transparent"')


async def ask(caplog: pytest.LogCaptureFixture, path: str) -> tuple[int, str]:
    """Status and body of a page of the admin listener."""
    port = next(vars(record)["admin_port"] for record in caplog.records if record.getMessage() == "listening")

    def get() -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        said = response.status, response.read().decode()
        connection.close()
        return said

    return await asyncio.to_thread(get)


async def wrong(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    return json.loads((await ask(caplog, "/readyz"))[1])["wrong"]


async def test_it_is_ready_once_it_listens_and_not_while_it_drains(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with provider() as there, serving(tmp_path, transparent(there.port)) as gateway:
        assert await wrong(caplog) == {}
        client = await gateway.client()
        client.send(call(CHAT, BODY))
        wire, _ = await there.called()
        gateway.begin_stop()
        await until(lambda: gateway.server.draining)

        assert await wrong(caplog) == {"server": "draining"}
        assert (await ask(caplog, "/healthz"))[0] == 200
        assert "lensai_inflight_requests 1.0" in (await ask(caplog, "/metrics"))[1]
        wire.send(answer(b"{}"))
        assert (await client.message()).status == 200
        await gateway.stopped()


async def test_without_a_key_it_is_not_ready(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with serving(tmp_path, "[projects.web]\n"):
        assert await wrong(caplog) == {"policy": "no keys: `lensai keys create` makes one"}


async def test_a_drain_lets_a_stream_end_and_closes_what_is_idle(tmp_path: Path):
    async with provider() as there, serving(tmp_path, transparent(there.port), shutdown_timeout_ms=60_000) as gateway:
        idle, busy = await gateway.client(), await gateway.client()
        idle.send(call("/v1/models", token="lk-wrong"))
        assert (await idle.message()).status == 401
        busy.send(call(CHAT, BODY))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT))
        await busy.until(b"Hello")

        gateway.begin_stop()
        await idle.closed()
        with pytest.raises(ConnectionError):
            await gateway.client()
        wire.send(chunk(b"data: [DONE]\n\n"), chunk(b""))
        assert (await busy.rest()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        (record,) = await gateway.stopped()
        assert (record.outcome, record.status, record.refusal_code) == ("ok", 200, "")


async def test_an_answer_in_the_drain_is_the_last_of_its_connection(tmp_path: Path):
    async with provider() as there, serving(tmp_path, transparent(there.port), shutdown_timeout_ms=60_000) as gateway:
        first, second = await gateway.client(), await gateway.client()
        wires = []
        for client in (first, second):
            client.send(call(CHAT, BODY))
            wires.append((await there.called())[0])
        gateway.begin_stop()
        await until(lambda: gateway.server.draining)
        wires[0].send(answer(b"{}"))
        assert (await first.message()).header(b"connection") == b"close"
        await first.closed()

        wires[1].send(answer(b"{}"))
        assert (await second.message()).status == 200
        assert len(await gateway.stopped()) == 2


async def test_what_outlasts_the_drain_is_told_so_and_recorded(tmp_path: Path):
    async with provider() as there, serving(tmp_path, transparent(there.port), shutdown_timeout_ms=1) as gateway:
        streaming, waiting = await gateway.client(), await gateway.client()
        streaming.send(call(CHAT, BODY))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT))
        await streaming.until(b"Hello")
        waiting.send(call(CHAT, BODY))
        await there.called()

        gateway.begin_stop()
        told = await streaming.rest()
        assert b'"code":"shutting_down"' in told
        assert told.endswith(b"\r\n0\r\n\r\n")
        refused = await waiting.message()
        assert (refused.status, refused.header(b"connection")) == (503, b"close")
        records = await gateway.stopped()
        assert [(record.outcome, record.refusal_code) for record in records] == [("cancelled", "shutting_down")] * 2
        assert sorted(record.status for record in records) == [200, 503]


async def test_a_hangup_reads_the_policy_at_once(tmp_path: Path):
    async with serving(tmp_path, NO_PROVIDER, policy_poll_ms=3_600_000) as gateway:
        (tmp_path / "lensai.toml").write_text(policy(upstreams_at(1, "openai"), token="lk-other"))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: policy_version(gateway) == 2)
        client = await gateway.client()
        client.send(call("/v1/models"))
        assert (await client.message()).status == 401


def policy_version(gateway: Gateway) -> int:
    return gateway.server._policy.current.policy.version


async def test_a_sigterm_ends_it(tmp_path: Path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        os.kill(os.getpid(), signal.SIGTERM)
        assert await gateway.stopped() == []


# What is in its way at the start: one fault, with what to mend in it.


def server(directory: Path, **settings: Any) -> Server:
    (directory / "lensai.toml").write_text(NO_PROVIDER)
    values: dict[str, Any] = {"listen_port": 0, "admin_port": 0} | settings
    return Server(Settings(data_dir=str(directory), **values), {"LENSAI_DATA_DIR": str(directory)}, 0)


@pytest.mark.parametrize("setting", ["listen_port", "admin_port"])
async def test_a_port_in_use_is_named_and_the_journal_let_go(tmp_path: Path, setting: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        blocked = server(tmp_path, **{setting: port})
        with pytest.raises(
            GatewayFault, match=rf"^cannot listen on 127\.0\.0\.1:{port} \(.*{setting}\): Address already"
        ):
            await blocked.run()
    again = server(tmp_path)
    again.stop()
    await again.run()


async def test_an_admin_port_beyond_the_last_is_a_fault(tmp_path: Path):
    (tmp_path / "lensai.toml").write_text(NO_PROVIDER)
    settings = Settings(data_dir=str(tmp_path), listen_port=0, admin_port=65_535, workers=2)
    second = Server(settings, {"LENSAI_DATA_DIR": str(tmp_path)}, 1)
    with pytest.raises(GatewayFault, match=r"cannot listen on 127\.0\.0\.1:65536"):
        await second.run()


async def test_a_journal_in_use_is_a_fault(tmp_path: Path):
    async with serving(tmp_path, NO_PROVIDER):
        with pytest.raises(GatewayFault, match=f"in use by the process with pid {os.getpid()}"):
            server(tmp_path)


async def test_a_journal_that_cannot_be_written_is_a_fault(tmp_path: Path):
    (tmp_path / "journal").write_text("in the way")
    with pytest.raises(GatewayFault, match=r"^cannot write the journal in .*worker-0: Not a directory$"):
        server(tmp_path)


async def test_a_tls_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(GatewayFault, match=r"^cannot read /nowhere/key.pem"):
        server(tmp_path, tls_cert_file=str(tmp_path / "lensai.toml"), tls_key_file="/nowhere/key.pem")


@pytest.mark.parametrize(
    ("host", "reached_by"), [("::1", ["::1"]), ("::", ["::1", "127.0.0.1"]), ("127.0.0.1", ["127.0.0.1"])]
)
async def test_it_listens_on_either_family_or_on_both(tmp_path: Path, host: str, reached_by: list[str]):
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    async with provider() as there:
        hosts = {"listen_host": host, "admin_host": host}
        async with serving(tmp_path, transparent(there.port), **hosts) as gateway:
            for address in reached_by:
                for port, path in ((gateway.port, "/v1/models"), (gateway.admin_port, "/healthz")):
                    wire = Wire(*await asyncio.open_connection(address, port))
                    wire.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                    assert (await wire.message()).status in (200, 401)
                    wire.close()


async def test_a_proxy_s_files_that_cannot_be_used_stop_the_start(tmp_path: Path):
    (tmp_path / "lensai.toml").write_text(NO_PROVIDER)
    file = tmp_path / "proxy.txt"
    proxied = {"data_dir": str(tmp_path), "outbound_proxy": "https://proxy.example:3128"}
    for setting, content in (
        ({"outbound_proxy_credential_file": str(file)}, None),
        ({"outbound_proxy_credential_file": str(file)}, b"hunter2"),
        ({"outbound_proxy_credential_file": str(file)}, b"\xff"),
        ({"outbound_proxy_ca_file": str(file)}, b"hunter2"),
    ):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(GatewayFault) as fault:
            outbound(Settings(**proxied, **setting))
        assert str(fault.value).startswith(next(iter(setting)))
        assert "hunter2" not in str(fault.value)


async def test_a_proxy_s_file_that_is_bad_on_reload_leaves_the_old_one_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "proxy.txt"
    file.write_text("user:hunter2")
    setting = {"outbound_proxy": "http://proxy.example:3128", "outbound_proxy_credential_file": str(file)}
    async with serving(tmp_path, NO_PROVIDER, **setting) as gateway:
        before = gateway.server._connector.outbound
        file.write_text("nothing")
        gateway.reload()
        assert gateway.server._connector.outbound == before
        assert "outbound_proxy_kept" in caplog.messages


async def test_workers_without_a_common_ledger_say_which_quotas_refuse_every_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    alert = '[[quotas]]\nid = "soft"\nunit = "requests"\nlimit = 1\naction = "alert"\n'
    block = '[[quotas]]\nid = "hard"\nunit = "requests"\nlimit = 1\n'

    def told() -> list[str]:
        lines = [record for record in caplog.records if record.getMessage() == "quotas_refuse_every_call"]
        assert all("ledger_url" in vars(line)["problem"] and "workers to 1" in vars(line)["problem"] for line in lines)
        return [vars(line)["quotas"] for line in lines]

    async with serving(tmp_path, NO_PROVIDER + alert + block, workers=2) as gateway:
        assert told() == ["hard"]
        gateway.reload(NO_PROVIDER + alert)
        assert told() == ["hard"]
        gateway.reload(NO_PROVIDER + alert + block.replace("hard", "harder"))
        assert told() == ["hard", "harder"]
    caplog.clear()
    async with serving(tmp_path, NO_PROVIDER + alert + block):
        assert told() == []
