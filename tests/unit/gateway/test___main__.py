"""The command line's own answers. What `up`, `gateway` and `lake` do is proved by processes in tests/integration."""

import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.logs import logger
from gateway.supervise import CANNOT_START

COMMANDS = ("up", "gateway", "lake", "keys", "budgets", "kill", "ledger", "explain", "tail", "sandbox", "demo")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands configure the process's logging, which is the other tests' too."""
    root, handlers, levels = logging.getLogger(), logging.getLogger().handlers[:], (logging.root.level, logger.level)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    logger.setLevel(levels[1])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process's `lensai.toml` would be; nothing is there yet."""
    monkeypatch.setenv("LENSAI_DATA_DIR", str(tmp_path))
    return tmp_path / "lensai.toml"


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0), (["help"], 0)])
def test_usage_names_every_command(words: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert main(words) == code
    said = capsys.readouterr().out
    named = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    # What others bring stands behind.
    assert named[: len(COMMANDS)] == list(COMMANDS)


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution that is installed beside this one, with commands of its own."""
    monkeypatch.setattr("gateway.__main__.COMMANDS_OF_OTHERS", "other.commands")
    metadata = tmp_path / "other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[other.commands]\nwave = other_commands:wave\nup = other_commands:wave\n"
        "lake = other_commands:wave\nlost = other_commands:lost\n"
    )
    (tmp_path / "other_commands.py").write_text(
        "from types import SimpleNamespace\nwave = SimpleNamespace(summary='says hello', run=len)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_commands_of_others_are_found_and_run(other: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["wave", "a", "b", "c"]) == 3
    assert main(["help"]) == 0
    said = capsys.readouterr()
    assert re.search(r"^  wave +says hello$", said.out, re.MULTILINE)
    assert "the command lost is installed and cannot be loaded" in said.err


def test_another_ones_command_never_stands_for_our_own(other: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["up", "--help"])
    assert main(["help"]) == 0
    assert re.search(r"^  up +gateway, lake and", capsys.readouterr().out, re.MULTILINE)


def test_what_the_lake_does_beside_landing_is_others(other: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["lake", "curate", "--lake", "/lake"]) == 3
    with pytest.raises(SystemExit):
        main(["lake", "land", "more"])
    assert "unrecognized arguments: more" in capsys.readouterr().err


def test_an_action_that_nobody_brought_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("gateway.__main__.COMMANDS_OF_OTHERS", "nobody")
    assert main(["lake", "curate"]) == CANNOT_START
    assert capsys.readouterr().err == "lensai lake: no action 'curate': the control plane is not installed\n"


def test_an_unknown_command_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]):
    assert main(["upp"]) == CANNOT_START
    assert capsys.readouterr().err.startswith("lensai: no command 'upp'\n\nusage: lensai")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: lensai {command}")


@pytest.mark.parametrize("command", ["gateway", "lake"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[settings]\nlisten_prot = 1\n", "lensai.toml line 2: listen_prot: no setting is called that"),
        (b"\xff", "lensai.toml is not UTF-8 text; save it as such"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_message(
    command: str, content: bytes, message: str, config: Path, capsys: pytest.CaptureFixture[str]
):
    config.write_bytes(content)
    assert main([command]) == CANNOT_START
    said = capsys.readouterr().err
    assert said.startswith(f"lensai {command}: ")
    assert message in said


def test_a_gateway_without_a_file_says_what_makes_one(config: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["gateway"]) == CANNOT_START
    assert capsys.readouterr().err == f"lensai gateway: {config}: No such file or directory; `lensai up` creates one\n"


def test_an_address_of_another_machine_is_a_message(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # 192.0.2.0/24 is nobody's: https://www.rfc-editor.org/rfc/rfc5737
    monkeypatch.setenv("LENSAI_LISTEN_HOST", "192.0.2.1")
    monkeypatch.setenv("LENSAI_LISTEN_PORT", "0")
    assert main(["up"]) == CANNOT_START
    said = capsys.readouterr().err
    assert said == "lensai up: listen_host 192.0.2.1 cannot be used: Cannot assign requested address\n"


def test_a_first_start_that_fails_makes_no_key_that_nobody_would_see(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LENSAI_DATA_DIR", str(config.parent))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LENSAI_CONTROL_LISTEN_PORT", str(taken.getsockname()[1]))
        assert main(["up"]) == CANNOT_START
    assert "LENSAI_CONTROL_LISTEN_PORT): Address already in use" in capsys.readouterr().err
    assert not config.exists()
