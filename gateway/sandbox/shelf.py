"""Owns what the sandbox keeps between calls: batches, files and answers that were asked to be stored."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# One test run's worth of each kind; the oldest leave.
KEPT_MAX = 1_000


class Drawer(Generic[T]):
    """Things of one kind by their id, in the order they came."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}

    def put(self, identifier: str, thing: T) -> None:
        """Keep it, in the place of what had that id."""
        self._things[identifier] = thing
        if len(self._things) > KEPT_MAX:
            del self._things[next(iter(self._things))]

    def get(self, identifier: str) -> T | None:
        return self._things.get(identifier)

    def remove(self, identifier: str) -> T | None:
        return self._things.pop(identifier, None)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._things.values()))


class Shelf:
    """The drawers, each named after what is in it. What that looks like is known to who fills it."""

    def __init__(self) -> None:
        self._drawers: dict[type[object], Drawer[object]] = {}

    def of(self, kind: type[T]) -> Drawer[T]:
        """The drawer for things of that type."""
        return self._drawers.setdefault(kind, Drawer[object]())  # pyright: ignore[reportReturnType]

    def clear(self) -> None:
        self._drawers.clear()
