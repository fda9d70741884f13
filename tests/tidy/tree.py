"""Owns what the tidy tests look at: the files of the repository and their syntax trees. Judges nothing."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "control_plane", "pricing")

# What a build, a test run or a running gateway leaves behind; git ignores the same.
_CREATED = frozenset({
    ".git", ".venv", ".venv-ci", "__pycache__", "node_modules", ".lensai", ".ruff_cache", ".pytest_cache",
    ".hypothesis", "build", "dist", "out", "crashes",
})  # fmt: skip
_BINARY = frozenset({".png", ".ico", ".gz", ".zst", ".parquet", ".gif", ".woff2"})


def files() -> Iterator[Path]:
    """Every text file that belongs to the project, committed or not yet."""
    pending = [ROOT]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.name in _CREATED or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                pending.append(path)
            elif path.suffix not in _BINARY:
                yield path


def python_files(*folders: str) -> list[Path]:
    """The Python sources below the folders, generated ones left out."""
    within = [ROOT / folder for folder in folders]
    return [
        path
        for path in files()
        if path.suffix == ".py" and any(folder in path.parents for folder in within) and not _generated(path)
    ]


def _generated(path: Path) -> bool:
    return "@generated" in path.read_text()[:400]


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def name(path: Path) -> str:
    """A path as people write it: relative to the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """The dotted name a source is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
