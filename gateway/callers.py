"""Owns who may call: every key that is served, by the SHA-256 of its token, and the projects that the keys are of.

Changed in place, one key at a time, and shared by all views of a policy: whoever looks a key up takes it along, so that
nothing of it changes under a request. Knows neither where keys come from nor whether they are good.
"""

from collections.abc import Iterable, Iterator

from gateway.contract.policy import Key, Project

# How many keys each project has, by organization.
_Tally = dict[str, dict[str, int]]


class Callers:
    """Keys and projects. A project is there before its keys are, and as long as any of them."""

    __slots__ = ("_everywhere", "_named", "by_digest", "projects")

    def __init__(self, projects: Iterable[Project] = (), keys: Iterable[Key] = ()) -> None:
        self.by_digest: dict[bytes, Key] = {}
        self.projects: dict[str, Project] = {project.id: project for project in projects}
        self._everywhere: _Tally = {}  # of keys that may use every upstream
        self._named: dict[str, _Tally] = {}  # of keys that may use one, by its name
        for key in keys:
            self.add(key)

    def copy(self) -> "Callers":
        """Callers of their own that are the same now."""
        other = Callers()
        other.by_digest, other.projects = self.by_digest.copy(), self.projects.copy()
        other._everywhere = _copied(self._everywhere)
        other._named = {name: _copied(tally) for name, tally in self._named.items()}
        return other

    def add(self, key: Key) -> None:
        """Serves a key whose digest is not served yet."""
        self.by_digest[bytes.fromhex(key.sha256)] = key
        org_id = self.projects[key.project_id].org_id
        for tally in self._tallies(key):
            of_org = tally.setdefault(org_id, {})
            of_org[key.project_id] = of_org.get(key.project_id, 0) + 1

    def drop(self, key: Key) -> None:
        """Serves a key no more that is served."""
        del self.by_digest[bytes.fromhex(key.sha256)]
        org_id = self.projects[key.project_id].org_id
        for tally in self._tallies(key):
            of_org = tally[org_id]
            of_org[key.project_id] -= 1
            if not of_org[key.project_id]:
                del of_org[key.project_id]
                if not of_org:
                    del tally[org_id]

    def _tallies(self, key: Key) -> Iterator[_Tally]:
        if key.upstreams is None:
            yield self._everywhere
        else:
            for name in dict.fromkeys(key.upstreams):
                yield self._named.setdefault(name, {})

    def orgs(self) -> Iterable[str]:
        """The organizations that have keys, some of them twice."""
        yield from self._everywhere
        for tally in self._named.values():
            yield from tally

    def projects_using(self, name: str, org_id: str) -> Iterator[str]:
        """The projects of an organization that have a key which may use what it calls by that name."""
        yield from self._everywhere.get(org_id, ())
        yield from self._named.get(name, {}).get(org_id, ())


def _copied(tally: _Tally) -> _Tally:
    return {org_id: of_org.copy() for org_id, of_org in tally.items()}
