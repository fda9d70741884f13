from control_plane.cli.control_plane import main


def test_it_goes_down_and_up_again(installed, capsys):
    assert main(["migrate", "--down", "base"]) == 0
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "The database is at revision base."
    assert main(["migrate", "--down", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
