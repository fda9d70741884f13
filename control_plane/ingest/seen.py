"""Owns which events were acknowledged lately, so that a batch that is sent again is not kept again.

A courtesy, not the promise: what this process has forgotten, or another one took, is kept twice and told apart by the
lake, where (organization, request id) is an event's identity.
"""

from collections.abc import Iterable

# Of each of two generations: a hundred thousand events, some 10 MB; several minutes of a great load.
GENERATION_MAX = 100_000


class Seen:
    """The last hundred thousand identities and up to as many before them."""

    def __init__(self, generation_max: int = GENERATION_MAX) -> None:
        self._max = generation_max
        self._young: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()

    def __contains__(self, identity: tuple[str, str]) -> bool:
        return identity in self._young or identity in self._old

    def add(self, identities: Iterable[tuple[str, str]]) -> None:
        """Only what is durable: who hears "duplicate" must be able to rely on the first."""
        self._young.update(identities)
        if len(self._young) >= self._max:
            self._old, self._young = self._young, set()
