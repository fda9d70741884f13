import msgspec

from control_plane.cli.control_plane import main
from control_plane.cli.prepare import TOKEN_FILE


def test_what_up_needs_is_made_once_and_told_each_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LENSAI_CONTROL_LISTEN_PORT", "0")
    told = []
    for _ in range(2):
        assert main(["prepare"]) == 0
        told.append(msgspec.json.decode(capsys.readouterr().out))
    assert "lml_" in told[0]["sign_in"]
    assert told[1]["sign_in"] is None
    first, second = (one["environ"] for one in told)
    assert first["LENSAI_CONTROL_PLANE_TOKEN"] == second["LENSAI_CONTROL_PLANE_TOKEN"]
    assert first["LENSAI_CONTROL_PLANE_URL"].endswith(":" + first["LENSAI_CONTROL_LISTEN_PORT"])
    assert (tmp_path / "data" / TOKEN_FILE).stat().st_mode & 0o777 == 0o600
