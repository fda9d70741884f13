import pytest

from control_plane.settings import Settings, SettingsError, load_settings

RING = "k1:" + "ab" * 32


def test_nothing_is_needed_for_sqlite():
    settings = load_settings({"PATH": "/bin", "LENSAI_LISTEN_PORT": "1"})
    assert settings == Settings()
    assert settings.database.startswith("sqlite+aiosqlite:////")
    assert settings.database.endswith("/.lensai/control-plane.sqlite")
    assert settings.url == "http://127.0.0.1:8000"


def test_variables_are_converted():
    environ = {"LENSAI_CONTROL_LISTEN_PORT": "9", "LENSAI_CONTROL_PUBLIC_URL": "https://lens.example/"}
    settings = load_settings(environ)
    assert (settings.listen_port, settings.url) == (9, "https://lens.example")


def test_those_of_a_gateway_that_obeys_are_passed_over():
    assert load_settings({"LENSAI_CONTROL_PLANE_URL": "http://x", "LENSAI_CONTROL_PLANE_TOKEN": "t"}) == Settings()


def test_all_problems_are_told_at_once():
    environ = {
        "LENSAI_CONTROL_LISTEN_PRT": "1",
        "LENSAI_CONTROL_LISTEN_PORT": "x",
        "LENSAI_CONTROL_PUBLIC_URL": "lens",
        "LENSAI_CONTROL_GATEWAY_URL": "llm",
        "LENSAI_CONTROL_SMTP_URL": "http://mail",
        "LENSAI_CONTROL_DATABASE_URL": "mysql://x",
    }
    with pytest.raises(SettingsError) as fault:
        load_settings(environ)
    lines = str(fault.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "LENSAI_CONTROL_LISTEN_PORT",
        "LENSAI_CONTROL_LISTEN_PRT",
        "LENSAI_CONTROL_DATABASE_URL",
        "LENSAI_CONTROL_PUBLIC_URL",
        "LENSAI_CONTROL_GATEWAY_URL",
        "LENSAI_CONTROL_SMTP_URL",
    ]
    assert "the nearest is LENSAI_CONTROL_LISTEN_PORT" in lines[1]


def test_postgresql_needs_keys_that_all_processes_share():
    environ = {"LENSAI_CONTROL_DATABASE_URL": "postgresql+asyncpg://u:pass@h/d"}
    with pytest.raises(SettingsError, match="SECRET_KEYS: must be set with PostgreSQL") as fault:
        load_settings(environ)
    assert "POLICY_KEYS: must be set with PostgreSQL" in str(fault.value)
    rings = {"LENSAI_CONTROL_SECRET_KEYS": RING, "LENSAI_CONTROL_POLICY_KEYS": RING}
    assert load_settings({**environ, **rings}).database == "postgresql+asyncpg://u:pass@h/d"


def test_no_secret_is_in_a_message_or_a_repr():
    with pytest.raises(SettingsError) as fault:
        load_settings({"LENSAI_CONTROL_SECRET_KEYS": "canary", "LENSAI_CONTROL_POLICY_KEYS": "k:canary!"})
    assert "canary" not in str(fault.value)
    assert "canary" not in repr(Settings(secret_keys="canary", smtp_url="smtp://u:canary@h"))
