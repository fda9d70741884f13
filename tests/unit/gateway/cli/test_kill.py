import io
from pathlib import Path

import pytest

from gateway.cli.kill import run_kill
from gateway.contract.policy import KillSwitch
from gateway.policy_toml import read_limits

TEXT = "[projects.web]  # who pays\n"


class Command:
    """What `lensai kill …` did."""

    def __init__(self, config: Path, *words: str) -> None:
        output, errors = io.StringIO(), io.StringIO()
        self.code = run_kill(words, config, output=output, errors=errors)
        self.output, self.errors = output.getvalue(), errors.getvalue()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lensai.toml"
    path.write_text(TEXT)
    return path


def switches(config: Path) -> tuple[KillSwitch, ...]:
    return read_limits(config.read_text(), source="x").kill_switches


def test_a_switch_is_closed_with_what_it_was_given_and_released(config: Path):
    words = (
        "stop",
        "--scope",
        "project=web",
        "--scope",
        "user=a=b",
        "--reason",
        "budget review",
        "--allow",
        "models.list",
    )
    command = Command(config, *words)
    obeyed = "gateways that run with this file obey within a second (two looks, policy_poll_ms)"
    again = "open it again with `lensai kill --release stop`"
    assert (command.code, command.errors) == (0, f"stop is written to {config}; {obeyed}; {again}\n")
    assert switches(config) == (
        KillSwitch("stop", {"project": "web", "user": "a=b"}, "budget review", ("models.list",)),
    )
    command = Command(config, "--release", "stop")
    assert (command.code, command.errors, config.read_text()) == (
        0, f"stop is taken out of {config}; {obeyed}\n", TEXT,
    )  # fmt: skip


def test_a_switch_without_a_scope_ends_everything(config: Path):
    assert Command(config, "all").code == 0
    assert switches(config) == (KillSwitch("all"),)
    assert config.read_text() == TEXT + '\n[[kill_switches]]\nid = "all"\n'


def test_without_an_id_the_closed_ones_are_listed(config: Path):
    command = Command(config)
    assert (command.output, command.errors.startswith("no kill switch is closed in")) == ("", True)
    Command(config, "a", "--scope", "team=red", "--reason", "why", "--allow", "models.list")
    Command(config, "b")
    assert Command(config).output == "a  team=red  but for models.list  why\nb  everything\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stop",), "stop is closed already; release it first"),
        (("x", "--scope", "project=wbe"), "kill_switches[1].scope: project: there is no 'wbe' in projects"),
        (("x", "--scope", "projekt=web"), "there is no dimension 'projekt'"),
        (("x", "--scope", "project=*"), '"*" has no meaning here'),
        (("x", "--scope", "user=a", "--scope", "user=b"), "a dimension is there twice"),
        (("x", "--allow", "model.list"), "no endpoint is called 'model.list'"),
        (("x", "--allow", "model.list"), "the nearest is 'models.list'"),
        (("x", "--allow", "nonsense"), "so it would open nothing"),
        (("X",), "'X' is not a name"),
        (("--release", "stpo"), "there is no kill switch 'stpo'"),
    ],
)
def test_what_cannot_be_done_is_told_and_the_file_left_alone(config: Path, words: tuple[str, ...], said: str):
    Command(config, "stop")
    before = config.read_text()
    command = Command(config, *words)
    assert command.code == 1
    assert said in command.errors
    assert config.read_text() == before


@pytest.mark.parametrize("words", [("a", "--release", "b"), ("a", "--scope", "project"), ("a", "b")])
def test_words_that_are_no_command_are_refused(config: Path, words: tuple[str, ...]):
    with pytest.raises(SystemExit):
        Command(config, *words)


def test_a_missing_or_unwritable_file_is_told(config: Path, tmp_path: Path):
    assert "`lensai up` creates it" in Command(tmp_path / "none.toml", "a").errors
