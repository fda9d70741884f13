"""Owns exports: an organization's whole audit log as lines of JSON, and a last line that is signed.

The last line names the number of entries and the last hash, which covers them all; whoever has the signing key can
check a file without the database.
"""

from collections.abc import AsyncIterator, Iterable

import msgspec

from control_plane.audit.chain import GENESIS, Entry, verify
from control_plane.audit.reading import following, head_of
from control_plane.db.engine import Database
from control_plane.keyring import Keyring

_PURPOSE = "audit-export"


class Manifest(msgspec.Struct, frozen=True):
    """What an export holds: entries 1 to `count`."""

    org_id: str
    count: int
    last_hash: str
    exported_at_ms: int


class Seal(msgspec.Struct, frozen=True):
    """The last line. What is signed is the manifest's JSON, byte for byte."""

    manifest: msgspec.Raw
    signature: str


class Untrusted(ValueError):
    """A file that is not an export as it was made; the message says why, with the line or the entry."""


async def lines(database: Database, keyring: Keyring, org_id: str, now_ms: int) -> AsyncIterator[bytes]:
    """The export as of now; entries that are added meanwhile are in the next one."""
    async with database.reading(org_id) as session:
        head = await head_of(session, org_id)
    number = 0
    while number < head.number:
        # A session for each: who reads slowly keeps no connection to the database.
        async with database.reading(org_id) as session:
            entries = await following(session, org_id, number, head.number)
        if not entries:
            break
        yield b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        number = entries[-1].number
    yield seal(Manifest(org_id, head.number, head.hash, now_ms), keyring)


def seal(manifest: Manifest, keyring: Keyring) -> bytes:
    body = msgspec.json.encode(manifest)
    return msgspec.json.encode(Seal(msgspec.Raw(body), keyring.sign(body, _PURPOSE))) + b"\n"


def check_file(lines: Iterable[bytes], keyring: Keyring) -> Manifest:
    """What a file holds, if every link holds and the signature is right. Raises Untrusted."""
    number, last_hash = 0, GENESIS
    rest = iter(lines)
    for line in rest:
        if line.startswith(b'{"manifest":'):
            manifest = _sealed(line, keyring)
            if (manifest.count, manifest.last_hash) != (number, last_hash):
                raise Untrusted(f"entry {number + 1} is missing: the manifest names {manifest.count}")
            if next(rest, None) is not None:
                raise Untrusted("something follows the signed last line")
            return manifest
        entry = _entry(line, number + 1)
        if broken := verify([entry], number, last_hash):
            raise Untrusted(f"entry {broken.number}: {broken.reason}")
        number, last_hash = entry.number, entry.hash
    raise Untrusted(f"the file ends after entry {number}, without its signed last line")


def _entry(line: bytes, number: int) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Untrusted(f"line {number} is not an entry") from None


def _sealed(line: bytes, keyring: Keyring) -> Manifest:
    try:
        sealed = msgspec.json.decode(line, type=Seal)
        manifest = msgspec.json.decode(sealed.manifest, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Untrusted("the last line is not a manifest") from None
    if not keyring.is_signed(bytes(sealed.manifest), sealed.signature, _PURPOSE):
        raise Untrusted("the signature is wrong, or of a key that is not known here")
    return manifest
