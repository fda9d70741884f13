"""Owns erasure: a person's calls become nobody's, wherever the lake holds them; what they cost and used stays.

First an order stands by which every later commit takes the person's calls in as nobody's. Then files are written
again without the name, and rollups follow. A look tells what still has to go: old files while readers may hold them,
raw files until they are absorbed. Done again from the start, all of it comes to the same.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.lake.absorbed import SINCE
from control_plane.lake.curate import Beaten, Step, names_of, no_step, put
from control_plane.lake.curated import ROLLUPS, Lake
from control_plane.lake.engine import engine, literal, quoted
from control_plane.lake.landed import ASIDE, Cut, Unreadable, decode, raw_files, read_raw
from control_plane.lake.rollups import Days, commit_rollups, is_behind, pointer, roll_up
from control_plane.lake.sampled import SAMPLED, carry_dropped, is_sampled
from control_plane.lake.settled import is_settled
from control_plane.lake.standing import ERASED, Erasure, Orders, carried, erase, of_somebody, ordered, orders
from control_plane.lake.table import Change, File, State
from gateway.lake.store import Missing, StoreFault

# Files of one commit: what is done again where somebody else commits first.
FILES_OF_A_COMMIT = 8
# How often one commit is tried on what came meanwhile; the next run tries again.
ATTEMPTS = 5
# Rollups that name users.
_OF_USERS = ("hourly_users", "daily_users")
_WHO = ["org_id", "user_id", "ts"]
_USERS = "SELECT DISTINCT coalesce(org_id, ''), user_id FROM old WHERE user_id IS NOT NULL"
_RENAMED = "SELECT * REPLACE (CASE WHEN {theirs} THEN {erased} ELSE user_id END AS user_id) FROM old"


class Left(NamedTuple):
    """What may still name somebody who was erased. `unsearched` raw files nobody can read, or trusts."""

    raw: int
    old_files: int
    unsearched: int


def order(lake: Lake, erasures: Sequence[Erasure], now_ms: int, step: Step = no_step) -> None:
    """From here on nobody's calls are theirs. Raises StoreFault, Beaten."""
    base = lake.events.follow()
    was = orders(lake.events, base)
    known = {one.id for one in erasures}
    given = Orders(was.gone, (*(one for one in was.erased if one.id not in known), *erasures))
    if given == was:
        return
    last = lake.events.latest(SINCE, base)
    ours: dict[str, object] = {SINCE: last[1] if last else base.version + 1}
    step("commit order")
    if not lake.events.commit(base, Change("WRITE", (), (), ours | ordered(base, given)), now_ms):
        raise Beaten
    step("ordered")


def rewrite(lake: Lake, erasures: Sequence[Erasure], now_ms: int, step: Step = no_step) -> int:
    """Writes every file without the names; how many files. Raises StoreFault, EngineFault, Beaten."""
    done = 0
    without: set[str] = set()  # files that are known to name none of them; no file ever changes
    while named := list(_named(lake, lake.events.follow(), erasures, without)):
        adds = [_rewritten(lake, file, erasures, now_ms, step) for file in named]
        _replace(lake, named, adds, now_ms, step)
        without.update(file.path for file in adds)
        done += len(named)
    roll_up(lake, now_ms, step)
    return done + _rename_settled(lake, erasures, now_ms, step)


def _named(lake: Lake, state: State, erasures: Sequence[Erasure], without: set[str]) -> Iterator[File]:
    """The next files that hold a call of theirs; those that hold none are put down."""
    found = 0
    for file in sorted(state.files.values()):
        if file.path in without:
            continue
        if found == FILES_OF_A_COMMIT:
            break
        if of_somebody(erasures, _read(lake, file, _WHO)):
            found += 1
            yield file
        else:
            without.add(file.path)


