from control_plane.cli.control_plane import main


def test_a_token_is_made_listed_and_revoked(installed, capsys):
    assert main(["gateway-token", "create", "eu"]) == 0
    made = capsys.readouterr().out
    values = dict(line.split("=", 1) for line in made.splitlines() if line.startswith("LENSAI_"))
    assert values.keys() == {"LENSAI_CONTROL_PLANE_URL", "LENSAI_CONTROL_PLANE_TOKEN", "LENSAI_POLICY_KEYS"}
    assert values["LENSAI_CONTROL_PLANE_TOKEN"].startswith("lgw_")
    assert main(["gateway-token", "create", "eu"]) == 2
    assert main(["gateway-token", "revoke", "eu"]) == 0
    assert main(["gateway-token", "revoke", "eu"]) == 2
    capsys.readouterr()
    assert main(["gateway-token", "list"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("eu ")
    assert "revoked" in listed
    assert values["LENSAI_CONTROL_PLANE_TOKEN"] not in listed
