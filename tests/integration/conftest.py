"""Owns the event loop of tests that run a gateway in their own: the one it runs on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    import asyncio


def pytest_asyncio_loop_factories() -> "Mapping[str, Callable[[], asyncio.AbstractEventLoop]]":
    return {"uvloop": uvloop.new_event_loop}
