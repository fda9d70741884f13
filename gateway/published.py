"""Owns what a control plane has published: what of it is served beside the file's policy, and what is not, and why.

Items come one by one, and one that changes touches nothing but what it is of: with a hundred thousand keys there, a
key costs microseconds. What names something that is missing waits for it; what is bad is refused alone, and what was
known of it stays. Where the file and the control plane have the same id, the file's is served. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from gateway import policy_rules
from gateway.callers import Callers
from gateway.contract.policy import Credential, Key, Policy, Project, QuotaOverride, Upstream
from gateway.contract.publishing import BODIES, ITEMS_MAX, Item, Kind, Part

# A map of deployments is the largest there is: some thousands of names. Four of them fit into a frame of the disk.
ITEM_BYTES_MAX = 200 * 1024

_FROM_FILE = "the gateway's own lensai.toml has one of that name, which is served"
# The kinds that are few, and the field of a policy that they are rows of.
_FIELDS: Mapping[Kind, str] = {
    "credential": "credentials",
    "upstream": "upstreams",
    "price_override": "price_overrides",
    "quota": "quotas",
    "quota_override": "quota_overrides",
    "kill_switch": "kill_switches",
}
# What is looked at again when something of a kind changes: what refers to it.
_REFERRING: Mapping[Kind, tuple[Kind, ...]] = {"credential": ("upstream",), "quota": ("quota_override",)}


class Refused(NamedTuple):
    """An item that cannot be served, and what is wrong with it."""

    item: Item
    reason: str


class Published:
    """All that was published, over the policy of the file. `callers` are the file's and the published ones."""

    def __init__(self, file: Policy) -> None:
        self.version = 0
        self.callers = Callers(file.projects, file.keys)
        self.refused: dict[tuple[Kind, str], Refused] = {}
        self.waiting: dict[Kind, dict[str, str]] = {}  # of the kinds that are few: id -> what it waits for
        self._file = file
        self._file_projects = frozenset(project.id for project in file.projects)
        self._keys: dict[str, Key] = {}
        self._projects: dict[str, Project] = {}
        self._keys_of: dict[str, dict[str, None]] = {}  # project -> its keys
        self._rivals: dict[bytes, dict[str, None]] = {}  # digest -> keys that wait until another gives it up
        self._rows: dict[Kind, dict[str, Any]] = {kind: {} for kind in _FIELDS}
        self._stale: set[Kind] = set(_FIELDS)
        self._merged = file

    def copy(self) -> "Published":
        """One of its own that is the same now; milliseconds for a hundred thousand keys."""
        other = Published(Policy())
        other.version, other.callers = self.version, self.callers.copy()
        other.refused = self.refused.copy()
        other.waiting = self.waiting.copy()
        other._file, other._file_projects = self._file, self._file_projects
        other._keys, other._projects = self._keys.copy(), self._projects.copy()
        other._keys_of = {project_id: keys.copy() for project_id, keys in self._keys_of.items()}
        other._rivals = {digest: keys.copy() for digest, keys in self._rivals.items()}
        other._rows = {kind: rows.copy() for kind, rows in self._rows.items()}
        other._stale, other._merged = self._stale.copy(), self._merged
        return other

    # -- what comes

    def apply(self, items: Iterable[Item]) -> list[Refused]:
        """Takes items in; those of them that are refused."""
        refused: list[Refused] = []
        for item in items:
            place = (item.kind, item.id)
            self.refused.pop(place, None)
            if item.gone:
                self._drop(item.kind, item.id)
                continue
            try:
                self._put(item.kind, item.id, _read(item))
            except _Bad as fault:
                # Its body is a part of the line, which would stay in memory with it.
                kept = Item(item.kind, item.id, item.version, item.body.copy())
                self.refused[place] = Refused(kept, str(fault))
                refused.append(self.refused[place])
        return refused

    def follow(self, file: Policy) -> None:
        """Stands over another policy of the file from now on."""
        before, self._file = self._file, file
        self._file_projects = frozenset(project.id for project in file.projects)
        for key in before.keys:
            self.callers.drop(key)
        for project in before.projects:
            del self.callers.projects[project.id]
        digests = [bytes.fromhex(key.sha256) for key in file.keys]
        for digest in digests:
            if digest in self.callers.by_digest:
                self._yield_digest(digest)
        for project in file.projects:
            self._serve_none_of(project.id)
            self.callers.projects[project.id] = project
        for key in file.keys:
            self.callers.add(key)
        for project in before.projects:
            if project.id in self._projects:
                self._serve_all_of(project.id)
        for key in before.keys:
            self._revive(bytes.fromhex(key.sha256))
        self._stale |= set(_FIELDS)
        self._merged = msgspec.structs.replace(file, **{_FIELDS[kind]: () for kind in _FIELDS})

    def _put(self, kind: Kind, id: str, row: Any) -> None:
        match row:
            case Key():
                self._put_key(row)
            case Project():
                self._put_project(row)
            case _:
                self._rows[kind][id] = row
                self._stale |= {kind, *_REFERRING.get(kind, ())}

    def _drop(self, kind: Kind, id: str) -> None:
        if kind == "key":
            if id in self._keys:
                self._drop_key(self._keys[id])
        elif kind == "project":
            self._drop_project(id)
        elif self._rows[kind].pop(id, None) is not None:
            self._stale |= {kind, *_REFERRING.get(kind, ())}

    # -- keys and projects

    def _put_key(self, key: Key) -> None:
        before = self._keys.get(key.id)
        if before == key:
            return
        if before is not None:
            self._drop_key(before)
        self._keys[key.id] = key
        self._keys_of.setdefault(key.project_id, {})[key.id] = None
        self._serve(key)

    def _drop_key(self, key: Key) -> None:
        del self._keys[key.id]
        of_project = self._keys_of[key.project_id]
        del of_project[key.id]
        if not of_project:
            del self._keys_of[key.project_id]
        self._withdraw(key)

    def _put_project(self, project: Project) -> None:
        before = self._projects.get(project.id)
        moves = before is not None and before.org_id != project.org_id
        if moves:
            self._serve_none_of(project.id)
        self._projects[project.id] = project
        if project.id not in self._file_projects:
            self.callers.projects[project.id] = project
        if before is None or moves:
            self._serve_all_of(project.id)

    def _drop_project(self, id: str) -> None:
        if id in self._projects:
            self._serve_none_of(id)
            del self._projects[id]
            if id not in self._file_projects:
                del self.callers.projects[id]

    def _serve_all_of(self, project_id: str) -> None:
        if project_id not in self._file_projects:
            self.callers.projects[project_id] = self._projects[project_id]
        for id in self._keys_of.get(project_id, ()):
            self._serve(self._keys[id])

    def _serve_none_of(self, project_id: str) -> None:
        for id in self._keys_of.get(project_id, ()):
            self._withdraw(self._keys[id])

    def _serve(self, key: Key) -> None:
        """Serves a key, if its project is published too and nobody else has its digest."""
        if key.project_id not in self._projects or key.project_id in self._file_projects:
            return
        digest = bytes.fromhex(key.sha256)
        if digest in self.callers.by_digest:
            self._rivals.setdefault(digest, {})[key.id] = None
        else:
            self.callers.add(key)

    def _withdraw(self, key: Key) -> None:
        digest = bytes.fromhex(key.sha256)
        if self.callers.by_digest.get(digest) is key:
            self.callers.drop(key)
            self._revive(digest)
        elif (rivals := self._rivals.get(digest)) is not None:
            rivals.pop(key.id, None)
            if not rivals:
                del self._rivals[digest]

    def _revive(self, digest: bytes) -> None:
        for id in self._rivals.pop(digest, ()):
            self._serve(self._keys[id])

    def _yield_digest(self, digest: bytes) -> None:
        """The file has the same key: the published one waits."""
        key = self.callers.by_digest[digest]
        self.callers.drop(key)
        self._rivals.setdefault(digest, {})[key.id] = None

    # -- what is made of it

    def policy(self) -> Policy:
        """The file's policy and the published rows of the kinds that are few. Keys and projects are in `callers`.

        The tuples of kinds in which nothing has changed are those of the time before.
        """
        if self._stale:
            rows: dict[str, tuple[Any, ...]] = {}
            for kind in _FIELDS:  # in this order: what is referred to comes first
                if kind in self._stale:
                    rows[_FIELDS[kind]] = (*getattr(self._file, _FIELDS[kind]), *self._served(kind))
            self._stale.clear()
            self._merged = msgspec.structs.replace(self._merged, **rows)
        return self._merged

    def is_published(self, quota_id: str) -> bool:
        """Whether a quota is the control plane's, and not the file's."""
        return quota_id in self._rows["quota"] and quota_id not in self.waiting.get("quota", {})

    def has_key(self, id: str) -> bool:
        return id in self._keys

    def has_project(self, id: str) -> bool:
        return id in self._projects and id not in self._file_projects

    @property
    def unserved(self) -> int:
        """How many items are good, or were once, and wait for something else."""
        served = len(self.callers.by_digest) - len(self._file.keys)
        hidden = len(self._file_projects & self._projects.keys())
        return len(self._keys) - served + hidden + sum(len(waiting) for waiting in self.waiting.values())

    @property
    def known(self) -> int:
        """How many items are known, refused ones apart."""
        return len(self._keys) + len(self._projects) + sum(len(rows) for rows in self._rows.values())

    def _served(self, kind: Kind) -> list[Any]:
        waiting: dict[str, str] = {}
        served: list[Any] = []
        judge = self._judge(kind)
        for id, row in self._rows[kind].items():
            if reason := judge(row):
                waiting[id] = reason
            else:
                served.append(row)
        self.waiting[kind] = waiting
        return served

    def _judge(self, kind: Kind) -> "Callable[[Any], str]":
        """What keeps a row of a kind from being served; empty where nothing does."""
        match kind:
            case "credential":
                ids = {row.id for row in self._file.credentials}
                return lambda row: _FROM_FILE if row.id in ids else ""
            case "quota":
                ids = {row.id for row in self._file.quotas}
                return lambda row: _FROM_FILE if row.id in ids else ""
            case "upstream":
                return self._judge_upstream()
            case "quota_override":
                return self._judge_override()
            case _:
                return lambda _row: ""

    def _judge_upstream(self) -> Callable[[Upstream], str]:
        withheld = self.waiting.get("credential", {})
        credentials: dict[str, Credential] = {
            id: row for id, row in self._rows["credential"].items() if id not in withheld
        }
        named = {(row.org_id, row.name) for row in self._file.upstreams}

        def judge(row: Upstream) -> str:
            faults = [f"{field}: {message}" for field, message in policy_rules.upstream_faults(row, credentials)]
            if (row.org_id, row.name) in named:
                faults.append("another upstream has the same name")
            if not faults:
                named.add((row.org_id, row.name))
            return "; ".join(faults)

        return judge

    def _judge_override(self) -> Callable[[QuotaOverride], str]:
        seen: set[str] = set()

        def judge(row: QuotaOverride) -> str:
            if not self.is_published(row.quota_id):
                return "there is no such quota"
            if row.quota_id in seen:
                return "another override is of the same quota"
            seen.add(row.quota_id)
            return ""

        return judge

    # -- for the disk

    def rows(self) -> "Rows":
        """All of it as it is now, to be encoded on any thread."""
        tables: dict[Kind, dict[str, Any]] = {"project": self._projects, **self._rows, "key": self._keys}
        return Rows(
            self.version,
            [(kind, list(rows), list(rows.values())) for kind, rows in tables.items()],
            [refused.item for refused in self.refused.values()],
        )


