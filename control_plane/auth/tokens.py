"""Owns secrets that programs and browsers show: how they look, how they are drawn, and what is stored of them."""

import hashlib
import secrets
from typing import Literal, NamedTuple

# What each is for is seen from its first letters, also by programs that search for leaked secrets.
Purpose = Literal["lk-", "lst_", "lgw_", "lss_", "lml_", "lis_"]
_BYTES = 32
_PREFIX_CHARS = 6


class Token(NamedTuple):
    """`secret` is shown once; `prefix` is what people recognise it by; `sha256` is stored."""

    secret: str
    prefix: str
    sha256: str


def new_token(purpose: Purpose) -> Token:
    """A token with 256 random bits. `lk-` is a caller's key, `lst_` a service token, `lgw_` a gateway's, `lss_` a
    session, `lml_` a sign-in link, `lis_` the secret of an ingest key."""
    secret = purpose + secrets.token_urlsafe(_BYTES)
    return Token(secret, secret[: len(purpose) + _PREFIX_CHARS], digest(secret))


def digest(secret: str) -> str:
    """Lower-case hex of the SHA-256: enough for secrets that were drawn and not thought up."""
    return hashlib.sha256(secret.encode()).hexdigest()
