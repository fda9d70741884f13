"""Owns how a problem of a policy is told: its place, its words, and the rule that every name obeys."""

import re
from collections.abc import Iterable, Iterator

Path = tuple[str | int, ...]  # ("upstreams", "groq", "origin"), ("keys", 0, "sha256")
Problem = tuple[Path, str]  # where, and what is wrong with what to do about it
Fields = Iterator[tuple[str, str]]  # a field of one row, and what is wrong with it

# 64 characters hold a UUID or a DNS label; names are in every record, metric and path. The names of counters join
# theirs by "@" and "|", which therefore stand in none.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def name_faults(field: str, name: str) -> Fields:
    """Why a text cannot be a name; nothing if it can."""
    if not _NAME.fullmatch(name):
        yield field, f"{name!r} is not a name; use up to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit first"


def missing(table: str, name: str, known: Iterable[str]) -> str:
    """That a row refers to a name that is in no row of a table."""
    return f"there is no {name!r} in {table}; add it, or use one of {listed(known) or 'none so far'}"


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
