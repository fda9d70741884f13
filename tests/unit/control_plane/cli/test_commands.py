import tomllib

import pytest

from control_plane.cli import commands
from tests.tidy.tree import ROOT

ENTRIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["lensai.commands"]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_point_is_a_command_that_explains_itself(name, capsys):
    module, _, attribute = ENTRIES[name].partition(":")
    assert module == commands.__name__
    command = getattr(commands, attribute)
    assert command.summary
    with pytest.raises(SystemExit) as end:
        command.run(["--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: lensai {name}")
