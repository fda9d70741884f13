"""Owns the demo's stage: a sandbox, a gateway in front of it and a lake behind, in one directory, on free ports."""

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.cli.keys import mint, toml_block
from gateway.cli.processes import Process

HOST = "127.0.0.1"
_PROJECT = "demo"
_FAMILIES = ("openai", "anthropic", "gemini")


class Stage(NamedTuple):
    """Where everything is."""

    data_dir: Path
    sandbox_port: int
    port: int  # the gateway's
    token: str

    @property
    def journal(self) -> Path:
        return self.data_dir / "journal"

    @property
    def lake(self) -> Path:
        return self.data_dir / "lake"

    def __repr__(self) -> str:
        return f"Stage({self.data_dir}, {self.sandbox_port}, {self.port}, token=…)"


@contextlib.contextmanager
def stage(directory: Path, environ: Mapping[str, str]) -> Generator[Stage]:
    """Everything is ready when this is entered, and has ended in order when it is left. Raises ProcessFault."""
    data_dir = directory / "data"
    data_dir.mkdir(mode=0o700)
    own_environ = _own_environ(environ, data_dir)
    with contextlib.ExitStack() as running:

        def start(*arguments: str) -> Process:
            return running.enter_context(Process(arguments, own_environ, directory / f"{arguments[0]}.log"))

        # Stopped last to first: the lake hears of the end first, the sandbox last.
        sandbox_port = int(start("sandbox", "--port", "0").ready(r"listening on http://127.0.0.1:(\d+)"))
        minted = mint(_PROJECT, name="demo")
        (data_dir / "lensai.toml").write_text(_config(sandbox_port) + toml_block(minted.key))
        gateway = start("gateway")
        start("lake")
        port = int(gateway.ready(r'"event":"listening".*?"port":(\d+)'))
        yield Stage(data_dir, sandbox_port, port, minted.token)


def _own_environ(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """The environment without the settings of anybody's real gateway, and with those of this one."""
    return {name: value for name, value in environ.items() if not name.startswith("LENSAI_")} | {
        "LENSAI_DATA_DIR": str(data_dir),
        "LENSAI_LISTEN_PORT": "0",
        "LENSAI_ADMIN_PORT": "0",
        "LENSAI_LOG_FORMAT": "json",
    }


def _config(sandbox_port: int) -> str:
    """The policy: every family's upstream is the sandbox, which takes one key for all."""
    tables = [f"[projects.{_PROJECT}]"]
    for family in _FAMILIES:
        tables.append(f'[credentials.{family}]\nsecret = "sandbox-key"')
        tables.append(f'[upstreams.{family}]\norigin = "http://{HOST}:{sandbox_port}"')
    return "\n".join(tables) + "\n"
