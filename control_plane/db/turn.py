"""Owns whose turn it is: one at a time, in the order in which they came, and whoever is urgent before all others."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator

_Waiting = deque[asyncio.Future[None]]


class Turn:
    """Of one event loop. Nobody waits for longer than `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._taken = False
        self._urgent: _Waiting = deque()
        self._others: _Waiting = deque()

    @contextlib.asynccontextmanager
    async def taken(self, *, urgent: bool) -> AsyncGenerator[None]:
        """Raises TimeoutError."""
        if self._taken:
            await self._wait(self._urgent if urgent else self._others)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, waiting: _Waiting) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        try:
            async with asyncio.timeout(self._timeout_s):
                await mine
        except BaseException:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # it came at the same moment as the end of the wait
            elif mine in waiting:
                waiting.remove(mine)
            raise

    def _pass_on(self) -> None:
        """To the next who still waits: whoever was cancelled a moment ago may still be in line."""
        for waiting in (self._urgent, self._others):
            while waiting:
                following = waiting.popleft()
                if not following.done():
                    following.set_result(None)
                    return
        self._taken = False
