"""Owns Heartbeat: a timer on the event loop that tells, from any thread, whether the loop still turns and how late."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

BEAT_INTERVAL_S = 0.25
# Lateness is told as the worst of the last 15 s, a usual scrape interval, so that no stall falls between scrapes.
LAGS_MAX = 60


class Heartbeat:
    """Beats from `start` to `stop`. One timer for the process, whatever the number of calls."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._beaten_s = monotonic_s()
        self._lags_s: deque[float] = deque(maxlen=LAGS_MAX)
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beaten_s = self._monotonic_s()
        self._timer = loop.call_later(BEAT_INTERVAL_S, self._beat, loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def age_s(self) -> float:
        """Time since the last beat; about BEAT_INTERVAL_S at most while the loop is well."""
        return self._monotonic_s() - self._beaten_s

    def lag_s(self) -> float:
        """The latest of the recent beats, or how late the next one is already."""
        return max(0.0, self.age_s() - BEAT_INTERVAL_S, *self._lags_s)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._lags_s.append(max(0.0, self.age_s() - BEAT_INTERVAL_S))
        self.start(loop)
