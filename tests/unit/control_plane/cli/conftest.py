"""Owns an installation for the commands: a migrated SQLite database in a directory that the environment names."""

import asyncio
from pathlib import Path

import pytest

from control_plane.serve import make_ready
from control_plane.settings import load_settings


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    ready = asyncio.run(make_ready(load_settings({"LENSAI_CONTROL_DATA_DIR": str(tmp_path)})))
    assert ready.sign_in is not None
    return tmp_path
