"""Owns bench/out/: what each run found, one JSON file a run."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

OUT = Path(__file__).parent / "out"


def now() -> str:
    """The moment a run starts: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def save(run: msgspec.Struct, started: str, *, prefix: str = "", directory: Path = OUT) -> Path:
    """The file that was written, named after what was measured and the run's start."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{prefix}{started[:19].replace(':', '')}Z.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    return path
