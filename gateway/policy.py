"""Owns the current Policy: receives it, verifies it, swaps it whole and keeps the last good one on disk.

A policy that cannot be read or must not be served never takes the place of one that can.
"""

import hmac
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway import policy_rules, private_file
from gateway.contract.policy import Credential, Key, Policy, Project, Upstream, decode_policy, encode_policy
from gateway.policy_toml import PolicyError, compile_policy

KEPT_NAME = "policy.msgpack"

_log = logging.getLogger("lensai.policy")

# What tells one content of a file from the next without reading it.
_Stamp = tuple[int, int, int] | None


class PolicyView:
    """A Policy and its indexes; built once per swap, and never changed, so a request holds one throughout."""

    __slots__ = ("_projects", "credentials", "key_by_digest", "policy", "upstreams")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.key_by_digest: Mapping[bytes, Key] = {bytes.fromhex(key.sha256): key for key in policy.keys}
        self.upstreams: Mapping[str, Upstream] = {upstream.name: upstream for upstream in policy.upstreams}
        self.credentials: Mapping[str, Credential] = {credential.id: credential for credential in policy.credentials}
        self._projects = {project.id: project for project in policy.projects}

    def find_key(self, digest: bytes) -> Key | None:
        """The key whose token has this SHA-256 (32 raw bytes). Whether it may be used is the caller's to ask."""
        key = self.key_by_digest.get(digest)
        # The index is looked up by a hash of the token, and the match is confirmed in constant time: how long
        # either takes says nothing about a token that is not known already.
        return key if key is not None and hmac.compare_digest(bytes.fromhex(key.sha256), digest) else None

    def project(self, project_id: str) -> Project:
        """The project of a key of this view; every such project exists (policy_rules.py)."""
        return self._projects[project_id]


class PolicyHolder:
    """`current` is what to serve, from a TOML file or, while that is bad, from the copy on disk.

    Several processes may share the file and the directory: a version names one content in all of them.
    Has no clock and no timer; whoever sweeps calls `reload_if_changed`.
    """

    def __init__(self, config_path: Path, data_dir: Path, environ: Mapping[str, str], *, poll_ms: int) -> None:
        """Raises `PolicyError` if the file is bad or missing and no good policy was kept."""
        self.problem = ""  # why the file is not what is served; empty if it is
        self._config_path = config_path
        self._kept_path = data_dir / KEPT_NAME
        self._environ = environ
        self._poll_s = poll_ms / 1000
        self._next_poll_s = 0.0
        self._seen: _Stamp = None  # at the last poll
        self._loaded: _Stamp = None  # when it was last read
        kept = self._kept()
        self.current = PolicyView(kept or Policy())
        self.reload()
        if self.problem and kept is None:
            raise PolicyError(self.problem.splitlines())

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
            if in_force := self.current.policy.version:
                _log.error("policy_refused", extra={"version_in_force": in_force, "problems": fault.problems})
            return False
        self.problem = ""
        return self._accept(policy)

    def _accept(self, policy: Policy) -> bool:
        # Another worker may have numbered this content already.
        kept = self._kept()
        latest = max(self.current.policy, kept or Policy(), key=lambda known: known.version)
        policy = msgspec.structs.replace(policy, version=latest.version)
        if policy != latest:
            policy = msgspec.structs.replace(policy, version=latest.version + 1)
        if policy != kept:
            self._keep(policy)
        if policy.version == self.current.policy.version:
            return False
        self.current = PolicyView(policy)
        _log.info(
            "policy_in_force", extra={"version": policy.version, "keys": len(policy.keys), "source": policy.source}
        )
        return True

    def _compile(self) -> Policy:
        source = self._config_path.name
        try:
            text = self._config_path.read_text("utf-8")
        except OSError as fault:
            raise PolicyError([f"{self._config_path}: {fault.strerror}; `lensai up` creates one"]) from None
        except UnicodeDecodeError:
            raise PolicyError([f"{self._config_path}: not UTF-8 text; save it as such"]) from None
        return compile_policy(text, self._environ, source=source, directory=self._config_path.parent)

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
