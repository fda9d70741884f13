"""Owns where things stand in a TOML text: the line of every table and key, so that an error can name it.

`tomllib` owns what the text means; it keeps no lines. Knows nothing of settings or policies.
"""

import re
import tomllib
from decimal import Decimal
from typing import Any, cast

Path = tuple[str | int, ...]  # ("keys", 0, "sha256"): names, and the position in an array of tables

_PART = r"\"(?:\\.|[^\"\\])*\"|'[^']*'|[A-Za-z0-9_-]+"
_DOTTED = rf"(?:{_PART})(?:\s*\.\s*(?:{_PART}))*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_PARTS = re.compile(_PART)
# What opens or closes something that may span lines; whole one-line strings and comments are skipped.
_TOKEN = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*|[\[{]|[\]}]")
_ENDS = {'"""': re.compile(r"(?:\\.|[^\\])*?\"\"\""), "'''": re.compile(r".*?'''")}


class NotToml(ValueError):
    """The text is not TOML; the message ends in the line and column where tomllib knows them."""


def parse(text: str) -> dict[str, Any]:
    """The values of the text, with fractions as Decimal because some are prices. Raises `NotToml`."""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        raise NotToml("nested too deeply") from None
    except ValueError as fault:  # a syntax error, or an integer of thousands of digits
        raise NotToml(f"not TOML: {fault}") from None


def table(value: object) -> dict[str, Any] | None:
    """The value if it is a table, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class Lines:
    """The 1-based line of each table header and assignment in a text that `parse` accepts."""

    def __init__(self, text: str) -> None:
        self._line_at: dict[Path, int] = {}
        self._array_sizes: dict[Path, int] = {}
        prefix: Path = ()
        opened = _Span()
        self._lines = text.count("\n") + 1
        # Not splitlines: a line separator of Unicode ends no line of TOML.
        for number, line in enumerate(text.split("\n"), start=1):
            if opened.closed and (header := _HEADER.match(line)):
                prefix = self._enter(header)
                self._line_at.setdefault(prefix, number)
            else:
                if opened.closed and (assignment := _ASSIGNMENT.match(line)):
                    self._line_at[prefix + _names(assignment[1])] = number
                    line = line[assignment.end() :]
                opened.feed(line)

    def __getitem__(self, path: Path) -> int:
        """The line of the path, or of the nearest table around it; 1 if the text has neither."""
        while path and path not in self._line_at:
            path = path[:-1]
        return self._line_at.get(path, 1)

    def span(self, path: Path) -> tuple[int, int]:
        """A table's first line, and the line of what follows it: the next table, or one beyond the text."""
        begin = self[path]
        after = [line for other, line in self._line_at.items() if other[: len(path)] != path and line > begin]
        return begin, min(after, default=self._lines + 1)

    def __contains__(self, path: Path) -> bool:
        """Whether the path has a line of its own."""
        return path in self._line_at

    def _enter(self, header: re.Match[str]) -> Path:
        *outer, last = _names(header[2])
        path: Path = ()
        for name in outer:
            path = self._newest((*path, name))
        path = (*path, last)
        if header[1] == "[[":
            self._array_sizes[path] = self._array_sizes.get(path, 0) + 1
        return self._newest(path)

    def _newest(self, path: Path) -> Path:
        """Inside an array of tables a name means its last table."""
        size = self._array_sizes.get(path)
        return path if size is None else (*path, size - 1)


class _Span:
    """Whether a value that began on an earlier line is still open: a multi-line string, an array."""

    def __init__(self) -> None:
        self._string = ""
        self._depth = 0

    @property
    def closed(self) -> bool:
        return not self._string and self._depth == 0

    def feed(self, line: str) -> None:
        at = 0
        while True:
            found = (_ENDS[self._string] if self._string else _TOKEN).search(line, at)
            if found is None:
                return
            at = found.end()
            if self._string:
                self._string = ""
            elif found[0] in _ENDS:
                self._string = found[0]
            else:
                self._depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)


def _names(dotted: str) -> tuple[str, ...]:
    # A quoted part is a TOML string itself, escapes included.
    return tuple(
        tomllib.loads(f"name = {part}")["name"] if part[0] in "\"'" else part for part in _PARTS.findall(dotted)
    )
