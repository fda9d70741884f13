"""Owns the seed's objects in a lake: what was asked for, the landing files, and a mark that all of them are there.

The first object says what the others are made of, so that whoever begins again after a crash makes the same ones.
"""

import hashlib
from collections.abc import Callable

import msgspec

from control_plane.lake.seed.generate import Generator, Part, Places
from control_plane.lake.seed.story import Plan
from gateway.lake.parquet import encode_parquet
from gateway.lake.store import Store, StoreFault

PLAN_KEY, DONE_KEY = "seed/plan.json", "seed/done.json"


class Seeded(msgspec.Struct, frozen=True):
    """A plan and the ids that its events have."""

    plan: Plan
    places: Places


class Done(msgspec.Struct, frozen=True):
    rows: int
    files: int
    bytes: int


class OtherSeed(Exception):
    """The lake holds demo data that was made another way; the message says how."""


def begun(store: Store) -> Seeded | None:
    """What the lake was seeded with, to its end or not; None: never. Raises StoreFault."""
    text = _read(store, PLAN_KEY)
    return None if text is None else msgspec.json.decode(text, type=Seeded)


def done(store: Store) -> Done | None:
    """None where something is missing yet. Raises StoreFault."""
    text = _read(store, DONE_KEY)
    return None if text is None else msgspec.json.decode(text, type=Done)


def same_but_for_the_time(asked: Plan, seeded: Seeded) -> Plan:
    """The plan of what is there, whenever that was. Raises OtherSeed where something else was asked for."""
    there = seeded.plan
    if (asked.rows, asked.days, asked.seed) != (there.rows, there.days, there.seed):
        raise OtherSeed(
            f"the lake holds demo data of --rows {there.rows} --days {there.days} --seed {there.seed}, and charts would"
            " sum both: ask for the same, or take another lake (LENSAI_CONTROL_DATA_DIR)"
        )
    return there


def write(store: Store, seeded: Seeded, generator: Generator, told: Callable[[int], None]) -> Done:
    """Puts every landing file; one that is there stays. `told` hears how many rows there are. Raises StoreFault."""
    _put(store, PLAN_KEY, msgspec.json.encode(seeded))
    rows = files = written = 0
    for part in generator.parts():
        key = object_key(seeded.plan, part)
        data = encode_parquet(part.events, _digest(seeded, key))
        _put(store, key, data)
        rows, files, written = rows + part.events.num_rows, files + 1, written + len(data)
        told(rows)
    return Done(rows, files, written)


def finish(store: Store, made: Done) -> None:
    """Marks that there is nothing more to do. Raises StoreFault."""
    _put(store, DONE_KEY, msgspec.json.encode(made))


def object_key(plan: Plan, part: Part) -> str:
    """As gateways name theirs: `landing/dt=YYYY-MM-DD/<who>-<number>.parquet`."""
    return f"landing/dt={part.day.isoformat()}/seed-{plan.seed}-{part.number:06}.parquet"


def _digest(seeded: Seeded, key: str) -> str:
    """What a file is made of, as the digest of a segment is for a gateway's."""
    return hashlib.sha256(msgspec.json.encode(seeded, order="sorted") + key.encode()).hexdigest()


def _put(store: Store, key: str, data: bytes) -> None:
    """Raises OtherSeed where something else has the name."""
    if not store.create(key, data) and store.read(key) != data:
        raise OtherSeed(f"{key} is there already, and is another one")


def _read(store: Store, key: str) -> bytes | None:
    try:
        return store.read(key)
    except StoreFault as fault:
        if isinstance(fault.__cause__, FileNotFoundError) or str(fault) in _ABSENT:
            return None
        raise


# What obstore's class, and S3's code, are for an object that is not there.
_ABSENT = frozenset({"NotFoundError", "NoSuchKey", "FileNotFoundError"})
