"""Two workers on one port: both serve, each with a journal and an admin listener of its own, one lake behind them."""

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from gateway.cli.keys import mint, toml_block
from tests.support.children import children
from tests.support.gateways import PROJECT, sandbox_upstreams, wait_until
from tests.support.processes import Child, free_port, running, running_sandbox

BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]})
# The kernel deals connections by a hash of their ports: that one worker of two gets none of so many is
# less likely than a broken machine.
CONNECTIONS = 64

# A worker's line; the control plane beside it listens too.
_LISTENING = re.compile(r'"event":"listening".*"worker":\d')


class Up:
    """`lensai up` with two workers, and what it says of itself."""

    def __init__(self, child: Child, data_dir: Path, port: int, token: str) -> None:
        self.child, self.port = child, port
        self._data_dir, self._token = data_dir, token

    def listening(self) -> dict[int, int]:
        """Worker -> the admin port it said last."""
        said = [json.loads(line) for line in self.child.output().splitlines() if _LISTENING.search(line)]
        assert {line["port"] for line in said} <= {self.port}
        return {line["worker"]: line["admin_port"] for line in said}

    def wait_for_listening(self, times: int) -> None:
        self.child.wait_until(lambda: len(_LISTENING.findall(self.child.output())) == times, f"listening {times}")

    def call(self) -> str:
        """A call on a connection of its own; the id of its record."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", BODY, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        connection.close()
        id = response.getheader("x-lensai-request-id")
        assert id
        return id

    def landed(self) -> list[tuple[str, str]]:
        """The id of each row, and the node that wrote it."""
        return [
            (row["request_id"], path.name.split("-")[0])
            for path in (self._data_dir / "lake").glob("landing/dt=*/*.parquet")
            for row in parquet.ParquetFile(path).read(["request_id"]).to_pylist()
        ]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    minted, port = mint(PROJECT), free_port()
    with running_sandbox() as sandbox:
        config = f"[projects.{PROJECT}]\n{sandbox_upstreams(sandbox)}\n{toml_block(minted.key)}"
        (tmp_path / "lensai.toml").write_text(config)
        settings = {"DATA_DIR": str(tmp_path), "WORKERS": "2", "LISTEN_PORT": str(port), "ADMIN_PORT": "0"}
        env = {f"LENSAI_{name}": value for name, value in settings.items()} | {"LENSAI_LOG_FORMAT": "json"}
        env |= {"LENSAI_CONTROL_LISTEN_PORT": "0"}
        with running((sys.executable, "-m", "gateway", "up"), env) as child:
            started = Up(child, tmp_path, port, minted.token)
            started.wait_for_listening(2)
            yield started
            if child.returncode is None:
                assert child.stop(20.0) == 0, child.output()


def test_both_serve_and_the_lake_lands_both(up: Up, tmp_path: Path):
    ids = [up.call() for _ in range(CONNECTIONS)]
    assert {path.name for path in (tmp_path / "journal").iterdir()} >= {"worker-0", "worker-1"}
    admin_ports = up.listening()
    assert admin_ports.keys() == {0, 1}
    served = [served_by(port) for port in admin_ports.values()]
    assert sum(served) == CONNECTIONS
    assert min(served) > 0

    assert up.child.stop(20.0) == 0
    landed = up.landed()
    assert sorted(id for id, _ in landed) == sorted(ids)
    assert sorted(Counter(node for _, node in landed).values()) == sorted(served)


def served_by(admin_port: int) -> int:
    """How many calls this worker's own metrics count."""
    connection = HTTPConnection("127.0.0.1", admin_port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("lensai_requests_total{"))


def test_when_one_is_killed_the_other_serves_and_it_comes_back(up: Up):
    family = children(up.child.pid)
    os.kill(family["gateway --worker 0"], signal.SIGKILL)
    up.child.wait_for_output('"event":"process_died","child":"gateway-0","code":-9')
    ids = [up.call() for _ in range(8)]

    up.wait_for_listening(3)
    after = children(up.child.pid)
    assert after["gateway --worker 1"] == family["gateway --worker 1"]
    assert after["gateway --worker 0"] != family["gateway --worker 0"]
    ids += [up.call() for _ in range(8)]
    wait_until(lambda: len(up.landed()) == len(ids), lambda: f"{len(up.landed())} of {len(ids)} landed")
    assert sorted(id for id, _ in up.landed()) == sorted(ids)
