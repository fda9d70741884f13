import os
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench import exchange, targets
from bench.load import Fleet
from bench.targets import HOST, Target, TargetError
from gateway.policy_toml import compile_policy


async def _one_call(target: Target) -> int:
    """How many calls were answered with 200: one a connection."""
    request = exchange.json_request(f"{HOST}:{target.port}", target.json_path, "k")
    async with Fleet(HOST, target.port, connections=1) as fleet:
        samples = await fleet.closed_loop([request], duration_s=0.001)
    return samples.calls - samples.errors


async def test_a_target_answers_inside_its_block_and_is_gone_after_it() -> None:
    with targets.provider() as direct:
        assert await _one_call(direct) >= 1
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, direct.port)) != 0


@pytest.mark.skipif(not shutil.which("nginx"), reason="not run: nginx is missing (apt-get install nginx-light)")
async def test_nginx_forwards_to_the_provider(tmp_path: Path) -> None:
    with targets.provider() as direct, targets.nginx(direct.port, tmp_path) as proxy:
        assert await _one_call(proxy) >= 1
        assert proxy.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(proxy.pid, 0)


@pytest.mark.skipif(
    not shutil.which("redis-server"), reason="not run: redis-server is missing (apt-get install redis-server)"
)
def test_redis_answers_at_its_url(tmp_path: Path) -> None:
    with targets.redis(tmp_path) as url, socket.create_connection((HOST, urlsplit(url).port or 0)) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(64) == b"+PONG\r\n"


def test_a_process_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such policy')"]
    with pytest.raises(TargetError, match="no such policy"), targets.running(command, 1, tmp_path / "log"):
        pass


def test_the_gateways_policy_compiles() -> None:
    policy = compile_policy(targets.policy_text(8000), {}, source="bench")
    assert {key.mode for key in policy.keys} == {"metered", "transparent"}


def test_every_metered_call_is_in_each_of_the_quotas_and_none_refuses() -> None:
    policy = compile_policy(targets.policy_text(8000) + targets.QUOTAS, {}, source="bench")
    assert [quota.unit for quota in policy.quotas] == ["usd", "requests", "usd"]
    assert all(quota.limit is not None and quota.limit >= 10**9 for quota in policy.quotas)
    assert all(key.user_id for key in policy.keys)


async def test_the_sandbox_bills_a_call(tmp_path: Path) -> None:
    with targets.sandbox("--tokens", "5") as provider:
        request = exchange.json_request(f"{HOST}:{provider.port}", provider.json_path, "sk-bench-x")
        async with Fleet(HOST, provider.port, connections=1) as fleet:
            samples = await fleet.closed_loop([request], duration_s=0.001)
    assert samples.calls >= 1
    assert samples.errors == 0
