"""What an operator does to a running gateway: keys, policies, watching it, stopping it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateways import PROJECT, Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import accepts, running, running_sandbox

MESSAGES = [{"role": "user", "content": "Hello"}]
# Less than the sweep's own interval: a change counts after two sweeps.
POLLS = {"LENSAI_POLICY_POLL_MS": "50"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture
def gateway(tmp_path: Path, sandbox: str) -> Iterator[Gateway]:
    """Running, with one key."""
    with gateway_on(tmp_path / "data", sandbox_upstreams(sandbox), POLLS) as configured:
        configured.token = configured.add_key()  # type: ignore[attr-defined]
        configured.start()
        yield configured


class Client:
    """One keep-alive connection with a key."""

    def __init__(self, gateway: Gateway, token: str = "") -> None:
        self._token = token or gateway.token  # type: ignore[attr-defined]
        self._connection = HTTPConnection("127.0.0.1", gateway.port, timeout=10)

    def begin(self, *, stream: bool = False, **controls: Any) -> HTTPResponse:
        """The answer, its head read."""
        body = json.dumps({"model": "gpt-4o-mini", "messages": MESSAGES, "stream": stream})
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        headers |= {f"x-sandbox-{name.replace('_', '-')}": str(value) for name, value in controls.items()}
        self._connection.request("POST", "/v1/chat/completions", body, headers)
        return self._connection.getresponse()

    def status(self) -> int:
        response = self.begin()
        response.read()
        return response.status

    def closed_by_gateway(self) -> bool:
        assert self._connection.sock
        self._connection.sock.settimeout(10)
        return self._connection.sock.recv(1) == b""

    def close(self) -> None:
        self._connection.close()


def status_of_a_call(gateway: Gateway) -> int:
    """On a connection of its own."""
    client = Client(gateway)
    status = client.status()
    client.close()
    return status


def lensai(gateway: Gateway, *words: str) -> str:
    """What a command on the gateway's directory says."""
    command = (sys.executable, "-m", "gateway", *words)
    done = subprocess.run(
        command, env={"LENSAI_DATA_DIR": str(gateway.data_dir)}, capture_output=True, check=True, text=True
    )
    return done.stdout


def admin(gateway: Gateway, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", gateway.admin_port, timeout=10)
    connection.request("GET", path)
    said = connection.getresponse().read().decode()
    connection.close()
    return said


def test_keys_made_and_revoked_count_at_once_in_the_running_gateway(gateway: Gateway):
    token = lensai(gateway, "keys", "create", "--project", PROJECT, "--name", "ci").strip()
    wait_until(lambda: '"version":2' in gateway.output(), gateway.output)
    client = Client(gateway, token)
    assert client.status() == 200

    (row,) = [line for line in lensai(gateway, "keys", "list").splitlines() if line.endswith("ci")]
    assert "active" in row
    assert token not in row
    lensai(gateway, "keys", "revoke", row.split()[0])
    wait_until(lambda: '"version":3' in gateway.output(), gateway.output)
    assert client.status() == 401
    assert status_of_a_call(gateway) == 200
    assert token not in gateway.output()
    client.close()
    gateway.stop()


def test_a_broken_file_changes_nothing_and_is_told_once(gateway: Gateway):
    good = gateway.config.read_text()
    gateway.config.write_text(good + "\n[upstreams.openai\n")
    wait_until(lambda: "policy_refused" in gateway.output(), gateway.output)
    client = Client(gateway)
    assert client.status() == 200
    assert "lensai_policy_refused 1.0" in admin(gateway, "/metrics")
    assert json.loads(admin(gateway, "/readyz")) == {"ok": True, "wrong": {}}
    # Looked at many times since, and told of once.
    gateway.signal(signal.SIGTERM)
    assert client.closed_by_gateway()
    client.close()
    gateway.stop()
    assert gateway.output().count("policy_refused") == 1

    # A restart serves what was kept.
    gateway.config.write_text(good.replace(f"[projects.{PROJECT}]", f"[projects.{PROJECT}]\nnaem = 1", 1))
    gateway.start()
    assert status_of_a_call(gateway) == 200
    gateway.config.write_text(good)
    wait_until(lambda: "lensai_policy_refused 0.0" in admin(gateway, "/metrics"), lambda: admin(gateway, "/metrics"))
    gateway.stop()


def test_sigterm_lets_a_stream_end_and_takes_nothing_new(gateway: Gateway):
    idle, busy = Client(gateway), Client(gateway)
    assert idle.status() == 200
    answer = busy.begin(stream=True, tokens=40, chunk_delay_ms=25)
    first = answer.readline()
    gateway.signal(signal.SIGTERM)
    assert idle.closed_by_gateway()
    assert not accepts(gateway.port)

    rest = answer.read()
    assert (first + rest).count(b'"content":') >= 40
    assert rest.endswith(b"data: [DONE]\n\n")
    gateway.stop()
    records = gateway.journaled()
    assert [(record.outcome, record.provenance) for record in records] == [("ok", "reported")] * 2
    assert records[1].tokens_out == 40
    idle.close()
    busy.close()


def test_a_stream_that_outlasts_the_shutdown_ends_with_an_error_event(tmp_path: Path, sandbox: str):
    brief = {"LENSAI_SHUTDOWN_TIMEOUT_MS": "50"}
    with gateway_on(tmp_path / "data", sandbox_upstreams(sandbox), brief) as gateway:
        token = gateway.add_key()
        gateway.start()
        client = Client(gateway, token)
        answer = client.begin(stream=True, stall_after_chunks=2)
        first = answer.readline()
        gateway.signal(signal.SIGTERM)
        assert first.startswith(b"data: {")
        assert b'"code":"shutting_down"' in answer.read()
        gateway.stop()
        (record,) = gateway.journaled()
        assert (record.outcome, record.status, record.refusal_code) == ("cancelled", 200, "shutting_down")
        assert record.provenance == "estimated"
        client.close()


def test_tail_shows_a_call_soon_after_its_end(gateway: Gateway):
    command = (sys.executable, "-m", "gateway", "tail", "--json")
    with running(command, {"LENSAI_DATA_DIR": str(gateway.data_dir)}) as tail:
        client = Client(gateway)
        # It shows what ends from its start on, and does not say when that is.
        tail.wait_until(lambda: client.status() == 200 and "\n" in tail.output(), "showing the first call")
        shown = tail.output().count("\n")
        answer = client.begin(tokens=7)
        answer.read()
        tail.wait_until(lambda: tail.output().count("\n") > shown and '"tokens_out":7' in tail.output(), "", 20.0)
        line = json.loads(next(line for line in tail.output().splitlines() if '"tokens_out":7' in line))
        assert line["request_id"] == answer.getheader("x-lensai-request-id")
        assert (line["outcome"], line["provenance"]) == ("ok", "reported")
        tail.send(signal.SIGINT)
        assert tail.wait() == 0
        client.close()
