"""Owns `lensai secrets`: new keys in front of older ones, and sealing anew what older ones sealed.

Keys rotate with overlap: a new one is put in front, every process is restarted, then `rotate` seals all anew; then the
older one seals nothing and may go. The rows that hold something sealed are all named here.
"""

import argparse
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts.tables import AlertRule
from control_plane.api.tables import IdempotentAnswer
from control_plane.auth.tables import OutgoingMail
from control_plane.cli.operator import Operator, run, told
from control_plane.db.base import Base
from control_plane.ingest.tables import IngestKey, Redaction
from control_plane.key_file import RINGS, path, put_in_front, ring_texts
from control_plane.keyring import KeyringError, new_key, read_ring
from control_plane.providers.tables import ProviderCredential
from control_plane.settings import PREFIX, SettingsError, load_settings

# Rows that are sealed anew in one transaction: a second or less of SQLite's one writer.
CHUNK = 500


class Sealed(NamedTuple):
    """A column whose text is sealed, and the context it is sealed for."""

    table: type[Base]
    column: str
    context: Callable[[Any], str]


def _by_id(row: Any) -> str:
    return f"{row.__tablename__}:{row.id}"


def _by_actor_and_key(row: Any) -> str:
    return f"{row.__tablename__}:{row.actor}:{row.key}"


SEALED: Sequence[Sealed] = (
    Sealed(ProviderCredential, "sealed", _by_id),
    Sealed(AlertRule, "sealed_target", _by_id),
    Sealed(OutgoingMail, "sealed", _by_id),
    Sealed(IngestKey, "sealed", _by_id),
    Sealed(Redaction, "sealed", _by_id),
    # Forgotten after a day, with or without this.
    Sealed(IdempotentAnswer, "sealed", _by_actor_and_key),
)


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    if arguments.action == "new":
        return _new(arguments.ring or RINGS)
    return run(f"secrets {arguments.action}", rotate if arguments.action == "rotate" else status)


def _new(rings: Sequence[str]) -> int:
    """A key in front of each ring: in the private file, or alone on standard output for whoever holds the settings."""
    try:
        settings = load_settings(_without_rings())
        set_outside = [ring for ring in rings if os.environ.get(PREFIX + ring.upper()) or not path(settings).exists()]
        for ring in rings:
            entry = new_key(f"k{secrets.token_hex(4)}")
            if ring in set_outside:
                _say(f"Put this in front of {PREFIX}{ring.upper()}, with a comma between what is there:")
                print(entry)
            else:
                put_in_front(settings, ring, entry)
                _say(f"{path(settings)}: {ring} has a new key in front, {entry.partition(':')[0]}.")
    except (SettingsError, KeyringError) as fault:
        return told("secrets new", fault)
    except OSError as fault:
        return told("secrets new", f"cannot write {fault.filename}: {fault.strerror}")
    if "policy_keys" in rings:
        _say("Gateways first: each needs the new policy key in LENSAI_POLICY_KEYS before it is signed with.")
    _say("Restart every process of the control plane, then run `lensai secrets rotate`.")
    return 0


def _say(text: str) -> None:
    """Beside what a shell may take for a variable."""
    print(text, file=sys.stderr, flush=True)


async def rotate(operator: Operator) -> int:
    """Seals anew, with the current key, whatever an older one sealed."""
    keyring, anew = operator.rings.secrets, 0
    for sealed in SEALED:
        after: tuple[Any, ...] | None = None
        while True:
            async with operator.changing() as session:
                rows = await _rows(session, sealed, after)
                for row in rows:
                    text = getattr(row, sealed.column)
                    if keyring.is_stale(text):
                        context = sealed.context(row)
                        setattr(row, sealed.column, keyring.seal(keyring.open(text, context), context))
                        anew += 1
            if not rows:
                break
            after = _place(sealed, rows[-1])
    if anew:
        async with operator.changing() as session:
            await operator.audited(session, "secrets:rotate", f"secrets:{keyring.current}")
    print(f"Sealed anew with {keyring.current}: {anew}.")
    return await status(operator)


async def status(operator: Operator) -> int:
    """Which key seals how much; 1 where something is sealed by a key that is not here."""
    counts = await _counts(operator)
    keyring = operator.rings.secrets
    print("secret_keys")
    for key_id in keyring.secrets:
        note = "current" if key_id == keyring.current else "may be removed" if not counts[key_id] else "still needed"
        print(f"  {key_id:<16} seals {counts[key_id]}, {note}")
    missing = {key_id: count for key_id, count in counts.items() if key_id not in keyring.secrets}
    for key_id, count in missing.items():
        print(f"  {key_id:<16} seals {count}, and is not here: add it again")
    print("policy_keys")
    for key_id in read_ring(ring_texts(operator.settings)["policy_keys"]):
        signs = key_id == operator.rings.policy.current
        print(f"  {key_id:<16} {'signs' if signs else 'may be removed; in gateways, once all have the one that signs'}")
    return 1 if missing else 0


async def _counts(operator: Operator) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with operator.changing() as session:
        for sealed in SEALED:
            texts = await session.stream_scalars(select(getattr(sealed.table, sealed.column)))
            async for text in texts:
                counts[text.partition(".")[0]] += 1
    return counts


async def _rows(session: AsyncSession, sealed: Sealed, after: tuple[Any, ...] | None) -> Sequence[Any]:
    """The next rows in order of their primary key."""
    query = select(sealed.table).order_by(*_key(sealed)).limit(CHUNK).with_for_update()
    if after is not None:
        query = query.where(tuple_(*_key(sealed)) > tuple_(*after))
    return (await session.execute(query)).scalars().all()


def _key(sealed: Sealed) -> list[Any]:
    return [getattr(sealed.table, column.name) for column in sealed.table.__table__.primary_key]


def _place(sealed: Sealed, row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, column.key) for column in _key(sealed))


def _without_rings() -> dict[str, str]:
    """The environment but for the rings, which a new one may be meant to mend."""
    names = {PREFIX + ring.upper() for ring in RINGS} | {PREFIX + "DATABASE_URL"}
    return {name: value for name, value in os.environ.items() if name not in names}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai secrets",
        description="Keys that seal what the database holds, and that sign the policy. They rotate with overlap.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="a new key in front of each ring")
    new.add_argument("--ring", dest="ring", action="append", choices=RINGS, help="this ring only")
    actions.add_parser("rotate", help="seal anew what older keys sealed, and say which may go")
    actions.add_parser("status", help="which key seals how much")
    return parser
