"""Owns how secrets with ids are written in settings, alike in the control plane and in its gateways.

A ring is `id:secret,id2:secret2`, each secret 32 bytes or more in hex or base64. Its first key is the current one; the
others are still believed, so that keys rotate with overlap.
"""

import base64
import binascii
import re

# As long as what HMAC-SHA256 makes of it, and as AES-256 asks.
SECRET_BYTES_MIN = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_FIX = "`lensai secrets new` prints one"


class RingError(ValueError):
    """A ring that cannot be used; the message says what to do and never holds a secret."""


def read_ring(text: str) -> dict[str, bytes]:
    """Key id -> secret, in order. Raises RingError, also where there is no key."""
    ring: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        key_id, colon, encoded = entry.partition(":")
        if not colon or not _ID.fullmatch(key_id):
            raise RingError(f"key {number} is not id:secret, with an id of letters, digits, '-' and '_'; {_FIX}")
        if key_id in ring:
            raise RingError(f"the key id {key_id!r} is there twice; each key needs its own")
        ring[key_id] = _secret(encoded, key_id)
    if not ring:
        raise RingError(f"at least one key is needed; {_FIX}")
    return ring


def _secret(encoded: str, key_id: str) -> bytes:
    try:
        secret = bytes.fromhex(encoded) if _HEX.fullmatch(encoded) else base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise RingError(f"the secret of {key_id!r} is neither hex nor base64; {_FIX}") from None
    if len(secret) < SECRET_BYTES_MIN:
        raise RingError(f"the secret of {key_id!r} has {len(secret)} bytes and needs {SECRET_BYTES_MIN}; {_FIX}")
    return secret