class Rows(NamedTuple):
    """What was published, up to a version. Refused items are part of it: a later version may know what to do."""

    version: int
    good: list[tuple[Kind, list[str], list[Any]]]
    refused: list[Item]

    def parts(self, number: int = 0) -> Iterator[Part]:
        """All of it, as a control plane would say it."""
        lot: list[Item] = []
        is_first = True
        for item in self._items():
            lot.append(item)
            if len(lot) == ITEMS_MAX:
                yield Part("", number, self.version, is_first, complete=False, items=tuple(lot))
                lot, is_first, number = [], False, number + 1
        yield Part("", number, self.version, is_first, items=tuple(lot))

    def _items(self) -> Iterator[Item]:
        for kind, ids, rows in self.good:
            for id, row in zip(ids, rows, strict=True):
                yield Item(kind, id, self.version, msgspec.Raw(msgspec.json.encode(row)))
        yield from self.refused


class _Bad(Exception):
    """An item that cannot be served, whatever else there is."""


def _read(item: Item) -> policy_rules.Row:
    """The row that an item's body is. Raises _Bad, which never holds a secret."""
    body = bytes(item.body)
    if len(body) > ITEM_BYTES_MAX:
        raise _Bad(f"larger than {ITEM_BYTES_MAX} bytes")
    try:
        row = _DECODERS[item.kind].decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise _Bad(f"not of a format that is known here: {type(fault).__name__}") from None
    if getattr(row, "id", item.id) != item.id:
        raise _Bad("its id is another than its item's")
    if faults := [f"{field}: {message}" if field else message for field, message in policy_rules.faults_alone(row)]:
        raise _Bad("; ".join(faults))
    return row


_DECODERS: Mapping[Kind, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(body) for kind, body in BODIES.items()
}
