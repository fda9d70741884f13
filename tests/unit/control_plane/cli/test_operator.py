from control_plane.cli.migrate import migrate
from control_plane.cli.operator import CANNOT_START, Refused, run
from control_plane.cli.sign_in import sign_in


def test_a_setting_that_is_wrong_is_a_message(monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_LISTEN_PORT", "x")
    assert run("audit verify", lambda operator: migrate(operator, None)) == CANNOT_START
    assert capsys.readouterr().err.startswith("lensai audit verify: LENSAI_CONTROL_LISTEN_PORT: ")


def test_what_is_refused_is_a_message(installed, capsys):
    async def refuse(operator):
        raise Refused("not so")

    assert run("audit verify", refuse) == CANNOT_START
    assert capsys.readouterr().err == "lensai audit verify: not so\n"


def test_a_database_that_cannot_be_reached_names_its_setting(monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATABASE_URL", "postgresql+asyncpg://a:b@127.0.0.1:1/x")
    for ring in ("SECRET", "POLICY"):
        monkeypatch.setenv(f"LENSAI_CONTROL_{ring}_KEYS", "k1:" + "ab" * 32)
    assert run("control-plane sign-in", lambda operator: sign_in(operator, "ada@x.example")) == CANNOT_START
    assert "cannot reach the database (LENSAI_CONTROL_DATABASE_URL): " in capsys.readouterr().err


def test_a_database_without_tables_names_what_makes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    assert run("control-plane sign-in", lambda operator: sign_in(operator, "ada@x.example")) == CANNOT_START
    said = capsys.readouterr().err
    assert "no such table: users; `lensai up` or `lensai control-plane migrate` makes them" in said
    assert "LENSAI_CONTROL_DATA_DIR" in said
