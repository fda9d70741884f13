import pytest

from bench.run import main


def test_an_unknown_scenario_is_refused_before_anything_starts() -> None:
    with pytest.raises(SystemExit, match="no scenario has 'no such thing' in its name"):
        main(["--only", "no such thing"])
    with pytest.raises(SystemExit, match="no scenario has 'none' or 'neither' in its name"):
        main(["--only", "none", "--only", "neither"])


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    page = capsys.readouterr().out
    for option in ("--quick", "--only", "--proxies", "--peers", "--against", "--rounds", "--profile"):
        assert option in page
