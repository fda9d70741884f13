import sqlite3

from control_plane.cli.audit import main
from control_plane.cli.control_plane import main as control_plane


def test_a_chain_and_its_export_hold_until_somebody_edits(installed, capsysbinary):
    assert control_plane(["republish"]) == 0
    assert main(["verify"]) == 0
    assert b"1 entries hold" in capsysbinary.readouterr().out

    assert main(["export"]) == 0
    file = installed / "log.ndjson"
    file.write_bytes(capsysbinary.readouterr().out)
    assert main(["verify", str(file)]) == 0
    assert b"2 entries of org_" in capsysbinary.readouterr().out
    file.write_bytes(file.read_bytes().replace(b"policy:republish", b"policy:other"))
    assert main(["verify", str(file)]) == 1
    assert b"entry 1: it was changed" in capsysbinary.readouterr().out

    with sqlite3.connect(installed / "control-plane.sqlite") as database:
        database.execute("UPDATE audit_logs SET actor = 'user:other' WHERE number = 1")
    database.close()
    assert main(["verify"]) == 1
    assert b"broken at entry 1: it was changed after it was written" in capsysbinary.readouterr().out


def test_an_organization_that_is_not_there_is_told(installed, capsys):
    assert main(["verify", "--org", "org_x"]) == 2
    assert "there is no organization org_x" in capsys.readouterr().err
