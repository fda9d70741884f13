"""Owns the control plane's security cases, as docs/internals/security-cases.md lists them, and that each was tried.

A case's tests are named by its number. Whoever ran a file of them whole is told which did not pass.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "internals" / "security-cases.md"
_ROW = re.compile(r"^\| (?P<number>[^|]+) \| [^|]+ \| [^|]+ \| (?P<files>[^|]+) \|$", re.MULTILINE)
_FILE = re.compile(r"`([^`]+\.py)`")


class Case(NamedTuple):
    """One number in one file: `name` is how tests' names have it, between underscores."""

    number: str
    name: str
    file: str

    def is_of(self, test: str) -> bool:
        return f"_{self.name}_" in test


def cases() -> Iterator[Case]:
    """Each row of the control plane's, once for each file it names."""
    for row in _ROW.finditer(PAGE.read_text()):
        for file in _FILE.findall(row["files"]):
            number = row["number"]
            yield Case(number, re.sub(r"\W+", "_", number.lower()), f"tests/{file}")


def not_tried(passed: Collection[str]) -> list[Case]:
    """Cases of files that ran, by the ids of all tests that passed, which no passed test is named by."""
    tests = [id.partition("::")[::2] for id in passed]
    ran = {file for file, _ in tests}
    return [
        case
        for case in cases()
        if case.file in ran and not any(file == case.file and case.is_of(test) for file, test in tests)
    ]


class Tried:
    """A plugin of pytest: fails a run of whole files in which a case was not tried."""

    def __init__(self) -> None:
        self._passed: set[str] = set()
        self._missing: list[Case] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        options = session.config.option
        chosen = options.keyword or options.markexpr or any("::" in word for word in session.config.args)
        if exitstatus == 0 and not chosen:
            self._missing = not_tried(self._passed)
            session.exitstatus = 1 if self._missing else 0

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for case in self._missing:
            terminalreporter.line(f"security case {case.number}: no test that is named by it passed in {case.file}")
