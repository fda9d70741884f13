"""Owns a real gateway for end-to-end tests: its policy, its processes on one data directory, what they recorded."""

import contextlib
import json
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from gateway.cli.keys import mint, toml_block
from gateway.contract.policy import Mode
from gateway.contract.record import Record, decode_record
from gateway.journal.reader import OPEN, SegmentReader, sealed, workers
from tests.support.processes import Child

PROVIDER_KEY = "sandbox-key"
PROJECT = "shop"
AWS_SECRET = "AKIASANDBOX:sandbox-secret-key"
# The upstreams that one sandbox stands for, by `SdkCall.dialect`, and what their tables hold beside an origin.
UPSTREAMS: dict[str, str] = {
    **dict.fromkeys(("openai", "azure", "anthropic", "gemini", "vertex", "mistral", "groq", "cohere", "together"), ""),
    **dict.fromkeys(("deepseek", "xai", "openrouter", "perplexity", "cerebras", "moonshot", "zai", "voyage"), ""),
    **dict.fromkeys(("ollama", "vllm"), ""),
    "llama.cpp": 'provider = "llamacpp"',
    "bedrock": 'region = "us-east-1"',
    "anthropic.below": 'provider = "anthropic"\nbase_path = "/anthropic"',
}

# Short, so that a test does not wait for a landing: a record is in Parquet some 600 ms after its call.
SETTINGS = {
    "LENSAI_LISTEN_PORT": "0",
    "LENSAI_ADMIN_PORT": "0",
    "LENSAI_LOG_FORMAT": "json",
    "LENSAI_LOG_LEVEL": "debug",
    "LENSAI_SEGMENT_AGE_MS": "300",
    "LENSAI_JOURNAL_SYNC_MS": "50",
    "LENSAI_LAKE_POLL_MS": "50",
}
# Landing takes less than a second; many of those on a busy machine.
LANDING_TIMEOUT_S = 20.0
POLL_S = 0.02


@dataclass(frozen=True)
class Row:
    """One event as Parquet holds it: the columns by name, and when its file was written."""

    columns: dict[str, Any]
    landed_ns: int

    def __getitem__(self, column: str) -> Any:
        return self.columns[column]

    @property
    def cost_nanousd(self) -> int | None:
        cost = self["cost_usd"]
        return None if cost is None else int(cost.scaleb(9))

    @property
    def ts_ns(self) -> int:
        at = self["ts"]
        return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000


