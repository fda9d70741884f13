"""Owns the current policy: the file's, read and swapped whole, and what a control plane published, item by item.

Nothing that cannot be read or must not be served takes the place of what can. Both are kept on disk, so that a start
serves what was served last, whoever is away.
"""

import hmac
import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from gateway import policy_rules, private_file
from gateway.callers import Callers
from gateway.contract.policy import (
    Credential,
    Key,
    Policy,
    PriceOverride,
    Project,
    Upstream,
    decode_policy,
    encode_policy,
)
from gateway.contract.publishing import Kind, Part
from gateway.policy_toml import PolicyError, compile_policy
from gateway.published import Published, Refused
from gateway.published_file import PublishedFile

KEPT_NAME = "policy.msgpack"
# Items refused at once that are logged one by one; a control plane that gets one thing wrong gets it wrong everywhere.
REFUSED_LOGGED_MAX = 10

# Whose word is served, beside the file's: nobody's, a control plane's, or what one said to an earlier process.
Source = Literal["file", "control_plane", "disk"]

_log = logging.getLogger("lensai.policy")

# What tells one content of a file from the next without reading it.
_Stamp = tuple[int, int, int] | None


class PolicyView:
    """A Policy and its indexes, made once per swap; a request holds one throughout.

    The callers are shared with the views before and after and change in place: what a request needs of them, it takes
    along when it looks its key up. All else of a view never changes, and what is alike in two views is one object.
    """

    __slots__ = ("_by_org", "_overrides", "callers", "credentials", "enforces", "policy", "upstreams")

    def __init__(self, policy: Policy, callers: Callers | None = None, before: "PolicyView | None" = None) -> None:
        """`callers` is who may call, where that is more than the policy's keys; `before` shares what is alike."""
        self.policy = policy
        self.enforces = bool(policy.quotas or policy.kill_switches)
        self.callers = Callers(policy.projects, policy.keys) if callers is None else callers
        if before is not None and before.policy.upstreams is policy.upstreams:
            self.upstreams, self._by_org = before.upstreams, before._by_org
        else:
            self.upstreams: Mapping[str, Upstream] = {row.name: row for row in policy.upstreams if not row.org_id}
            self._by_org = _by_org(policy.upstreams)
        if before is not None and before.policy.credentials is policy.credentials:
            self.credentials = before.credentials
        else:
            self.credentials: Mapping[str, Credential] = {
                credential.id: credential for credential in policy.credentials
            }
        if before is not None and before.policy.price_overrides is policy.price_overrides:
            self._overrides = before._overrides
        else:
            self._overrides = _grouped(policy.price_overrides)

    def find_key(self, digest: bytes) -> Key | None:
        """The key whose token has this SHA-256 (32 raw bytes). Whether it may be used is the caller's to ask."""
        key = self.callers.by_digest.get(digest)
        # The index is looked up by a hash of the token, and the match is confirmed in constant time: how long
        # either takes says nothing about a token that is not known already.
        return key if key is not None and hmac.compare_digest(bytes.fromhex(key.sha256), digest) else None

    def project(self, project_id: str) -> Project:
        """The project of a key that was just found; every such project exists."""
        return self.callers.projects[project_id]

    def upstream(self, name: str, org_id: str) -> Upstream | None:
        """What an organization calls by that name: its own, else everybody's. Another organization's is nobody's."""
        return self._by_org.get(org_id, _NONE).get(name) or self.upstreams.get(name)

    def upstream_names(self, org_id: str) -> set[str]:
        """Every name that `upstream` finds something by."""
        return {*self.upstreams, *self._by_org.get(org_id, _NONE)}

    def serves_several(self, upstream: Upstream) -> bool:
        """Whether keys of more than one project are served with the credential of an upstream."""
        projects: set[str] = set()
        for other in self.policy.upstreams:
            if other.credential_id == upstream.credential_id:
                for project_id in self._projects_of(other):
                    projects.add(project_id)
                    if len(projects) > 1:
                        return True
        return False

    def _projects_of(self, upstream: Upstream) -> Iterator[str]:
        name = upstream.name
        for org_id in (upstream.org_id,) if upstream.org_id else self.callers.orgs():
            if upstream.org_id or name not in self._by_org.get(org_id, _NONE):
                yield from self.callers.projects_using(name, org_id)

    def has_upstreams(self, org_id: str) -> bool:
        """Whether an organization has upstreams of its own."""
        return org_id in self._by_org

    def prices_apart(self, org_id: str) -> bool:
        """Whether other price overrides hold for an organization than for everybody."""
        overrides = self._overrides
        if not overrides or not org_id:
            return False
        return org_id in overrides or (org_id in self._by_org and "" in overrides)

    def price_overrides(self, org_id: str) -> tuple[PriceOverride, ...]:
        """Those for the calls of an organization, its own last. What is everybody's is not for upstreams of its own."""
        everybody, own = self._overrides.get("", ()), self._overrides.get(org_id, ()) if org_id else ()
        names = self._by_org.get(org_id)
        if names:
            everybody = tuple(row for row in everybody if row.upstream not in names)
        return everybody + own