def _read(lake: Lake, file: File, columns: list[str] | None = None) -> Any:
    try:
        with lake.store.open(lake.events.key(file)) as opened:
            return pq.read_table(opened, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise StoreFault(f"{file.path} cannot be read ({type(error).__name__})") from None


def _rewritten(lake: Lake, file: File, erasures: Sequence[Erasure], now_ms: int, step: Step) -> File:
    step("erase")
    rows = erase(erasures, _read(lake, file))
    made = put(lake, rows, file.dt, file.project_id or "", now_ms, SAMPLED if is_sampled(file) else "")
    if is_sampled(file):
        carry_dropped(lake.store, [file], made)
    return made._replace(from_us=file.from_us, to_us=file.to_us)


def _replace(lake: Lake, removes: Sequence[File], adds: Sequence[File], now_ms: int, step: Step) -> None:
    """Raises Beaten where one of the files went meanwhile, or others commit all the time."""
    for _ in range(ATTEMPTS):
        base = lake.events.follow()
        if not all(file.path in base.files for file in removes):
            break
        last = lake.events.latest(SINCE, base)
        ours = ({SINCE: last[1]} if last else {}) | carried(lake.events, base)
        step("commit erasure")
        if lake.events.commit(base, Change("UPDATE", adds, removes, ours), now_ms):
            step("committed erasure")
            return
    raise Beaten


def _rename_settled(lake: Lake, erasures: Sequence[Erasure], now_ms: int, step: Step) -> int:
    """Rollups of users whose calls are not there any more to be computed again."""
    bases = {name: lake.rollups[name].follow() for name in reversed(ROLLUPS)}
    now = pointer(lake.hourly, bases["hourly"])
    if now is None:
        return 0
    days = Days(lake, bases, State(), now_ms)
    with engine() as database:
        for file in sorted(filter(is_settled, bases["hourly_users"].files.values())):
            database.view("old", database.local(lake.store, lake.rollups["hourly_users"], [file]))
            theirs = [
                _theirs(one, user)
                for org_id, user in database.fetch(_USERS)
                for one in erasures
                if one.org_id == org_id and user != ERASED and one.means(user)
            ]
            if theirs:
                step("erase users")
                select = _RENAMED.format(theirs=" OR ".join(theirs), erased=quoted(ERASED))
                days.put(database, "hourly_users", file.dt, select, file)
        for dt in {file.dt for file in days.removes["hourly_users"]}:
            days.day(database, "daily_users", dt)
    if days.removes["hourly_users"] or is_behind(now, bases):
        commit_rollups(lake, bases, days, now.events, now_ms, step)
    return len(days.removes["hourly_users"])


def _theirs(one: Erasure, user: str) -> str:
    before = "" if one.until_us is None else f" AND hour < {literal(one.until_us)}"
    return f"(coalesce(org_id, '') = {quoted(one.org_id)} AND user_id = {quoted(user)}{before})"


def left(lake: Lake, since_ms: int, rewritten_ms: int) -> Left:
    """What may still hold a name: raw files of before the order, files of before the last rewriting.

    Raises StoreFault.
    """
    names = names_of(lake.events, lake.events.follow())
    raw = unsearched = 0
    for entry in raw_files(lake.store):
        if entry.modified_s * 1000 > since_ms:
            continue
        if entry.key in names or _is_readable(lake, entry):
            raw += 1
        else:
            unsearched += 1
    unsearched += sum(1 for _ in lake.store.entries(ASIDE))
    return Left(raw, sum(1 for _ in _old_files(lake, rewritten_ms)), unsearched)


def _is_readable(lake: Lake, entry: Any) -> bool:
    try:
        decode(entry.key, read_raw(lake.store, entry), lake.keyring)
    except Missing:
        return False
    except Cut:
        return True  # it is looked at again
    except Unreadable:
        return False
    return True


def _old_files(lake: Lake, rewritten_ms: int) -> Iterator[str]:
    """Files of no version, written before: as long as they are there, they can be read."""
    for table in (lake.events, *(lake.rollups[name] for name in _OF_USERS)):
        there = {table.key(file) for file in table.follow().files.values()}
        for entry in lake.store.entries(table.name):
            is_data = entry.key.endswith(".parquet") and "/_delta_log/" not in entry.key
            if is_data and entry.key not in there and entry.modified_s * 1000 <= rewritten_ms:
                yield entry.key