class Gateway:
    """One data directory with its policy, and the `lensai` processes that run on it."""

    def __init__(self, data_dir: Path, upstreams: str, settings: Mapping[str, str] | None = None) -> None:
        """`upstreams` is the policy's TOML but for projects and keys."""
        self.data_dir = data_dir
        self._env = {**SETTINGS, "LENSAI_DATA_DIR": str(data_dir), **(settings or {})}
        self._gateway: Child | None = None
        self._lake: Child | None = None
        self._children: list[Child] = []
        self._said = ""  # by processes that were killed
        self._read: dict[Path, list[Row]] = {}
        self.port = self.admin_port = 0
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config.write_text(f"[projects.{PROJECT}]\n{upstreams}\n")
        self.config.chmod(0o600)

    @property
    def config(self) -> Path:
        return self.data_dir / "lensai.toml"

    @property
    def journal(self) -> Path:
        return self.data_dir / "journal"

    @property
    def lake(self) -> Path:
        return self.data_dir / "lake"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_key(self, mode: Mode = "metered", more: str = "") -> str:
        """A new key's token; `more` is further fields of its table. Before `start`, or it takes a poll to be known."""
        minted = mint(PROJECT, mode=mode)
        with self.config.open("a") as file:
            file.write(toml_block(minted.key) + more + "\n")
        return minted.token

    # Processes.

    def spawn(self) -> Child:
        """A gateway process that may not be ready yet."""
        self._gateway = self._start("gateway")
        return self._gateway

    def start(self) -> None:
        """A gateway process, listening."""
        self.listening(self.spawn())

    def listening(self, child: Child) -> None:
        """Waits until it listens and takes note of where. Raises NotReady."""
        said = json.loads(child.wait_for_output('"event":"listening"'))
        self.port, self.admin_port = said["port"], said["admin_port"]

    def start_lake(self) -> Child:
        self._lake = self._start("lake")
        return self._lake

    def stop(self) -> None:
        """SIGTERM to the gateway, which must end with 0."""
        assert self._gateway is not None
        assert self._gateway.stop() == 0, self._gateway.output()

    def signal(self, number: signal.Signals) -> None:
        assert self._gateway is not None
        self._gateway.send(number)

    def kill(self) -> None:
        """SIGKILL to the gateway."""
        assert self._gateway is not None
        self._kill(self._gateway)

    def kill_lake(self) -> None:
        assert self._lake is not None
        self._kill(self._lake)

    def close(self) -> None:
        for child in self._children:
            child.close()

    def ask_admin(self, path: str) -> bytes:
        """What its admin listener answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/{path}") as answer:
            return answer.read()

    def output(self) -> str:
        """All that any of its processes wrote."""
        return self._said + "".join(child.output() for child in self._children)

    def _kill(self, child: Child) -> None:
        child.kill()
        self._said += child.output()
        self._children.remove(child)
        child.close()

    def _start(self, command: str) -> Child:
        child = Child((sys.executable, "-m", "gateway", command), self._env)
        self._children.append(child)
        return child

    # What was recorded.

    def journaled(self) -> list[Record]:
        """The ends of calls that are in the journal and have not landed."""
        records: list[Record] = []
        for segment in self.segments():
            with contextlib.suppress(FileNotFoundError):  # sealed or landed since it was listed
                records += [decode_record(payload) for _, payload in SegmentReader(segment).finals()]
        return records

    def segments(self) -> list[Path]:
        """What is in the journal and has not landed."""
        return [
            segment
            for worker in workers(self.journal)
            for segment in (*sealed(worker), *worker.glob("*" + OPEN), *worker.glob("quarantine/*"))
        ]

    def rows(self) -> list[Row]:
        """Every row that has landed, oldest first."""
        for path in self.lake.glob("landing/dt=*/*.parquet"):
            if path not in self._read:  # a landed file never changes
                landed_ns = path.stat().st_mtime_ns
                self._read[path] = [Row(columns, landed_ns) for columns in parquet.ParquetFile(path).read().to_pylist()]
        return sorted((row for rows in self._read.values() for row in rows), key=lambda row: row.ts_ns)

    def rows_of(self, count: int) -> list[Row]:
        """The rows once there are so many, or more. Fails when there are too few in time."""
        rows: list[Row] = []

        def landed() -> bool:
            nonlocal rows
            rows = self.rows()
            return len(rows) >= count

        wait_until(landed, lambda: f"{len(rows)} of {count} rows landed")
        return rows


def wait_until(ready: Callable[[], bool], state: Callable[[], str], timeout_s: float = LANDING_TIMEOUT_S) -> None:
    """Returns once `ready()` is true. Fails with `state()` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, state()
        time.sleep(POLL_S)


@contextlib.contextmanager
def gateway_on(data_dir: Path, upstreams: str, settings: Mapping[str, str] | None = None) -> Generator[Gateway]:
    """A gateway that is gone when the block ends. Nothing runs yet."""
    gateway = Gateway(data_dir, upstreams, settings)
    try:
        yield gateway
    finally:
        gateway.close()


def sandbox_upstreams(origin: str, key: str = PROVIDER_KEY) -> str:
    """Policy tables that make one sandbox all the providers."""
    return "\n".join(
        f'[credentials."{name}"]\nsecret = "{AWS_SECRET if name == "bedrock" else key}"\n'
        f'[upstreams."{name}"]\norigin = "{origin}"\n{more}'
        for name, more in UPSTREAMS.items()
    )


def port_of(url: str) -> int:
    found = re.search(r":(\d+)", url.split("//", 1)[1])
    assert found is not None
    return int(found[1])