_NONE: Mapping[str, Upstream] = {}


def _by_org(upstreams: Iterable[Upstream]) -> Mapping[str, Mapping[str, Upstream]]:
    by_org: dict[str, dict[str, Upstream]] = {}
    for row in upstreams:
        if row.org_id:
            by_org.setdefault(row.org_id, {})[row.name] = row
    return by_org


def _grouped(overrides: Iterable[PriceOverride]) -> Mapping[str, tuple[PriceOverride, ...]]:
    """Price overrides by the organization they are for."""
    grouped: dict[str, list[PriceOverride]] = {}
    for row in overrides:
        grouped.setdefault(row.org_id, []).append(row)
    return {org_id: tuple(rows) for org_id, rows in grouped.items()}


class PolicyHolder:
    """`current` is what to serve: a TOML file's policy or, while that is bad, the copy on disk; and what was published.

    Several processes may share the file and the directory: a version names one content in all of them; what was
    published is kept by each for itself. Has no clock and no timer; whoever sweeps calls `reload_if_changed`.
    """

    def __init__(
        self,
        config_path: Path,
        data_dir: Path,
        environ: Mapping[str, str],
        *,
        poll_ms: int,
        published: PublishedFile | None = None,
    ) -> None:
        """`published` is where that is kept, where there is a control plane; then there need be no TOML file.

        Raises `PolicyError` if the file is bad, or missing, and no good policy was kept.
        """
        self.problem = ""  # why the file is not what is served; empty if it is
        self.source: Source = "file"
        self.items_refused = 0
        self._config_path = config_path
        self._kept_path = data_dir / KEPT_NAME
        self._environ = environ
        self._poll_s = poll_ms / 1000
        self._next_poll_s = 0.0
        self._seen: _Stamp = None  # at the last poll
        self._loaded: _Stamp = None  # when it was last read
        # The file's, of which the disk does not know yet: the newest, put here and taken by different threads.
        self.unkept: deque[Policy] = deque(maxlen=1)
        self._keeping = threading.Lock()
        self._published_file = published
        self.published: Published | None = None
        self._staged: Published | None = None  # parts that are not complete
        self._whole = False  # the last that was completed was made ready aside
        kept = self._kept()
        self._file_policy = kept or Policy()
        self.current = PolicyView(self._file_policy)
        self.reload()
        if self.problem and kept is None:
            raise PolicyError(self.problem.splitlines())
        self.keep_file()
        if published is not None:
            self._load(published)

    def reload_if_changed(self, now_s: float) -> bool:
        """Reads the file if it changed, at most once per poll interval; whether `current` was swapped.

        `now_s` is any clock that only goes forward. A file is read once two polls saw it alike, so that one
        which is still being written is left alone.
        """
        if now_s < self._next_poll_s:
            return False
        self._next_poll_s = now_s + self._poll_s
        before, self._seen = self._seen, self._stamp()
        return self._seen == before != self._loaded and self.reload()

    def reload(self) -> bool:
        """Reads the file now, changed or not (SIGHUP); whether `current` was swapped."""
        self._loaded = self._seen = self._stamp()
        try:
            policy = self._compile()
        except PolicyError as fault:
            self.problem = str(fault)
            # Where nothing is in force there is nobody to log for: the process will not start, and says why.
            if in_force := self._file_policy.version:
                _log.error("policy_refused", extra={"version_in_force": in_force, "problems": fault.problems})
            return False
        mended, self.problem = bool(self.problem), ""
        swapped = self._accept(policy)
        if swapped or mended:
            said = {"version": self._file_policy.version, "keys": len(policy.keys), "source": policy.source}
            _log.info("policy_in_force", extra=said)
        return swapped

    def _accept(self, policy: Policy) -> bool:
        # Another worker may have numbered this content already.
        kept = self._kept()
        latest = max(self._file_policy, kept or Policy(), key=lambda known: known.version)
        policy = msgspec.structs.replace(policy, version=latest.version)
        if policy != latest:
            policy = msgspec.structs.replace(policy, version=latest.version + 1)
        if policy != kept:
            self.unkept.append(policy)
        if policy.version == self._file_policy.version:
            return False
        self._file_policy = policy
        for published in (self.published, self._staged):
            if published is not None:
                published.follow(policy)
        self._serve()
        return True

    # -- what is published

    def take(self, part: Part) -> bool:
        """Takes in a part that can be believed; whether that completes something, which is served from now on.

        One that is complete by itself changes what is there, in place; of several, all are made ready aside.
        """
        if part.reset:
            self._staged = Published(self._file_policy)
        elif self._staged is None and not part.complete:
            self._staged = Published(self._file_policy) if self.published is None else self.published.copy()
        elif self._staged is None and self.published is None:
            self._staged = Published(self._file_policy)
        target = self.published if self._staged is None else self._staged
        assert target is not None, "staged, or there before"
        self._note_refused(target.apply(part.items))
        if not part.complete:
            return False
        self._whole = self._staged is not None
        target.version = part.version
        self.published, self._staged, self.source = target, None, "control_plane"
        if self._whole or part.items:
            self._serve()
        return True

    def keep(self, part: Part) -> None:
        """Has the disk remember what `take` completed; once it is in force, for no disk is waited for."""
        if self._published_file is not None and self.published is not None:
            self._published_file.keep(part, self.published, whole=self._whole)

    def drop_staged(self) -> None:
        """What was not completed never will be: the connection that brought it is gone."""
        self._staged = None

    @property
    def published_version(self) -> int:
        return 0 if self.published is None else self.published.version

    def _load(self, file: PublishedFile) -> None:
        for part in file.load():
            self.take(part)
        if self.published is not None:
            self.source = "disk"
            _log.info("published_policy_kept", extra={"version": self.published.version, "items": self.published.known})

    def _serve(self) -> None:
        """Makes a view of what there is now."""
        if self.published is None:
            self.current = PolicyView(self._file_policy)
        else:
            before: set[tuple[Kind, str]] = {(kind, id) for kind, rows in self.published.waiting.items() for id in rows}
            policy = self.published.policy()
            self.current = PolicyView(policy, self.published.callers, self.current)
            self._note_waiting(before)

    def _note_refused(self, refused: list[Refused]) -> None:
        self.items_refused += len(refused)
        for item, reason in refused[:REFUSED_LOGGED_MAX]:
            extra = {"kind": item.kind, "id": item.id, "version": item.version, "problem": reason}
            _log.warning("policy_item_refused", extra=extra)
        if len(refused) > REFUSED_LOGGED_MAX:
            _log.warning("policy_items_refused", extra={"more": len(refused) - REFUSED_LOGGED_MAX})

    def _note_waiting(self, before: set[tuple[Kind, str]]) -> None:
        assert self.published is not None, "what waits was published"
        new = [
            (kind, id, reason)
            for kind, rows in self.published.waiting.items()
            for id, reason in rows.items()
            if (kind, id) not in before
        ]
        for kind, id, reason in new[:REFUSED_LOGGED_MAX]:
            _log.warning("policy_item_waits", extra={"kind": kind, "id": id, "problem": reason})

    # -- the file

    def _compile(self) -> Policy:
        source, before = self._config_path.name, self._file_policy.quotas
        try:
            text = self._config_path.read_text("utf-8")
        except OSError as fault:
            if isinstance(fault, FileNotFoundError) and self._published_file is not None:
                return compile_policy("", self._environ, source="", directory=self._config_path.parent)
            fix = "; `lensai up` creates one" if isinstance(fault, FileNotFoundError) else ""
            raise PolicyError([f"{self._config_path}: {fault.strerror}{fix}"]) from None
        except UnicodeDecodeError:
            raise PolicyError([f"{self._config_path}: not UTF-8 text; save it as such"]) from None
        return compile_policy(text, self._environ, source=source, directory=self._config_path.parent, before=before)

    def _kept(self) -> Policy | None:
        try:
            policy = decode_policy(self._kept_path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as fault:
            _log.warning("kept_policy_unreadable", exc_info=fault)
            return None
        if problems := [f"{path}: {message}" for path, message in policy_rules.problems(policy)]:
            _log.warning("kept_policy_refused", extra={"version": policy.version, "problems": problems})
            return None
        return policy

    def keep_file(self) -> None:
        """Has the disk remember the policy of the file, on any thread: once it is in force, which waits for no disk."""
        with self._keeping:
            if self.unkept:
                self._keep(self.unkept.pop())

    def _keep(self, policy: Policy) -> None:
        try:
            private_file.make_directory(self._kept_path.parent)
            private_file.replace(self._kept_path, encode_policy(policy))
        except OSError as fault:
            # Served all the same; only a restart with a bad file would miss it.
            _log.warning("policy_not_kept", exc_info=fault, extra={"version": policy.version})

    def _stamp(self) -> _Stamp:
        try:
            status = self._config_path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
