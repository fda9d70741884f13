"""`lensai up` as a newcomer meets it: an empty directory, what is printed, a first call, Ctrl-C."""

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import openai
import pyarrow.parquet as parquet
import pytest

from gateway.journal.frame import crc32c, header
from tests.support.children import alive, children
from tests.support.gateways import PROVIDER_KEY, wait_until
from tests.support.processes import Child, running, running_sandbox

SETTINGS = {
    "LENSAI_LISTEN_PORT": "0",
    "LENSAI_ADMIN_PORT": "0",
    "LENSAI_LOG_FORMAT": "json",
    "LENSAI_CONTROL_LISTEN_PORT": "0",
}
GATEWAY, LAKE, CONTROL_PLANE = "gateway --worker 0", "lake", "control-plane"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@contextmanager
def up(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Child]:
    command = (sys.executable, "-m", "gateway", "up")
    with running(command, {**SETTINGS, **(settings or {})}, cwd=directory) as child:
        try:
            yield child
        finally:
            if child.returncode is None:
                child.stop(timeout_s=20.0)


def wait_for_event(child: Child, event: str, times: int) -> None:
    child.wait_until(lambda: child.output().count(f'"event":"{event}"') >= times, f"{event} for the {times}. time")


def printed_base_url(child: Child) -> str:
    found = re.search(r'^export OPENAI_BASE_URL="(.+)"$', child.output(), re.MULTILINE)
    assert found, child.output()
    return found[1]


def call(base_url: str) -> str:
    """One call with the client's own provider key; the id of its record."""
    messages = [{"role": "user", "content": "Hello"}]
    with openai.OpenAI(base_url=base_url, api_key=PROVIDER_KEY, max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=messages)
        assert raw.parse().usage.completion_tokens == 16
        return raw.headers["x-lensai-request-id"]


def landed_ids(directory: Path) -> list[str]:
    return [
        row["request_id"]
        for path in (directory / ".lensai/lake").glob("landing/dt=*/*.parquet")
        for row in parquet.ParquetFile(path).read(["request_id"]).to_pylist()
    ]


def test_from_an_empty_directory_to_a_landed_call(tmp_path: Path, sandbox: str):
    with up(tmp_path) as first:
        wait_for_event(first, "listening", 2)
        assert len(re.findall(r"^LensAI is at http://127\.0\.0\.1:\d+$", first.output(), re.MULTILINE)) == 1
        config = tmp_path / ".lensai/lensai.toml"
        assert (config.parent.stat().st_mode & 0o777, config.stat().st_mode & 0o777) == (0o700, 0o600)

        base_url = printed_base_url(first)
        with config.open("a") as file:
            file.write(f'\n[upstreams.openai]\norigin = "{sandbox}"\n')
        wait_for_event(first, "policy_in_force", 2)
        ids = [call(base_url) for _ in range(3)]

        # At once, while the last segment is not yet old enough to be sealed.
        family = children(first.pid)
        assert family.keys() == {GATEWAY, LAKE, CONTROL_PLANE}
        first.send(signal.SIGINT)
        assert first.wait(20.0) == 0
        assert [pid for pid in family.values() if alive(pid)] == []
        assert sorted(landed_ids(tmp_path)) == sorted(ids)
        assert list((tmp_path / ".lensai/journal").glob("*/*.seg")) == []
        assert list((tmp_path / ".lensai/journal").glob("*/*.open")) == []
        token = re.search(r"lk-[\w-]+", base_url)[0]  # type: ignore[index]
        assert token not in config.read_text()
        assert token not in first.output().partition('"event"')[2]

    with up(tmp_path) as second:
        wait_for_event(second, "listening", 2)
        assert "lk-" not in second.output()
        assert second.output().count("LensAI is at ") == 1
        ids.append(call(printed_base_url(second).replace("YOUR-LENSAI-KEY", token)))

        assert second.stop(20.0) == 0
        assert sorted(landed_ids(tmp_path)) == sorted(ids)


