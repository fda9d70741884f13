import pytest

from gateway.sandbox.controls import Controls, misused_on_socket, read_controls
from tests.support.processes import ROOT

DEFAULTS = Controls(tokens=7, frozen=True)


def test_without_headers_the_defaults_hold():
    assert read_controls({"host": "a"}, DEFAULTS) is DEFAULTS


def test_headers_stand_over_the_defaults():
    controls = read_controls(
        {"x-sandbox-delay-ms": "20", "x-sandbox-frozen": "false", "x-sandbox-mark": "a b"}, DEFAULTS
    )

    assert controls == Controls(tokens=7, delay_ms=20, mark="a b")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-sandbox-speed", "1"),
        ("x-sandbox-tokens", "many"),
        ("x-sandbox-tokens", "-1"),
        ("x-sandbox-tokens", "1000001"),
        ("x-sandbox-encoding", "zstd"),
        ("x-sandbox-frozen", "perhaps"),
        ("x-sandbox-chunk-tokens", "0"),
    ],
)
def test_a_control_that_would_be_ignored_is_an_error(name: str, value: str):
    assert isinstance(read_controls({name: value}, DEFAULTS), str)


def test_every_control_is_documented():
    page = (ROOT / "docs/reference/sandbox.md").read_text()

    assert [name for name in Controls.__struct_encode_fields__ if f"| `{name}` |" not in page] == []


def test_how_bodies_are_sent_means_nothing_to_a_websocket():
    assert misused_on_socket({"x-sandbox-framing": "length"}) == "x-sandbox-framing: not for a WebSocket"
    assert misused_on_socket({"x-sandbox-tokens": "5", "connection": "upgrade"}) == ""
