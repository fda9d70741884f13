"""A disk that takes nothing any more, under a running gateway: nobody new is served, and nothing is lost."""

import json
import resource
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateways import Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import Child, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


def fill_disk(child: Child) -> None:
    """Every write of the process to a file fails from now on, as on a full disk, until `free_disk`."""
    _, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (1, hard))


def free_disk(child: Child) -> None:
    _, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (hard, hard))


def ask(gateway: Gateway, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", gateway.admin_port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    said = response.status, response.read().decode()
    connection.close()
    return said


class Client:
    """Calls with one key, each on a connection of its own."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        self._gateway, self._token = gateway, token
        self._connections: list[HTTPConnection] = []

    def call(self, *, stream: bool = False, **controls: Any) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self._gateway.port, timeout=10)
        self._connections.append(connection)
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        headers |= {f"x-sandbox-{name.replace('_', '-')}": str(value) for name, value in controls.items()}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return connection.getresponse()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def test_a_full_disk_refuses_new_calls_and_loses_none(tmp_path: Path, sandbox: str):
    with gateway_on(tmp_path / "data", sandbox_upstreams(sandbox)) as gateway:
        client = Client(gateway, gateway.add_key())
        child = gateway.spawn()
        gateway.listening(child)
        assert client.call().read()
        streaming = client.call(stream=True, tokens=30, chunk_delay_ms=20)
        assert streaming.readline()

        fill_disk(child)
        refused = client.call()
        assert (refused.status, refused.getheader("retry-after")) == (503, "5")
        assert json.loads(refused.read())["error"]["code"] == "journal_unavailable"
        status, said = ask(gateway, "/readyz")
        assert (status, list(json.loads(said)["wrong"])) == (503, ["journal"])
        assert ask(gateway, "/healthz")[0] == 200
        assert "lensai_journal_faults_total 0.0" not in ask(gateway, "/metrics")[1]
        # Who was admitted gets the whole answer.
        assert streaming.read().endswith(b"data: [DONE]\n\n")

        free_disk(child)
        wait_until(lambda: ask(gateway, "/readyz")[0] == 200, lambda: ask(gateway, "/readyz")[1])
        assert client.call().read()
        client.close()
        gateway.stop()
        records = gateway.journaled()
        told = Counter((record.outcome, record.refusal_code, record.tokens_out) for record in records)
        assert told == {("ok", "", 16): 2, ("ok", "", 30): 1, ("refused", "journal_unavailable", None): 1}
        assert len({record.request_id for record in records}) == len(records)


def test_what_a_full_disk_kept_out_at_the_stop_is_made_up_for_by_the_next_start(tmp_path: Path, sandbox: str):
    with gateway_on(tmp_path / "data", sandbox_upstreams(sandbox)) as gateway:
        client = Client(gateway, gateway.add_key())
        child = gateway.spawn()
        gateway.listening(child)
        streaming = client.call(stream=True, tokens=30, chunk_delay_ms=20)
        assert streaming.readline()
        fill_disk(child)
        assert client.call().status == 503
        streaming.read()
        client.close()
        gateway.stop()

        # What it could not write, the next start makes up for from the intent: the call is held, not forgotten.
        gateway.start()
        gateway.stop()
        (record,) = gateway.journaled()
        assert (record.outcome, record.provenance) == ("crashed", "held")