def test_what_dies_is_restarted_and_no_call_is_lost(tmp_path: Path, sandbox: str):
    with up(tmp_path) as running_up:
        wait_for_event(running_up, "listening", 2)
        base_url = printed_base_url(running_up)
        with (tmp_path / ".lensai/lensai.toml").open("a") as file:
            file.write(f'\n[upstreams.openai]\norigin = "{sandbox}"\n')
        wait_for_event(running_up, "policy_in_force", 2)
        before = call(base_url)

        family = children(running_up.pid)
        for pid in family.values():
            os.kill(pid, signal.SIGKILL)
        wait_for_event(running_up, "process_died", 3)
        wait_for_event(running_up, "listening", 4)
        running_up.wait_until(lambda: children(running_up.pid).keys() == family.keys(), "complete again")
        after = call(base_url)
        wait_until(lambda: len(landed_ids(tmp_path)) == 2, lambda: f"landed: {landed_ids(tmp_path)}")

        assert running_up.stop(20.0) == 0
        assert sorted(landed_ids(tmp_path)) == sorted([before, after])


# What keeps it from starting: each is told once, in one message, and nothing is left running.


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A directory with a file that could serve."""
    data_dir = tmp_path / ".lensai"
    data_dir.mkdir(mode=0o700)
    digest = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
    keys = f'[projects.web]\n[[keys]]\nid = "ci"\nproject_id = "web"\nsha256 = "{digest}"\n'
    (data_dir / "lensai.toml").write_text(keys)
    return tmp_path


def assert_does_not_start(directory: Path, message: str, settings: Mapping[str, str] | None = None) -> None:
    with up(directory, settings) as child:
        assert child.wait(20.0) == 2, child.output()
        said = child.output()
    # All that is said besides the welcome and what went well until then.
    complaints = [line for line in said.splitlines() if line.startswith("lensai ") or '"level":"error"' in line]
    assert len(complaints) == 1, said
    assert re.search(message, complaints[0]), said
    assert "Traceback" not in said


@pytest.mark.parametrize("setting", ["listen_port", "admin_port"])
def test_a_port_in_use(configured: Path, setting: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = rf"lensai gateway: cannot listen on 127\.0\.0\.1:{port} \(.*{setting}\): Address already in use"
        assert_does_not_start(configured, message, {f"LENSAI_{setting.upper()}": str(port)})


def test_a_journal_that_another_gateway_holds(configured: Path):
    with running((sys.executable, "-m", "gateway", "gateway"), SETTINGS, cwd=configured) as first:
        wait_for_event(first, "listening", 1)
        assert_does_not_start(configured, rf"worker-0 is in use by the process with pid {first.pid}")
        assert first.stop() == 0


def test_a_journal_of_a_later_version(configured: Path):
    lead = header()[:8] + (99).to_bytes(2, "little") + bytes(2)
    segment = configured / ".lensai/journal/worker-0/node1-00000001-00000001.open"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(lead + crc32c(lead).to_bytes(4, "little"))
    assert_does_not_start(configured, r"lensai gateway: segment format 99 is newer than \d")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[projects.web]\nname = \n", r"lensai up: lensai\.toml.* not TOML: .*line 2"),
        (b"[projects.\xff]", r"lensai up: .*lensai\.toml is not UTF-8 text"),
        (b"[settings]\nlisten_prot = 1\n", r"lensai up: lensai\.toml line \d+: .*the nearest is listen_port"),
        (b'[upstreams.openai]\norigni = "http://x"\n', r"lensai gateway: lensai\.toml line 2: .*orig"),
    ],
)
def test_a_mistake_in_the_file(tmp_path: Path, content: bytes, message: str):
    (tmp_path / ".lensai").mkdir(mode=0o700)
    (tmp_path / ".lensai/lensai.toml").write_bytes(content)
    assert_does_not_start(tmp_path, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"lensai gateway: cannot read .*tls\.pem \(.*\): No such file or directory"),
        ("no certificate", r"lensai gateway: .*tls\.pem.* are not a PEM certificate and its key"),
    ],
)
def test_tls_files_that_cannot_be_used(configured: Path, content: str | None, message: str):
    file = configured / "tls.pem"
    if content is not None:
        file.write_text(content)
    assert_does_not_start(configured, message, {"LENSAI_TLS_CERT_FILE": str(file), "LENSAI_TLS_KEY_FILE": str(file)})


def test_a_lake_that_is_none(configured: Path):
    assert_does_not_start(configured, "lensai lake: not a store", {"LENSAI_LAKE_URL": "gopher://lake"})


def test_a_directory_that_cannot_be_made(tmp_path: Path):
    (tmp_path / ".lensai").write_text("in the way")
    assert_does_not_start(tmp_path, r"lensai up: cannot (write|read) \.lensai/lensai\.toml: ")
