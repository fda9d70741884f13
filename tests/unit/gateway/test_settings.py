import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsError, config_path, load_settings, reference

ROOT = Path(__file__).parents[3]


def problems(environ: dict[str, str], config_text: str | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(environ, config_text)
    return str(raised.value).splitlines()


def test_nothing_set_is_the_defaults():
    settings = load_settings({"HOME": "/nowhere"}, None)
    assert settings == Settings(config_file=".lensai/lensai.toml")
    assert (settings.listen_host, settings.listen_port, settings.body_bytes_max) == ("127.0.0.1", 8080, 64 << 20)


def test_the_file_changes_a_default_and_the_environment_changes_the_file():
    text = '[settings]\nlisten_port = 1111\nlog_level = "debug"\n'
    assert load_settings({}, text).listen_port == 1111
    settings = load_settings({"LENSAI_LISTEN_PORT": "2222"}, text)
    assert (settings.listen_port, settings.log_level) == (2222, "debug")


def test_the_other_tables_of_the_file_are_not_settings():
    assert load_settings({}, '[projects.a]\nname = "A"\n') == load_settings({}, "")


def test_an_unknown_variable_names_the_nearest():
    assert problems({"LENSAI_LISTEN_PROT": "1"}) == [
        "LENSAI_LISTEN_PROT: no setting is called that; the nearest is LENSAI_LISTEN_PORT"
    ]


def test_what_kubernetes_says_of_a_service_called_lensai_is_not_a_setting():
    address = "tcp://10.0.0.7:8080"
    environ = {
        "LENSAI_SERVICE_HOST": "10.0.0.7",
        "LENSAI_SERVICE_PORT": "8080",
        "LENSAI_SERVICE_PORT_HTTP": "8080",
        "LENSAI_PORT": address,
        "LENSAI_PORT_8080_TCP": address,
        "LENSAI_GATEWAY_PORT_8080_TCP_ADDR": "10.0.0.7",
        "LENSAI_GATEWAY_PORT": address,
    }
    assert load_settings(environ, None) == load_settings({}, None)
    assert problems({"LENSAI_PORT": "8080"})[0].endswith("the nearest is LENSAI_ADMIN_PORT")


def test_an_unknown_name_in_the_file_names_its_line_and_the_nearest():
    assert problems({}, "# comment\n[settings]\nworker = 2\n") == [
        "lensai.toml line 3: worker: no setting is called that; the nearest is workers"
    ]


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("LENSAI_LISTEN_PORT", "eighty", "'eighty' is not a whole number from 0 to 65535"),
        ("LENSAI_LISTEN_PORT", "65536", "'65536' is not a whole number from 0 to 65535"),
        ("LENSAI_WORKERS", "0", "'0' is not a whole number from 1 to 256"),
        ("LENSAI_IDLE_TIMEOUT_MS", "1.5", "'1.5' is not a whole number from 1 to 86400000"),
        ("LENSAI_LOG_FORMAT", "xml", "'xml' is not one of auto, json, text"),
        ("LENSAI_LISTEN_HOST", "", "'' is not text of at least one character"),
    ],
)
def test_a_bad_value_names_variable_problem_and_fix(variable: str, value: str, problem: str):
    (line,) = problems({variable: value})
    assert line.startswith(f"{variable}: {problem}; set one, or remove it for the default ")


def test_values_in_the_file_have_toml_types():
    assert problems({}, '[settings]\nworkers = "2"\nlisten_port = true\nlisten_host = 1\n') == [
        "lensai.toml line 2: workers: '2' is not a whole number from 1 to 256; set one, or remove it for the default 1",
        "lensai.toml line 3: listen_port: True is not a whole number from 0 to 65535;"
        " set one, or remove it for the default 8080",
        "lensai.toml line 4: listen_host: 1 is not text of at least one character;"
        " set one, or remove it for the default '127.0.0.1'",
    ]


def test_every_problem_is_reported_at_once():
    assert len(problems({"LENSAI_WORKERS": "x", "LENSAI_NOPE": "1"}, '[settings]\nlog_level = "loud"\n')) == 3


def test_a_file_that_is_not_toml_names_the_line():
    assert problems({}, "[settings]\nworkers = \n") == ["lensai.toml: not TOML: Invalid value (at line 2, column 11)"]
    assert problems({}, "\nsettings = 3\n") == ["lensai.toml line 2: settings must be a table; write [settings]"]


def test_half_of_tls_is_refused():
    assert problems({"LENSAI_TLS_CERT_FILE": "a.pem"}) == [
        "tls_cert_file is set without tls_key_file; set both to serve TLS, or neither"
    ]
    assert problems({"LENSAI_TLS_KEY_FILE": "a.pem"}) == [
        "tls_key_file is set without tls_cert_file; set both to serve TLS, or neither"
    ]


def test_the_listening_port_may_not_be_a_workers_admin_port():
    environ = {"LENSAI_WORKERS": "3", "LENSAI_LISTEN_PORT": "8083"}
    assert problems(environ) == ["listen_port 8083 is also a worker's admin port; move listen_port or admin_port"]
    assert load_settings(environ | {"LENSAI_ADMIN_HOST": "127.0.0.2"}, None).listen_port == 8083
    assert load_settings({"LENSAI_LISTEN_PORT": "0", "LENSAI_ADMIN_PORT": "0"}, None).admin_port == 0


def test_the_file_is_in_the_data_directory_unless_the_environment_names_it():
    assert config_path({}) == Path(".lensai/lensai.toml")
    assert config_path({"LENSAI_DATA_DIR": "/var/lib/lensai"}) == Path("/var/lib/lensai/lensai.toml")
    assert config_path({"LENSAI_CONFIG_FILE": "/etc/lensai.toml"}) == Path("/etc/lensai.toml")


