import hashlib
import hmac

import pytest

from control_plane.ingest.signature import SIGNATURES_MAX, is_signed, sign, signed_at_s

SECRET, OTHER = b"lis_one", b"lis_two"
AT, BODY = b"1790000000", b'[{"request_id":"1"}]'


def test_it_is_what_the_documentation_says():
    expected = hmac.new(SECRET, b'1790000000.[{"request_id":"1"}]', hashlib.sha256).hexdigest()
    assert sign(SECRET, AT, BODY) == b"v1=" + expected.encode()


def test_any_secret_that_may_sign_is_believed():
    assert is_signed([OTHER, SECRET], AT, BODY, sign(SECRET, AT, BODY))
    assert is_signed([SECRET], AT, BODY, sign(OTHER, AT, BODY) + b" , " + sign(SECRET, AT, BODY))
    assert is_signed([SECRET], AT, BODY, b"v2=later," + sign(SECRET, AT, BODY))


@pytest.mark.parametrize(
    ("timestamp", "body", "shown"),
    [
        (AT, BODY, b""),
        (AT, BODY, b"v1="),
        (AT, BODY, sign(OTHER, AT, BODY)),
        (AT, BODY, sign(SECRET, AT, BODY)[:-1]),
        (AT, BODY, sign(SECRET, AT, BODY).upper()),
        (AT, BODY, sign(SECRET, AT, BODY)[3:]),
        (AT, BODY + b" ", sign(SECRET, AT, BODY)),
        (b"1790000001", BODY, sign(SECRET, AT, BODY)),
        (b"", BODY, sign(SECRET, AT, BODY)),
        (AT, BODY, b"," * SIGNATURES_MAX + sign(SECRET, AT, BODY)),
    ],
)
def test_c27_nothing_else_is(timestamp, body, shown):
    assert not is_signed([SECRET], timestamp, body, shown)


def test_without_a_secret_nothing_is_signed():
    assert not is_signed([], AT, BODY, sign(SECRET, AT, BODY))


def test_a_timestamp_is_whole_seconds():
    assert (signed_at_s(b"0"), signed_at_s(AT)) == (0, 1_790_000_000)
    for text in (b"-1", b"", b"1e9", b" 1", b"1.5", b"9" * 13, b"\xb2"):
        assert signed_at_s(text) is None
