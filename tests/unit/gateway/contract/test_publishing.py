import base64
import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.contract.policy import Key
from gateway.contract.publishing import BODIES, GONE, Forged, Item, Part, Report, seal, unseal

SECRETS = {"k1": b"first-secret-of-the-policy", "k2": b"second-secret-of-the-policy"}
KEY = Key("alice", "web", "0" * 64)
PART = Part(
    "nonce", 3, 17, items=(Item("key", "alice", 17, msgspec.Raw(msgspec.json.encode(KEY))), Item("key", "bob", 16))
)
LINE = seal(PART, "k1", SECRETS["k1"])


def test_a_sealed_part_is_one_line_that_says_the_same():
    assert LINE.count(b"\n") == 1
    assert LINE.endswith(b"\n")
    part = unseal(LINE, SECRETS)
    assert msgspec.json.encode(part) == msgspec.json.encode(PART)
    alice, bob = part.items
    assert (msgspec.json.decode(alice.body, type=BODIES[alice.kind]), alice.gone, bob.gone) == (KEY, False, True)


def test_what_is_gone_is_null_on_the_wire():
    assert msgspec.json.encode(Item("key", "bob", 16)) == b'{"kind":"key","id":"bob","version":16,"body":null}'
    assert bytes(GONE) == b"null"


@pytest.mark.parametrize("key_id", ["k1", "k2"])
def test_every_listed_secret_is_believed_so_that_one_can_take_over_from_the_other(key_id: str):
    assert unseal(seal(PART, key_id, SECRETS[key_id]), SECRETS).version == 17


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "no signature"),
        (b"\n", "no signature"),
        (b"k1", "no signature"),
        (b"k1.abc", "no signature"),
        (b"<html>502 Bad Gateway</html>\n", "no signature"),
        (b"\xff\xfe." + LINE.split(b".", 1)[1], "not known here"),
        (seal(PART, "k3", b"a stranger's"), "not known here"),
        (seal(PART, "k1", b"a stranger's"), "signature is wrong"),
        (b"k2." + LINE.split(b".", 1)[1], "signature is wrong"),
        (LINE.replace(b'"number":3', b'"number":4'), "signature is wrong"),
        (LINE[:-2] + b"\n", "signature is wrong"),
        (LINE.rstrip(b"\n") + b" \n", "signature is wrong"),
    ],
)
def test_a_line_that_anybody_else_wrote_or_changed_is_forged(line: bytes, why: str):
    with pytest.raises(Forged, match=why):
        unseal(line, SECRETS)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"nonce":"n"}', b"[" * 100_000, b'{"nonce":"\xff"}'])
def test_a_signature_does_not_make_sense_of_what_has_none(body: bytes):
    signature = base64.urlsafe_b64encode(hmac.new(SECRETS["k1"], body, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(Forged, match="not of a format"):
        unseal(b"k1." + signature + b"." + body, SECRETS)


def test_a_field_of_a_later_version_is_not_read_as_ours():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(PART)[:-1] + b',"more":1}', type=Part)


@given(some.binary(max_size=200))
def test_no_bytes_but_a_sealed_line_are_believed(noise: bytes):
    with pytest.raises(Forged):
        unseal(noise, SECRETS)


@given(some.integers(0, len(LINE) - 2), some.integers(1, 255))
def test_no_changed_byte_is_believed(at: int, flip: int):
    changed = LINE[:at] + bytes([LINE[at] ^ flip]) + LINE[at + 1 :]
    with pytest.raises(Forged):
        unseal(changed, SECRETS)


def test_a_report_reads_back_as_it_was():
    report = Report("node", 1, 17, False, inflight=2, keys_used={"alice": 5})
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
