import pytest

from gateway.cli.beside import Beside, NotReady, prepare, render
from gateway.settings import Settings


def environ(**more: str) -> dict[str, str]:
    return {"LENSAI_CONTROL_LISTEN_PORT": "0", **more}


def test_it_is_made_ready_in_the_gateways_directory_and_tells_a_gateway_what_it_needs(tmp_path):
    settings = Settings(data_dir=str(tmp_path))
    made = prepare(settings, environ(), "http://127.0.0.1:8080")
    assert made.url.startswith("http://127.0.0.1:")
    assert (made.owner, made.sign_in is not None) == ("owner@localhost", True)
    assert made.environ["LENSAI_CONTROL_DATA_DIR"] == str(tmp_path)
    assert made.environ["LENSAI_CONTROL_PLANE_URL"] == made.url
    assert made.environ["LENSAI_CONTROL_GATEWAY_URL"] == "http://127.0.0.1:8080"
    assert made.environ["LENSAI_CONTROL_PLANE_TOKEN"].startswith("lgw_")
    assert (tmp_path / "control-plane.sqlite").exists()

    again = prepare(settings, environ())
    assert again.sign_in is None
    assert again.environ["LENSAI_CONTROL_PLANE_TOKEN"] == made.environ["LENSAI_CONTROL_PLANE_TOKEN"]


def test_what_keeps_it_from_running_is_told(tmp_path):
    with pytest.raises(NotReady, match="LENSAI_CONTROL_PUBLIC_URL: write http"):
        prepare(Settings(data_dir=str(tmp_path)), environ(LENSAI_CONTROL_PUBLIC_URL="ftp://x"))


def test_a_sign_in_link_is_shown_when_there_is_one():
    said = render(Beside("http://127.0.0.1:8000", "ada@x.example", "http://127.0.0.1:8000/sign-in#token=x", {}))
    assert said.endswith("token=x")


@pytest.mark.parametrize(
    ("data_dir", "command"),
    [
        (".lensai", "lensai control-plane sign-in ada@x.example"),
        ("/my data", "LENSAI_CONTROL_DATA_DIR='/my data' lensai control-plane sign-in ada@x.example"),
    ],
)
def test_a_later_start_says_which_command_makes_another_link(data_dir, command):
    environ = {"LENSAI_CONTROL_DATA_DIR": data_dir}
    said = render(Beside("http://127.0.0.1:8000", "ada@x.example", None, environ))
    assert said.endswith(f"A new link to sign in: {command}")
