from control_plane.cli.control_plane import main


def test_a_link_is_printed_for_somebody_who_is_there(installed, capsys):
    assert main(["sign-in", " Owner@localhost"]) == 0
    assert "lml_" in capsys.readouterr().out
    assert main(["sign-in", "nobody@localhost"]) == 2
    assert "nobody has the address nobody@localhost" in capsys.readouterr().err
