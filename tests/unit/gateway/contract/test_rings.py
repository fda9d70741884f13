import base64

import pytest

from control_plane.keyring import KeyringError
from control_plane.keyring import read_ring as of_control_plane
from control_plane.settings import SettingsError as ControlPlaneSettingsError
from control_plane.settings import load_settings as control_plane_settings
from gateway.contract.rings import RingError, read_ring
from gateway.settings import SettingsError, load_settings

A, B = b"a" * 32, b"b" * 33
GATEWAY = {"LENSAI_CONTROL_PLANE_URL": "http://localhost:8000", "LENSAI_CONTROL_PLANE_TOKEN": "lgw_x"}


def test_keys_are_read_in_order_from_hex_and_base64():
    text = f" b_2:{B.hex()} , a-1:{base64.b64encode(A).decode()},\n"
    assert list(read_ring(text).items()) == [("b_2", B), ("a-1", A)]


BAD = [
    ("secret-without-id", "key 1 is not id:secret"),
    (f"ä:{A.hex()}", "key 1 is not id:secret"),
    (f"a:{A.hex()},a b:canary", "key 2 is not id:secret"),
    (f"a:{A.hex()},a:{B.hex()}", "the key id 'a' is there twice; each key needs its own"),
    ("a:#canary", "the secret of 'a' is neither hex nor base64; `lensai secrets new` prints one"),
    ("a:" + "00" * 31, "the secret of 'a' has 31 bytes and needs 32; `lensai secrets new` prints one"),
]


@pytest.mark.parametrize(("text", "why"), [*BAD, ("", "at least one key is needed"), (" , ", "at least one key")])
def test_what_cannot_be_used_is_told_without_its_secret(text: str, why: str):
    with pytest.raises(RingError) as fault:
        read_ring(text)
    assert why in str(fault.value)
    assert "canary" not in str(fault.value)
    assert "secret-without-id" not in str(fault.value)


@pytest.mark.parametrize(("text", "why"), BAD)
def test_a_gateway_and_a_control_plane_refuse_it_in_the_same_words(text: str, why: str):
    with pytest.raises(SettingsError) as at_gateway:
        load_settings({**GATEWAY, "LENSAI_POLICY_KEYS": text}, None)
    with pytest.raises(ControlPlaneSettingsError) as at_control_plane:
        control_plane_settings({"LENSAI_CONTROL_POLICY_KEYS": text})
    assert str(at_gateway.value).partition(": ")[2] == str(at_control_plane.value).partition(": ")[2]
    assert why in str(at_gateway.value)
    with pytest.raises(KeyringError):
        of_control_plane(text)


def test_both_take_what_either_takes():
    for text in (f"a:{A.hex()}", f"a:{base64.b64encode(A).decode()}", f"{'i' * 64}:{A.hex().upper()},"):
        assert of_control_plane(text) == read_ring(text)
        assert load_settings({**GATEWAY, "LENSAI_POLICY_KEYS": text}, None).policy_keys == text
        assert control_plane_settings({"LENSAI_CONTROL_POLICY_KEYS": text}).policy_keys == text
