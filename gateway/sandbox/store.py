"""Owns what a provider keeps for its callers: files, jobs, answers. All in memory, bounded, oldest out first."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

# More objects of a kind than a test makes, and few enough to list.
ITEMS_MAX = 1_000
# Of one kind: two of the largest requests there are, and their output.
BYTES_MAX = 256 * 1024 * 1024


class Shelf(Generic[T]):
    """Objects of one kind by their id, in the order they came."""

    def __init__(self) -> None:
        self._items: dict[str, T] = {}
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def put(self, name: str, item: T, size_bytes: int = 0) -> None:
        """Keep it, as the newest; the oldest make room."""
        self.take(name)
        self._items[name], self._sizes[name] = item, size_bytes
        self._bytes += size_bytes
        while len(self._items) > ITEMS_MAX or (self._bytes > BYTES_MAX and len(self._items) > 1):
            self.take(next(iter(self._items)))

    def get(self, name: str) -> T | None:
        return self._items.get(name)

    def take(self, name: str) -> T | None:
        """Forget it; what it was, or nothing."""
        self._bytes -= self._sizes.pop(name, 0)
        return self._items.pop(name, None)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items.values()))


class Store:
    """One shelf for each kind of object of each dialect: the providers do not know of each other."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, type[Any]], Shelf[Any]] = {}

    def shelf(self, dialect: str, kind: type[T]) -> Shelf[T]:
        return cast(Shelf[T], self._shelves.setdefault((dialect, kind), Shelf()))

    def clear(self) -> None:
        self._shelves.clear()
