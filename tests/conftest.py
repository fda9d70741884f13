"""Owns how the suite treats what it could not run: it is listed at the end, or forbidden.

A test that needs a program this machine lacks skips itself and names the command that installs it.
Continuous integration installs all of them and sets TESTS_FORBID_SKIPS=1: then a skip is a failure.
"""

import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

from tests.support.security_cases import Tried

SKIPS_FORBIDDEN = os.environ.get("TESTS_FORBID_SKIPS") == "1"

# What no command can install: recorded answers of providers may not be published, so they lie beside some
# checkouts and are in none; and a machine has IPv6 or has not.
ALLOWED_REASONS = ("recordings", "IPv6")

# Time limits per example would fail on a busy machine, and a failure must be the same for everyone.
hypothesis.settings.register_profile("lensai", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("lensai")


def pytest_configure(config: pytest.Config) -> None:
    """Only the process that gathers all reports knows what ran."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tried())


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names are the same in every process: bytes may hold a time or a random mask, and are named by their number."""
    return None if not isinstance(val, bytes) or val.isascii() else f"{len(val)} bytes"


def _reason(report: Any) -> str:
    """Why a report was skipped: pytest keeps (path, line, reason) where a failure has its traceback."""
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def _forbid(report: Any) -> None:
    if not SKIPS_FORBIDDEN or not report.skipped or hasattr(report, "wasxfail"):
        return
    if not any(allowed in _reason(report) for allowed in ALLOWED_REASONS):
        report.outcome = "failed"
        report.longrepr = f"skipped, which this run forbids: {_reason(report)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    _forbid(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tests not run, by reason, above pytest's closing line."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not reasons:
        return
    terminalreporter.section("not run")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:4d}  {reason}")
