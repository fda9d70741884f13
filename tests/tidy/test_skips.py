"""How the suite treats what it could not run: listed for people, forbidden in continuous integration."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

NEEDS_A_SERVER = 'import pytest\ndef test_it(): pytest.skip("no nginx: apt-get install nginx")\n'
NEEDS_RECORDINGS = 'import pytest\ndef test_it(): pytest.skip("no recordings beside this checkout")\n'
NEEDS_A_PACKAGE = 'import pytest\npytest.importorskip("no_such_package")\n'
FAILS_AS_EXPECTED = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def run(folder: Path, source: str, *, forbid: bool) -> tuple[int, str]:
    """The exit code and output of a suite with this one test file and the project's conftest.py."""
    shutil.copy(ROOT / "tests/conftest.py", folder)
    (folder / "test_sample.py").write_text(source)
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder), str(folder)]
    settings = {"TESTS_FORBID_SKIPS": "1" if forbid else "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout


def test_what_was_not_run_is_listed_with_the_command_that_cures_it(tmp_path):
    code, output = run(tmp_path, NEEDS_A_SERVER, forbid=False)
    assert code == 0
    assert "= not run =" in output
    assert "1  no nginx: apt-get install nginx" in output
    assert output.splitlines()[-1].startswith("1 skipped")


@pytest.mark.parametrize("source", [NEEDS_A_SERVER, NEEDS_A_PACKAGE], ids=["program", "package"])
def test_a_skip_fails_where_skips_are_forbidden(tmp_path, source):
    code, output = run(tmp_path, source, forbid=True)
    assert code != 0
    assert "skipped, which this run forbids" in output


@pytest.mark.parametrize("source", [NEEDS_RECORDINGS, FAILS_AS_EXPECTED], ids=["recordings", "xfail"])
def test_missing_recordings_and_expected_failures_are_allowed_everywhere(tmp_path, source):
    assert run(tmp_path, source, forbid=True)[0] == 0
