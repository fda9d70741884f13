"""Owns targets at rest: sealed for their rule, and what of them may be shown."""

import base64
import os
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from control_plane.alerts.schema import EmailTarget, SlackTarget, SlackWebhookTarget, Target, WebhookTarget
from control_plane.keyring import Keyring

# After a rotation both secrets sign, so that a receiver can be changed without losing a message.
OVERLAP_MS = 86_400_000
_SECRET_BYTES = 32


class StoredWebhook(msgspec.Struct, frozen=True, tag_field="channel", tag="webhook"):
    """A receiver of signed messages; the previous secret signs too, until then."""

    url: str
    secret: str
    previous: str = ""
    previous_until_ms: int = 0

    def __repr__(self) -> str:
        return "StoredWebhook(…)"

    def secrets(self, now_ms: int) -> tuple[str, ...]:
        """Those that sign now, the newest first."""
        overlaps = self.previous and now_ms < self.previous_until_ms
        return (self.secret, self.previous) if overlaps else (self.secret,)

    def rotated(self, now_ms: int, secret: str) -> "StoredWebhook":
        return StoredWebhook(self.url, secret, self.secret, now_ms + OVERLAP_MS)


Stored = SlackTarget | SlackWebhookTarget | EmailTarget | StoredWebhook


def new_secret(random: Callable[[int], bytes] = os.urandom) -> str:
    """A signing secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(random(_SECRET_BYTES)).decode()


def stored(target: Target) -> Stored:
    """What is kept of a target; a webhook without a secret gets one."""
    if isinstance(target, WebhookTarget):
        return StoredWebhook(target.url, target.secret or new_secret())
    return target


def seal(keyring: Keyring, rule_id: str, target: Stored) -> str:
    return keyring.seal(msgspec.json.encode(target).decode(), _context(rule_id))


def open_target(keyring: Keyring, rule_id: str, sealed: str) -> Stored:
    """Raises KeyringError."""
    return msgspec.json.decode(keyring.open(sealed, _context(rule_id)), type=Stored)


def hint(target: Stored) -> str:
    """Enough to recognise a target, too little to use it."""
    if isinstance(target, SlackTarget):
        return target.channel_id
    if isinstance(target, EmailTarget):
        user, _, host = target.address.rpartition("@")
        return f"{user[0]}…@{host}"
    return f"{urlsplit(target.url).hostname}/…"


def _context(rule_id: str) -> str:
    return f"alert_rules:{rule_id}"
