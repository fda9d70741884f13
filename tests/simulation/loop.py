"""Owns an event loop whose time is virtual and whose order a seed draws: asyncio's tasks run on it unchanged."""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable
from random import Random
from typing import Any

# More than any schedule needs; beyond it something spins.
TURNS_MAX = 400_000


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs what is due at one moment in an order of its own choosing; the same seed gives the same order."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now_s = 0.0
        self._due: list[tuple[float, float, int, asyncio.Handle]] = []
        self._count = 0
        self.errors: list[BaseException] = []

    def time(self) -> float:
        return self._now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_at(self._now_s, callback, *args, context=context)

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        return self.call_at(self._now_s + max(delay, 0.0), callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._due, (when, self._random.random(), self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled handle stays where it is and is passed over."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context.get("exception") or AssertionError(context.get("message")))

    def run(self, until_s: float, done: Callable[[], bool] = lambda: False) -> None:
        """Runs until that moment, or until it is done; raises what a callback raised."""
        events._set_running_loop(self)
        try:
            for _ in range(TURNS_MAX):
                if not self._due or self._due[0][0] > until_s or done():
                    break
                when, _, _, handle = heapq.heappop(self._due)
                self._now_s = max(self._now_s, when)
                if not handle.cancelled():
                    handle._run()
                if self.errors:
                    raise self.errors[0]
            else:
                raise AssertionError("the schedule does not come to an end")
            self._now_s = max(self._now_s, until_s) if not done() else self._now_s
        finally:
            events._set_running_loop(None)
