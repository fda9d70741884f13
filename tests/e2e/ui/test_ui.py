"""The web UI in a real browser, before a real control plane, gateway, lake and sandbox.

The stories themselves are control_plane/ui/e2e/*.spec.ts; here the stage is set and the browser is found.
"""

import os
import shutil
import subprocess

import pytest

from tests.e2e.ui.stage import UI, stage

# Two browsers and every page twice, on a machine that does other things beside it.
TIMEOUT_S = 1500


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_the_stories_of_the_ui():
    if not (UI / "node_modules").is_dir():
        pytest.skip("the web UI's packages are not installed: make ui")
    if not (UI / "dist" / "index.html").is_file():
        pytest.skip("the web UI was not built: make ui")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with stage() as ready:
        environ = {**os.environ, **ready.environ(), "CHROMIUM": browser}
        command = ["npx", "playwright", "test", "--project=stories"]
        done = subprocess.run(
            command, env=environ, cwd=UI, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