def test_the_path_is_that_of_the_file_that_was_read_even_if_it_moves_the_data_directory():
    settings = load_settings({}, '[settings]\ndata_dir = "/var/lib/lensai"\n')
    assert (settings.data_dir, settings.config_path) == ("/var/lib/lensai", Path(".lensai/lensai.toml"))
    (line,) = problems({}, '[settings]\nconfig_file = "elsewhere.toml"\n')
    assert line.endswith("a file cannot say where it is; set LENSAI_CONFIG_FILE in the environment")


def test_the_reference_page_is_current_and_is_what_the_command_prints():
    page = (ROOT / "docs/reference/settings.md").read_text()
    assert page == reference()
    command = [sys.executable, "-m", "gateway.settings"]
    assert subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, check=True).stdout.decode() == page


def test_a_proxy_of_the_settings_is_an_address_without_a_credential():
    assert load_settings(
        {"LENSAI_OUTBOUND_PROXY": "http://proxy.example:3128", "LENSAI_NO_PROXY": "a, .b, 10.0.0.0/8"}, None
    )
    (line,) = problems({"LENSAI_OUTBOUND_PROXY": "http://user:hunter2@proxy.example:3128"})
    assert line.startswith("outbound_proxy: a credential in the address")
    assert "hunter2" not in line
    assert problems({"LENSAI_OUTBOUND_PROXY": "proxy:3128"})[0].startswith("outbound_proxy: 'proxy:3128' is not scheme")
    assert problems({"LENSAI_NO_PROXY": "10.0.0.0/40"})[0].startswith("no_proxy: '10.0.0.0/40' is no host")


def test_what_belongs_to_a_proxy_needs_one():
    assert problems({"LENSAI_OUTBOUND_PROXY_CREDENTIAL_FILE": "x"}) == [
        "outbound_proxy_credential_file is set without outbound_proxy; set both, or neither"
    ]
    http = {"LENSAI_OUTBOUND_PROXY": "http://proxy.example:3128", "LENSAI_OUTBOUND_PROXY_CA_FILE": "x"}
    assert problems(http) == ["outbound_proxy_ca_file is set without an https outbound_proxy; set both, or neither"]


CONTROLLED = {
    "LENSAI_CONTROL_PLANE_URL": "https://control.example/base",
    "LENSAI_CONTROL_PLANE_TOKEN": "lgw_canary",
    "LENSAI_POLICY_KEYS": f"k1:{'ca' * 32},k2:{'fe' * 32}",
}


def test_a_control_plane_has_an_address_a_token_and_keys():
    settings = load_settings(CONTROLLED, None)
    assert settings.control_plane_url == "https://control.example/base"
    files = {"LENSAI_CONTROL_PLANE_TOKEN_FILE": "t", "LENSAI_POLICY_KEYS_FILE": "k"}
    assert load_settings({"LENSAI_CONTROL_PLANE_URL": "http://[::1]:8000"} | files, None).policy_keys_file == "k"


def test_secrets_are_in_no_repr_and_no_message():
    shown = repr(load_settings(CONTROLLED, None))
    assert "control_plane_token='…'" in shown
    assert not any(secret in shown for secret in ("lgw_canary", "caca", "fefe"))
    assert "control_plane_token=''" in repr(Settings())
    said = problems({}, '[settings]\ncontrol_plane_token = 12345678\npolicy_keys = ["cafe"]\n')
    assert [line.partition(": ")[2] for line in said] == [
        "control_plane_token: is not text; set one, or remove it",
        "policy_keys: is not text; set one, or remove it",
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"CONTROL_PLANE_TOKEN": ""}, "control_plane_url is set without control_plane_token; set it, or"),
        ({"POLICY_KEYS": ""}, "control_plane_url is set without policy_keys; set it, or policy_keys_file"),
        ({"POLICY_KEYS_FILE": "k"}, "policy_keys and policy_keys_file are both set; keep one"),
        ({"CONTROL_PLANE_TOKEN_FILE": "t"}, "control_plane_token and control_plane_token_file are both set; keep one"),
        (
            {"POLICY_KEYS": "k1:canary"},
            "policy_keys: the secret of 'k1' is neither hex nor base64; `lensai secrets new` prints one",
        ),
        ({"CONTROL_PLANE_URL": "control.example"}, "control_plane_url is not http[s]://host[:port][/path]; a secret"),
        (
            {"CONTROL_PLANE_URL": "https://u:canary@x"},
            "control_plane_url is not http[s]://host[:port][/path]; a secret",
        ),
        ({"CONTROL_PLANE_URL": "https://x/?a=canary"}, "control_plane_url is not http[s]://host[:port][/path]; a"),
        ({"CONTROL_PLANE_URL": "http://x", "CONTROL_PLANE_CA_FILE": "c"}, "control_plane_ca_file is set without an"),
    ],
)
def test_half_of_a_control_plane_is_refused(changed: dict[str, str], line: str):
    environ = {**CONTROLLED, **{f"LENSAI_{name}": value for name, value in changed.items()}}
    [said] = problems(environ)
    assert said.startswith(line)
    assert "canary" not in said


def test_what_belongs_to_a_control_plane_needs_one():
    assert problems({name: value for name, value in CONTROLLED.items() if not name.endswith("URL")}) == [
        "control_plane_token is set without control_plane_url; set both, or neither",
        "policy_keys is set without control_plane_url; set both, or neither",
    ]
    assert problems({"LENSAI_CONTROL_PLANE_CA_FILE": "c"}) == [
        "control_plane_ca_file is set without an https control_plane_url; set both, or neither"
    ]
