"""Owns the processes of a run: the provider, nginx, the gateway; on free ports, in a directory that is thrown away.

Each starts in a `with` block and is ended by its own pid when the block ends.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from bench.exchange import MODEL

HOST = "127.0.0.1"
# A gateway imports in about a second on an idle core; ten times that is a fault.
_START_TIMEOUT_S = 15.0
# LiteLLM's proxy takes twelve seconds on an idle core.
_PEER_START_TIMEOUT_S = 60.0
# The gateway drains when asked to stop; idle, it has nothing to drain.
_STOP_TIMEOUT_S = 10.0

POLICY_FILE = "lensai.toml"
TRANSPARENT_TOKEN = "lsk-bench-transparent-0123456789abcdef"
METERED_TOKEN = "lsk-bench-metered-0123456789abcdef0123"


class TargetError(RuntimeError):
    """A process under test did not come up; the message ends with its own last words."""


class Target(msgspec.Struct, frozen=True):
    """Something that answers chat requests. `pid` None: its CPU is not of interest."""

    name: str
    port: int
    json_path: str
    stream_path: str
    pid: int | None


@contextmanager
def provider() -> Generator[Target]:
    """The simulated provider; as a target it is `direct`."""
    port = free_port()
    with running([sys.executable, "-m", "bench.upstream", "--port", str(port)], port, Path(os.devnull)):
        yield Target("direct", port, "/v1/chat/completions", "/v1/chat/completions", None)


@contextmanager
def nginx(upstream_port: int, directory: Path) -> Generator[Target]:
    """nginx as a plain reverse proxy, one worker; streams pass unbuffered under /stream/."""
    port, prefix = free_port(), directory / "nginx"
    prefix.mkdir()
    # The worker gives up root; the temporary directories under the prefix must be in its reach.
    directory.chmod(0o755)
    (prefix / "nginx.conf").write_text(_NGINX_CONF.format(host=HOST, port=port, upstream_port=upstream_port))
    command = ["nginx", "-p", str(prefix), "-e", "stderr", "-c", "nginx.conf"]
    with running(command, port, prefix / "log") as pid:
        yield Target("nginx", port, "/v1/chat/completions", "/stream/v1/chat/completions", pid)


@contextmanager
def gateway(
    upstream_port: int,
    directory: Path,
    name: str = "gateway",
    source: Path | None = None,
    *,
    quotas: str = "",
    ledger_url: str = "",
) -> Generator[Target]:
    """The gateway with default settings; only places are chosen: ports, directory, policy, and its quotas in TOML.

    `source` is the root of another checkout to run; None is this one. `ledger_url` "": the embedded ledger.
    """
    environ = {"LENSAI_LEDGER_URL": ledger_url} if ledger_url else {}
    with gateway_of(policy_text(upstream_port) + quotas, directory, name, environ=environ, source=source) as target:
        yield target


@contextmanager
def gateway_of(
    policy: str,
    directory: Path,
    name: str,
    *,
    environ: Mapping[str, str],
    source: Path | None = None,
    under: Sequence[str] = (),
    start_timeout_s: float = _START_TIMEOUT_S,
) -> Generator[Target]:
    """A gateway with that policy file, what `environ` says beside its places, run by the command `under`, if any."""
    port, home = free_port(), directory / name
    home.mkdir()
    (home / POLICY_FILE).write_text(policy)
    places = {"LENSAI_DATA_DIR": str(home), "LENSAI_LISTEN_PORT": str(port), "LENSAI_ADMIN_PORT": "0"}
    command = [*under, sys.executable, "-m", "gateway", "gateway"]
    with running(command, port, home / "log", places | dict(environ), source, start_timeout_s) as pid:
        yield Target(name, port, "/openai/v1/chat/completions", "/openai/v1/chat/completions", pid)


@contextmanager
def with_quotas(upstream_port: int, directory: Path) -> Generator[Target]:
    """The gateway with three quotas that every call is held and charged in, and none ever refuses."""
    with gateway(upstream_port, directory, "quotas", quotas=QUOTAS) as target:
        yield target


@contextmanager
def with_leases(upstream_port: int, directory: Path) -> Generator[Target]:
    """The same with its ledger in a Redis of its own, as several gateways would share it."""
    with (
        redis(directory) as ledger_url,
        gateway(upstream_port, directory, "leases", quotas=QUOTAS, ledger_url=ledger_url) as target,
    ):
        yield target


@contextmanager
def redis(directory: Path) -> Generator[str]:
    """The URL of a Redis that keeps nothing on disk."""
    port = free_port()
    command = ["redis-server", "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    with running(command, port, directory / "redis-log"):
        yield f"redis://{HOST}:{port}/0"


@contextmanager
def sandbox(*options: str) -> Generator[Target]:
    """The simulated provider that keeps a bill, at /_sandbox/bill; `options` are those of `lensai sandbox`."""
    port = free_port()
    command = [sys.executable, "-m", "gateway.sandbox", "--port", str(port), "--accept-key", "sk-bench-", *options]
    with running(command, port, Path(os.devnull)):
        yield Target("sandbox", port, "/v1/chat/completions", "/v1/chat/completions", None)


@contextmanager
def litellm(
    upstream_port: int, directory: Path, *, program: str = "litellm", budget_usd: str = ""
) -> Generator[Target]:
    """LiteLLM's proxy, one worker, nothing but a model, a master key and, if it is given, a budget of the provider.

    `program` is found on PATH, whatever environment it is in.
    """
    port, home = free_port(), directory / "litellm"
    home.mkdir()
    config = _LITELLM_CONFIG.format(host=HOST, upstream_port=upstream_port, model=MODEL)
    config += _LITELLM_BUDGET.format(budget_usd=budget_usd) if budget_usd else ""
    (home / "config.yaml").write_text(config)
    # Its prices from its own package, so that it starts without the network.
    environ = {"LITELLM_MASTER_KEY": METERED_TOKEN, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [program, "--config", "config.yaml", "--host", HOST, "--port", str(port), "--num_workers", "1"]
    with running(command, port, home / "log", environ, home, _PEER_START_TIMEOUT_S) as pid:
        yield Target("litellm", port, "/v1/chat/completions", "/v1/chat/completions", pid)


def is_installed(program: str) -> bool:
    return shutil.which(program) is not None


_NGINX_CONF = """\
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    upstream provider {{
        server {host}:{upstream_port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {host}:{port} backlog=1024;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host api.openai.com;
        location / {{ proxy_pass http://provider; }}
        location /stream/ {{ proxy_pass http://provider/; proxy_buffering off; }}
    }}
}}
"""


_LITELLM_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://{host}:{upstream_port}/v1
      api_key: sk-bench-0123456789abcdef
"""
# What it offers without a database. It would call again by itself where the provider fails; nothing here does.
_LITELLM_BUDGET = """\
router_settings:
  num_retries: 0
  provider_budget_config:
    openai:
      budget_limit: {budget_usd}
      time_period: 1d
"""
_POLICY = """\
[projects.bench]
[credentials.provider]
secret = "sk-bench-0123456789abcdef0123456789abcdef0123456789abcdef"
[upstreams.openai]
provider = "openai"
origin = "http://{host}:{upstream_port}"
credential_id = "provider"
"""
_KEY = """\
[[keys]]
id = "{mode}"
project_id = "bench"
mode = "{mode}"
sha256 = "{sha256}"
user_id = "bench"
"""
# A budget of the project, a rate limit of each key, a budget of each user: what a key usually has.
QUOTAS = """\
[[quotas]]
id = "project-month"
unit = "usd"
limit_usd = 1000000
scope = { project = "bench" }
[[quotas]]
id = "key-minute"
unit = "requests"
limit = 1000000000
window = "minute"
scope = { key = "*" }
[[quotas]]
id = "user-day"
unit = "usd"
limit_usd = 1000000
window = "day"
scope = { user = "*" }
"""


def policy_text(upstream_port: int) -> str:
    keys = (("metered", METERED_TOKEN), ("transparent", TRANSPARENT_TOKEN))
    return _POLICY.format(host=HOST, upstream_port=upstream_port) + "".join(
        _KEY.format(mode=mode, sha256=sha256(token.encode()).hexdigest()) for mode, token in keys
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    log: Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    start_timeout_s: float = _START_TIMEOUT_S,
) -> Generator[int]:
    """The pid of a process that accepts connections on the port. It reads nothing and writes to the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environ or {})},
            cwd=cwd,
        )
    try:
        _wait_until_listening(process, port, log, start_timeout_s)
        yield process.pid
    finally:
        _stop(process)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path, timeout_s: float) -> None:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    last_words = log.read_text(errors="replace")[-2000:] if log.is_file() else ""
    raise TargetError(f"{process.args} does not listen on {port}\n{last_words}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
