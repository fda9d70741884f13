"""Owns what the budget cases share: one sandbox for all of them."""

from collections.abc import Iterator

import pytest

from tests.support.processes import running_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """The base URL of a provider that keeps its own bill."""
    with running_sandbox() as origin:
        yield origin
