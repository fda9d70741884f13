"""Owns running the Node SDKs' calls: tests/e2e/node/transcripts.mjs, pointed at base URLs."""

import json
import os
import subprocess
from typing import Any

from tests.support.processes import ROOT

FOLDER = ROOT / "tests/e2e/node"
INSTALL_COMMAND = "npm ci --prefix tests/e2e/node"

# Sixteen short calls take a second; a client that waits for the end of a broken stream never ends.
TIMEOUT_S = 60


def installed() -> bool:
    return (FOLDER / "node_modules/openai").is_dir() and (FOLDER / "node_modules/@anthropic-ai/sdk").is_dir()


def node_transcripts(openai_url: str, anthropic_url: str, key: str) -> dict[str, list[Any]]:
    """What each call gave, by name. The URLs stand for the providers' origins, as in `sdk_calls`."""
    environment = {
        "OPENAI_BASE_URL": openai_url + "/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": anthropic_url,
        "ANTHROPIC_API_KEY": key,
    }
    ran = subprocess.run(
        ["node", "transcripts.mjs"],
        cwd=FOLDER,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
