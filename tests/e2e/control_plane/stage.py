"""Owns the stage of the control plane's story: the real processes, and ways to speak to each of them.

A control plane over PostgreSQL, Redis, two gateways that obey it, a simulated provider, a strict Slack.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
from openai import OpenAI

from control_plane.keyring import new_key
from tests.contract.servers import DURABLE
from tests.contract.servers import Server as Redis
from tests.support.processes import Child, free_port

POLICY_KEYS = new_key("e2e-policy")
WAIT_S = 20.0
POLL_S = 0.005


def until(true: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> float:
    """Waits until something is so; the seconds it took."""
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(POLL_S)
    return time.monotonic() - began_s


class ControlPlane:
    """A process that can be killed and started again on its port."""

    def __init__(self, directory: Path, database_url: str, slack_api_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            "LENSAI_CONTROL_DATA_DIR": str(directory / "control-plane"),
            "LENSAI_CONTROL_DATABASE_URL": database_url,
            "LENSAI_CONTROL_LISTEN_PORT": str(self.port),
            "LENSAI_CONTROL_SECRET_KEYS": new_key("e2e-secret"),
            "LENSAI_CONTROL_POLICY_KEYS": POLICY_KEYS,
            "LENSAI_CONTROL_SLACK_API_URL": slack_api_url,
            "LENSAI_CONTROL_PRIVATE_TARGETS": "allow",
            "LENSAI_CONTROL_LAKE_URL": str(directory / "lake"),
            "LENSAI_CONTROL_LOG_FORMAT": "json",
        }
        self.said = ""
        self._child: Child | None = None

    def start(self) -> None:
        self._child = Child((sys.executable, "-m", "gateway", "control-plane"), self.environ)
        self._child.wait_for_port(self.port, timeout_s=WAIT_S)

    def output(self) -> str:
        return self.said + (self._child.output() if self._child else "")

    def sign_in_link(self) -> str:
        assert self._child is not None
        line = self._child.wait_for_output("Sign in as ")
        found = re.search(r"#token=(\S+)", line)
        assert found, line
        return found[1]

    def command(self, *words: str) -> str:
        """What a command beside the database prints."""
        child = Child((sys.executable, "-m", "gateway", *words), self.environ)
        try:
            assert child.wait(WAIT_S) == 0, child.output()
            return child.output()
        finally:
            child.close()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._child is not None
        self._child.kill()
        self.close()

    def close(self) -> None:
        if self._child is not None:
            self.said += self._child.output()
            self._child.close()
            self._child = None


class Api:
    """The API as the owner's program uses it."""

    def __init__(self, url: str, link_token: str) -> None:
        """Signs in as a browser does, makes a service token, and goes on with it."""
        with httpx.Client(base_url=url, timeout=WAIT_S) as browser:
            session = browser.post("/v1/auth/sessions", json={"token": link_token}).raise_for_status().json()
            csrf = {"x-csrf-token": session["csrf_token"]}
            made = browser.post("/v1/tokens", json={"name": "e2e", "role": "owner"}, headers=csrf).raise_for_status()
        self.token: str = made.json()["secret"]
        headers = {"authorization": f"Bearer {self.token}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=WAIT_S)

    def get(self, path: str) -> Any:
        return self._client.get(f"/v1/{path}").raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(f"/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._client.close()


class Gateway:
    """A gateway that obeys a control plane, with no policy of its own."""

    def __init__(self, directory: Path, plane: ControlPlane, token: str, redis: Redis) -> None:
        directory.mkdir()
        (directory / "lensai.toml").write_text("")
        self._child = Child(
            (sys.executable, "-m", "gateway", "gateway"),
            {
                "LENSAI_DATA_DIR": str(directory),
                "LENSAI_LISTEN_PORT": "0",
                "LENSAI_ADMIN_PORT": "0",
                "LENSAI_LOG_FORMAT": "json",
                "LENSAI_LEDGER_URL": redis.url,
                "LENSAI_CONTROL_PLANE_URL": plane.url,
                "LENSAI_CONTROL_PLANE_TOKEN": token,
                "LENSAI_POLICY_KEYS": POLICY_KEYS,
            },
        )
        said = json.loads(self._child.wait_for_output('"event":"listening"'))
        self.url, self._admin = f"http://127.0.0.1:{said['port']}", f"http://127.0.0.1:{said['admin_port']}"
        self.http = httpx.Client(base_url=self.url, timeout=WAIT_S)

    def openai(self, key: str) -> OpenAI:
        return OpenAI(api_key=key, base_url=f"{self.url}/openai/v1", max_retries=0)

    def is_ready(self) -> bool:
        return httpx.get(f"{self._admin}/readyz").is_success

    def is_connected(self) -> bool:
        """Whether the control plane tells it of changes."""
        return "lensai_control_plane_connected 1" in httpx.get(f"{self._admin}/metrics").text

    def output(self) -> str:
        return self._child.output()

    def stop(self) -> None:
        assert self._child.stop() == 0, self._child.output()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._child.close()


@contextlib.contextmanager
def redis(directory: Path) -> Iterator[Redis]:
    server = Redis(directory / "redis", *DURABLE)
    server.start()
    try:
        yield server
    finally:
        server.kill()
