"""Owns the keys that come from the environment: sealing secrets for the database, and signatures that others check.

The first key of a ring is the current one; the others still open what they sealed, so that keys rotate with overlap.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.contract import rings

_NONCE_BYTES = 12


class KeyringError(ValueError):
    """A ring that cannot be used; the message never holds a secret."""


class Keyring:
    """Keys by id; the first is current. Its repr shows ids alone."""

    def __init__(self, secrets: Mapping[str, bytes], random: Callable[[int], bytes] = os.urandom) -> None:
        """Raises KeyringError if there is no key."""
        if not secrets:
            raise KeyringError("at least one key is needed; `lensai secrets new` prints one")
        self.secrets = dict(secrets)
        self.current = next(iter(self.secrets))
        self._random = random

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.secrets)})"

    def seal(self, text: str, context: str) -> str:
        """Text that only a holder of the key can read, for this context alone (such as the row's id)."""
        nonce = self._random(_NONCE_BYTES)
        sealed = AESGCM(self._derive(self.current, "seal")).encrypt(nonce, text.encode(), context.encode())
        return f"{self.current}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, context: str) -> str:
        """The text. Raises KeyringError if its key is not in the ring, or it is not what was sealed for the context."""
        key_id, _, body = sealed.partition(".")
        if key_id not in self.secrets:
            raise KeyringError(f"sealed by the key {key_id[:32]!r}, which is not in the ring; add it again")
        try:
            raw = base64.urlsafe_b64decode(body)
            text = AESGCM(self._derive(key_id, "seal")).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()
            )
        except (InvalidTag, ValueError):
            raise KeyringError("what is stored was changed, or belongs to another row") from None
        return text.decode()

    def is_stale(self, sealed: str) -> bool:
        """Whether it should be sealed anew, by the current key."""
        return not sealed.startswith(f"{self.current}.")

    def sign(self, message: bytes, purpose: str) -> str:
        """`id.signature`, HMAC-SHA256 by the current key."""
        return f"{self.current}.{_mac(self._derive(self.current, purpose), message)}"

    def is_signed(self, message: bytes, signature: str, purpose: str) -> bool:
        """Whether any key of the ring signed this for the purpose."""
        key_id, _, mac = signature.partition(".")
        return key_id in self.secrets and hmac.compare_digest(mac, _mac(self._derive(key_id, purpose), message))

    def _derive(self, key_id: str, purpose: str) -> bytes:
        """A key of its own for each purpose: HMAC as a one-step KDF, NIST SP 800-56C."""
        return hmac.new(self.secrets[key_id], b"lensai/" + purpose.encode(), hashlib.sha256).digest()


def read_ring(text: str) -> dict[str, bytes]:
    """Key id -> secret, in order; none where nothing is set. Raises KeyringError with what to do."""
    try:
        return rings.read_ring(text) if text.strip() else {}
    except rings.RingError as fault:
        raise KeyringError(str(fault)) from None


def new_key(key_id: str, random: Callable[[int], bytes] = os.urandom) -> str:
    """An entry for a ring."""
    return f"{key_id}:{random(rings.SECRET_BYTES_MIN).hex()}"


def _mac(secret: bytes, message: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.new(secret, message, hashlib.sha256).digest()).rstrip(b"=").decode()
