import hashlib
from typing import get_args

import pytest

from control_plane.auth.tokens import Purpose, digest, new_token


@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_a_token_says_what_it_is_for_and_is_stored_as_its_hash(purpose):
    token = new_token(purpose)
    assert token.secret.startswith(purpose)
    assert token.prefix == token.secret[: len(purpose) + 6]
    assert token.sha256 == hashlib.sha256(token.secret.encode()).hexdigest() == digest(token.secret)


def test_tokens_have_256_bits_and_do_not_repeat():
    drawn = {new_token("lst_").secret for _ in range(1000)}
    assert len(drawn) == 1000
    assert {len(secret) for secret in drawn} == {len("lst_") + 43}
