"""Owns an installation for the commands: a migrated SQLite database in a directory that the environment names."""

import asyncio
import shutil
from pathlib import Path

import pytest

from control_plane.serve import make_ready
from control_plane.settings import load_settings


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is copied, and that nobody changes: to migrate a database takes longer than most commands do."""
    made = tmp_path_factory.mktemp("installation")
    ready = asyncio.run(make_ready(load_settings({"LENSAI_CONTROL_DATA_DIR": str(made)})))
    assert ready.sign_in is not None
    return made


@pytest.fixture
def installed(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    shutil.copytree(installation, tmp_path, dirs_exist_ok=True)
    return tmp_path
