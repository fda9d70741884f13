"""Owns what a batch's signature is, and whether one is right. Knows no key's owner and no clock.

    x-lensai-timestamp: 1790000000
    x-lensai-signature: v1=<hex of HMAC-SHA256(secret, timestamp + "." + body as sent)>

Several signatures may stand there with commas between, so that a sender can sign with two secrets while it rotates.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator

# Five minutes, as Stripe and Standard Webhooks have it: more than clocks of machines that keep time differ.
TOLERANCE_S = 300
# One for each secret that may sign, and room for a scheme to come.
SIGNATURES_MAX = 4

_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v1=([0-9a-f]{64})")


def sign(secret: bytes, timestamp: bytes, body: bytes) -> bytes:
    """The value of the header `x-lensai-signature`."""
    return b"v1=" + _mac(secret, timestamp, body)


def is_signed(secrets: Iterable[bytes], timestamp: bytes, body: bytes, shown: bytes) -> bool:
    """Whether one of the secrets made one of the signatures that are shown."""
    signatures = list(_signatures(shown))
    right = False
    for secret in secrets:
        made = _mac(secret, timestamp, body)
        for signature in signatures:
            right |= hmac.compare_digest(made, signature)
    return right


def signed_at_s(timestamp: bytes) -> int | None:
    """The second that a timestamp names; None where it is none."""
    return int(timestamp) if _TIMESTAMP.fullmatch(timestamp) else None


def _signatures(shown: bytes) -> Iterator[bytes]:
    for part in shown.split(b",", SIGNATURES_MAX)[:SIGNATURES_MAX]:
        if found := _SIGNATURE.fullmatch(part.strip()):
            yield found[1]


def _mac(secret: bytes, timestamp: bytes, body: bytes) -> bytes:
    mac = hmac.new(secret, timestamp + b".", hashlib.sha256)
    mac.update(body)
    return mac.hexdigest().encode()
