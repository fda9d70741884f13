"""The web UI's types are those of the API: whoever changes a schema changes them too."""

import shutil
import subprocess

import msgspec
import pytest

from control_plane.cli.openapi import document
from tests.support.processes import ROOT

UI = ROOT / "control_plane" / "ui"
FLAGS = ("--root-types", "--root-types-no-schema-prefix", "--default-non-nullable=false", "--alphabetize")


def test_the_types_that_are_committed_are_those_of_the_api(tmp_path):
    program = UI / "node_modules" / ".bin" / "openapi-typescript"
    if shutil.which("node") is None or not program.exists():
        pytest.skip("the web UI's packages are not installed: make ui")
    described, made = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    described.write_bytes(msgspec.json.encode(document()))
    subprocess.run([program, described, "-o", made, *FLAGS], check=True, capture_output=True)
    assert (UI / "src/api/schema.d.ts").read_text() == made.read_text(), "run `make ui-types`"


def test_the_command_that_makes_them_takes_the_same_flags():
    scripts = msgspec.json.decode((UI / "package.json").read_bytes())["scripts"]
    assert all(flag in scripts["types"].split() for flag in FLAGS)
