"""Owns the stage of the web UI's story: a control plane, a gateway that obeys it, its lake, a simulated provider.

`python -m tests.e2e.ui.stage COMMAND…` runs a command with the stage's addresses in its environment. Everything is on
free ports, in a directory that is gone afterwards. With `--seed ROWS` before the command it begins with demo data.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from control_plane.keyring import new_key
from tests.support.processes import ROOT, Child, free_port, running_sandbox

UI = ROOT / "control_plane" / "ui"
WAIT_S = 30.0
SEED_WAIT_S = 1200.0
VIEWER = "vera@example.com"


class Stage(NamedTuple):
    """Addresses, and the secrets of links that sign in."""

    url: str
    gateway_url: str
    owner_link: str
    viewer_link: str

    def environ(self) -> dict[str, str]:
        return {
            "LENSAI_UI_URL": self.url,
            "LENSAI_GATEWAY_URL": self.gateway_url,
            "LENSAI_OWNER_LINK": self.owner_link,
            "LENSAI_VIEWER_LINK": self.viewer_link,
        }


@contextlib.contextmanager
def stage(seed_rows: int = 0) -> Iterator[Stage]:
    """Everything is ready when this is entered. The database holds an owner and a viewer, and demo data if any."""
    with contextlib.ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="lensai-ui-")))
        sandbox = running.enter_context(running_sandbox())
        environ, port = _control_environ(directory)
        if seed_rows:
            _said(environ, "seed", "--rows", str(seed_rows), wait_s=SEED_WAIT_S)
        plane = _start(running, environ, "control-plane")
        plane.wait_for_port(port, timeout_s=WAIT_S)
        url = f"http://127.0.0.1:{port}"
        viewer = _invite_viewer(url, plane, _owner_link(environ))
        owner = _owner_link(environ)
        gateway_environ = _gateway_environ(directory, sandbox, url, environ)
        gateway = _start(running, gateway_environ, "gateway")
        _start(running, gateway_environ, "lake")
        said = json.loads(gateway.wait_for_output('"event":"listening"', WAIT_S))
        yield Stage(url, f"http://127.0.0.1:{said['port']}", owner, viewer)


def _start(running: contextlib.ExitStack, environ: dict[str, str], command: str) -> Child:
    child = Child((sys.executable, "-m", "gateway", command), environ)
    running.callback(child.close)
    return child


def _control_environ(directory: Path) -> tuple[dict[str, str], int]:
    port = free_port()
    return {
        "LENSAI_CONTROL_DATA_DIR": str(directory / "control-plane"),
        "LENSAI_CONTROL_LISTEN_PORT": str(port),
        "LENSAI_CONTROL_SECRET_KEYS": new_key("ui-secret"),
        "LENSAI_CONTROL_POLICY_KEYS": new_key("ui-policy"),
        "LENSAI_CONTROL_LAKE_URL": str(directory / "lake"),
        "LENSAI_CONTROL_PRIVATE_TARGETS": "allow",
        "LENSAI_CONTROL_REQUESTS_PER_MINUTE": "100000",
        "LENSAI_CONTROL_LOG_FORMAT": "json",
    }, port


def _gateway_environ(directory: Path, sandbox: str, url: str, control: dict[str, str]) -> dict[str, str]:
    """The operator's own file names the upstreams; projects and keys are the control plane's to tell."""
    home = directory / "gateway"
    home.mkdir()
    tables = [
        f'[credentials.{name}]\nsecret = "sandbox-key"\n[upstreams.{name}]\norigin = "{sandbox}"\n'
        for name in ("openai", "anthropic")
    ]
    (home / "lensai.toml").write_text("".join(tables))
    made = _said(control, "control-plane", "gateway-token", "create", "ui")
    return {
        "LENSAI_DATA_DIR": str(home),
        "LENSAI_LISTEN_PORT": "0",
        "LENSAI_ADMIN_PORT": "0",
        "LENSAI_LAKE_URL": str(directory / "lake"),
        "LENSAI_LOG_FORMAT": "json",
        "LENSAI_CONTROL_PLANE_URL": url,
        "LENSAI_CONTROL_PLANE_TOKEN": next(word for word in made.replace("=", " ").split() if word.startswith("lgw_")),
        "LENSAI_POLICY_KEYS": control["LENSAI_CONTROL_POLICY_KEYS"],
    }


def _invite_viewer(url: str, plane: Child, owner_link: str) -> str:
    """The link that was mailed: without a mail server mails are in the log."""

    def mail() -> str:
        return plane.output().partition(f"Mail to {VIEWER}")[2]

    with httpx.Client(base_url=url, timeout=WAIT_S) as browser:
        session = browser.post("/v1/auth/sessions", json={"token": owner_link}).raise_for_status().json()
        csrf = {"x-csrf-token": session["csrf_token"]}
        invitation = {"email": VIEWER, "role": "viewer"}
        browser.post("/v1/invitations", json=invitation, headers=csrf).raise_for_status()
        plane.wait_until(lambda: "#token=" in mail(), "heard to mail an invitation", WAIT_S)
        browser.delete("/v1/session", headers=csrf).raise_for_status()
    return _link(mail())


def _said(environ: dict[str, str], *words: str, wait_s: float = WAIT_S) -> str:
    child = Child((sys.executable, "-m", "gateway", *words), environ)
    try:
        assert child.wait(wait_s) == 0, child.output()
        return child.output()
    finally:
        child.close()


def _owner_link(environ: dict[str, str]) -> str:
    return _link(_said(environ, "control-plane", "sign-in", "owner@localhost"))


def _link(text: str) -> str:
    found = re.search(r"#token=([\w-]+)", text)
    assert found, text
    return found[1]


def main(words: list[str]) -> int:
    seed_rows, command = (int(words[1]), words[2:]) if words[:1] == ["--seed"] else (0, words)
    # As an interrupt does: an exception, so that every child is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with stage(seed_rows) as ready:
        return subprocess.run(command, env={**os.environ, **ready.environ()}, cwd=UI, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
