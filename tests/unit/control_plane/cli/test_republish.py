import re

from control_plane.cli.control_plane import main
from control_plane.clock import now_ms


def test_the_version_is_beyond_any_that_was_lost(installed, capsys):
    before = now_ms()
    assert main(["republish"]) == 0
    assert main(["republish"]) == 0
    first, second = (int(found) for found in re.findall(r"version (\d+)", capsys.readouterr().out))
    assert before <= first < second
