"""Owns what the journal's tests share: a journal with small limits, and a look at what its segments hold."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.reader import SegmentReader, sealed
from gateway.journal.writer import Journal


def held(intent: bytes) -> bytes:
    """How these tests end a call that a dead process left open."""
    return b"held:" + intent


def open_journal(directory: Path, **overrides: Any) -> Journal:
    options: dict[str, Any] = {
        "node_id": "node1",
        "now_ns": 0,
        "resolve": held,
        "segment_bytes_max": 1 << 20,
        "segment_age_ms": 1000,
        "free_bytes_min": 0,
    }
    return Journal.open(directory, **(options | overrides))


def sealed_finals(directory: Path) -> Counter[tuple[bytes, bytes]]:
    return Counter(final for path in sealed(directory) for final in SegmentReader(path).finals())


@pytest.fixture(name="open_journal")
def _open_journal() -> Callable[..., Journal]:
    return open_journal


@pytest.fixture(name="sealed_finals")
def _sealed_finals() -> Callable[[Path], Counter[tuple[bytes, bytes]]]:
    return sealed_finals
