import hashlib
import re

from control_plane.auth.tokens import digest, new_token


def test_a_token_says_what_it_is_for_and_holds_256_random_bits():
    token = new_token("lst_")
    assert re.fullmatch(r"lst_[\w-]{43}", token.secret)
    assert token.secret.startswith(token.prefix)
    assert len(token.prefix) == len("lst_") + 6
    assert new_token("lst_").secret != token.secret


def test_what_is_stored_is_its_sha256():
    token = new_token("lgw_")
    assert token.sha256 == digest(token.secret) == hashlib.sha256(token.secret.encode()).hexdigest()
