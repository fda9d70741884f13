import base64

import pytest

from control_plane.keyring import Keyring, KeyringError, new_key, read_ring

OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring({"old": OLD})
ROTATED = Keyring({"new": NEW, "old": OLD})


def test_what_is_sealed_is_opened_for_its_context_alone():
    sealed = RING.seal("sk-secret", "provider_credentials:1")
    assert "sk-secret" not in sealed
    assert RING.open(sealed, "provider_credentials:1") == "sk-secret"
    with pytest.raises(KeyringError, match="belongs to another row"):
        RING.open(sealed, "provider_credentials:2")


def test_the_same_text_is_sealed_differently_each_time():
    assert RING.seal("text", "a") != RING.seal("text", "a")


def test_a_key_rotates_with_overlap():
    sealed = RING.seal("text", "a")
    assert ROTATED.open(sealed, "a") == "text"
    assert ROTATED.is_stale(sealed)
    anew = ROTATED.seal("text", "a")
    assert not ROTATED.is_stale(anew)
    assert Keyring({"new": NEW}).open(anew, "a") == "text"
    with pytest.raises(KeyringError, match="sealed by the key 'old'"):
        Keyring({"new": NEW}).open(sealed, "a")


@pytest.mark.parametrize(
    "change", [lambda body: body[:-4], lambda body: "x", lambda body: "AAAA" + body[4:], lambda _: ""]
)
def test_what_was_changed_is_not_opened(change):
    key_id, _, body = RING.seal("text", "a").partition(".")
    with pytest.raises(KeyringError, match="was changed"):
        RING.open(f"{key_id}.{change(body)}", "a")


def test_a_signature_holds_for_its_message_and_purpose():
    signature = RING.sign(b"message", "export")
    assert ROTATED.is_signed(b"message", signature, "export")
    assert not ROTATED.is_signed(b"messagE", signature, "export")
    assert not ROTATED.is_signed(b"message", signature, "csrf")
    assert not Keyring({"new": NEW}).is_signed(b"message", signature, "export")
    assert not ROTATED.is_signed(b"message", "old", "export")


def test_a_ring_is_read_in_order_from_hex_and_base64():
    text = f" b:{NEW.hex()} , a:{base64.b64encode(OLD).decode()},"
    assert list(read_ring(text).items()) == [("b", NEW), ("a", OLD)]
    assert read_ring("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abcdef", "key 1 is not id:secret"),
        ("a b:00", "key 1 is not id:secret"),
        (f"a:{OLD.hex()},a:{NEW.hex()}", "'a' is there twice"),
        ("a:###", "neither hex nor base64"),
        ("a:0011", "has 2 bytes and needs 32"),
    ],
)
def test_a_bad_ring_is_told_without_its_secret(text, said):
    with pytest.raises(KeyringError, match=said) as fault:
        read_ring(text)
    assert text.partition(":")[2] not in str(fault.value) or not text.partition(":")[2]


def test_a_new_key_is_an_entry_of_a_ring():
    assert read_ring(new_key("k1", lambda count: b"r" * count)) == {"k1": b"r" * 32}


def test_a_ring_needs_a_key_and_shows_no_secret():
    with pytest.raises(KeyringError, match="at least one key"):
        Keyring({})
    assert repr(ROTATED) == "Keyring(new, old)"
