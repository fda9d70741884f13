"""Owns what a control plane and its gateways say to each other: the policy item by item, and what was spent.

A line is `<key id>.<HMAC-SHA256, base64url>.<JSON>`; what it says is believed once its signature is right, it answers
this gateway's own question (`nonce`) and no line before it is missing (`number`).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.contract.policy import (
    Credential,
    Key,
    KillSwitch,
    PriceOverride,
    Project,
    Quota,
    QuotaOverride,
    Upstream,
)

Kind = Literal[
    "project", "key", "upstream", "credential", "price_override", "quota", "quota_override", "kill_switch"
]  # fmt: skip

# What an item's body is, by its kind.
BODIES: Mapping[Kind, type[msgspec.Struct]] = {
    "project": Project,
    "key": Key,
    "upstream": Upstream,
    "credential": Credential,
    "price_override": PriceOverride,
    "quota": Quota,
    "quota_override": QuotaOverride,
    "kill_switch": KillSwitch,
}
# Items of one line: it is read in a few milliseconds, between two turns of a loop that serves callers.
ITEMS_MAX = 200
# A line that says only that the control plane is there comes so often; a stream silent for three of them is dead.
HEARTBEAT_S = 2.0

# The body of what is gone.
GONE = msgspec.Raw(b"null")


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of one thing at a version. `body` is JSON of its kind's structure; `null`, or None: it is gone."""

    kind: Kind
    id: str
    version: int
    body: msgspec.Raw = GONE  # msgspec knows no union of it with anything

    @property
    def gone(self) -> bool:
        return bytes(self.body) == b"null"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line. All lines up to one that is `complete` take effect together."""

    nonce: str  # the question's, so that no old answer passes for a new one
    number: int  # from 0, without a gap
    version: int  # of the policy once this line and all before it are in
    reset: bool = False  # everything known before is void: what follows is the whole
    complete: bool = True
    items: tuple[Item, ...] = ()
    sent_at_ms: int = 0  # by the control plane's clock; 0: it does not say


class CounterState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One counter of a quota. Amounts are nano-USD where the quota's unit is usd, else counts."""

    quota_id: str
    counter: str  # its name in the ledger, which holds the window
    starts_at_s: int
    ends_at_s: int
    settled: int
    held: int
    limit: int | None = None
    values: dict[str, str] = {}  # of the dimensions that the quota counts apart


class Crossing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A threshold of a quota was crossed in a window; told until the control plane has heard it."""

    quota_id: str
    counter: str
    percent: int
    settled: int
    limit: int
    starts_at_s: int
    ends_at_s: int
    at_s: int


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker has to say; sent every second, again until it was taken."""

    node: str  # of the journal's directory: one for each worker, the same after a restart
    sent_at_ms: int
    policy_version: int
    shared: bool  # counters are those of all nodes together
    inflight: int = 0
    inflight_by_project: dict[str, int] = {}  # of those the control plane has published
    counters: tuple[CounterState, ...] = ()  # all that changed since the report before
    crossings: tuple[Crossing, ...] = ()
    keys_used: dict[str, int] = {}  # key id -> when it was last used, seconds since the epoch


class Forged(ValueError):
    """A line that cannot be believed; the message says why, and nothing of what it says."""


def seal(part: Part, key_id: str, secret: bytes) -> bytes:
    """The line of a part, with its newline. A key's id is of letters, digits, `-` and `_`."""
    body = msgspec.json.encode(part)
    return b".".join((key_id.encode("ascii"), _signature(body, secret), body)) + b"\n"


def unseal(line: bytes, secrets: Mapping[str, bytes]) -> Part:
    """What a line says, signed by any of the secrets (key id -> secret). Raises Forged."""
    key_id, first, rest = line.rstrip(b"\n").partition(b".")
    signature, second, body = rest.partition(b".")
    if not (first and second):
        raise Forged("the line has no signature")
    secret = secrets.get(key_id.decode("ascii", "replace"))
    if secret is None:
        raise Forged("the line is signed by a key that is not known here")
    if not hmac.compare_digest(signature, _signature(body, secret)):
        raise Forged("the signature is wrong")
    try:
        return _parts.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Forged(f"the line is not of a format that is known here: {type(error).__name__}") from None


def _signature(body: bytes, secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.new(secret, body, hashlib.sha256).digest()).rstrip(b"=")


_parts = msgspec.json.Decoder(Part)
