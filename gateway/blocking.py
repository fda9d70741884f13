"""Owns threads for what blocks and cannot be awaited: looking up names, loading certificates.

Threads are daemons: a look-up that hangs must not hold up the end of the process, as executors do.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Asked = TypeVar("_Asked")
_Found = TypeVar("_Found")


class _Shared(Generic[_Found]):
    """One run and those who wait for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.outcome: asyncio.Future[_Found] = loop.create_future()
        self.waiters = 0


class Blocking(Generic[_Asked, _Found]):
    """Runs a function on at most so many threads, once for all who ask the same at the same time.

    So one argument that takes for ever holds one thread, however many ask.
    """

    def __init__(self, function: Callable[[_Asked], _Found], *, threads_max: int) -> None:
        self._function = function
        self._threads_max = threads_max
        self._threads = 0
        self._shared: dict[_Asked, _Shared[_Found]] = {}
        self._queue: deque[_Asked] = deque()

    async def __call__(self, asked: _Asked) -> _Found:
        """What the function returns or raises. Who gives up waiting gives up alone."""
        loop = asyncio.get_running_loop()
        shared = self._shared.get(asked)
        if shared is None:
            shared = self._shared[asked] = _Shared(loop)
            self._queue.append(asked)
            self._start(loop)
        shared.waiters += 1
        try:
            return await asyncio.shield(shared.outcome)
        finally:
            shared.waiters -= 1
            if not shared.waiters and asked in self._queue:
                # Nobody wants it any more: what waits is no more than who waits.
                self._queue.remove(asked)
                del self._shared[asked]

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._queue and self._threads < self._threads_max:
            self._threads += 1
            asked = self._queue.popleft()
            threading.Thread(target=self._run, args=(loop, asked), name="blocking", daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop, asked: _Asked) -> None:
        try:
            found, error = self._function(asked), None
        except Exception as raised:
            found, error = None, raised
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all who waited with it
            loop.call_soon_threadsafe(self._ended, loop, asked, found, error)

    def _ended(
        self, loop: asyncio.AbstractEventLoop, asked: _Asked, found: _Found | None, error: Exception | None
    ) -> None:
        self._threads -= 1
        self._start(loop)
        outcome = self._shared.pop(asked).outcome
        if outcome.cancelled():
            return
        if error is None:
            outcome.set_result(found)  # type: ignore[arg-type]
        else:
            outcome.set_exception(error)
            outcome.exception()  # seen, even where nobody waits any more
