"""Owns what the budget cases share: one sandbox for all of them, and the event loop that gateways run on."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.support.processes import running_sandbox

if TYPE_CHECKING:
    import asyncio


def pytest_asyncio_loop_factories() -> "Mapping[str, Callable[[], asyncio.AbstractEventLoop]]":
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """The base URL of a provider that keeps its own bill."""
    with running_sandbox() as origin:
        yield origin
