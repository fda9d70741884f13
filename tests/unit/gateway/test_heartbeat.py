import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.heartbeat import BEAT_INTERVAL_S, LAGS_MAX, Heartbeat


class Clock:
    """Time, and an event loop's one timer, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.due: Callable[[], Any] | None = None

    def call_later(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        assert delay_s == BEAT_INTERVAL_S
        self.due = lambda: callback(*args)
        return cast(asyncio.TimerHandle, self)

    def cancel(self) -> None:
        self.due = None

    def turn(self, after_s: float) -> None:
        """The loop wakes `after_s` later and runs what is due."""
        self.now_s += after_s
        due, self.due = self.due, None
        assert due is not None
        due()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heartbeat(clock: Clock) -> Heartbeat:
    started = Heartbeat(lambda: clock.now_s)
    started.start(cast(asyncio.AbstractEventLoop, clock))
    return started


def test_a_turning_loop_is_young_and_on_time(clock: Clock, heartbeat: Heartbeat) -> None:
    for _ in range(100):
        clock.turn(BEAT_INTERVAL_S)

    assert heartbeat.age_s() == 0
    assert heartbeat.lag_s() == 0


def test_a_stalled_loop_grows_old_and_is_late(clock: Clock, heartbeat: Heartbeat) -> None:
    clock.now_s += 30

    assert heartbeat.age_s() == 30
    assert heartbeat.lag_s() == 30 - BEAT_INTERVAL_S


def test_a_stall_is_told_for_a_while_after_it_is_over(clock: Clock, heartbeat: Heartbeat) -> None:
    clock.turn(5)
    for _ in range(LAGS_MAX - 1):
        clock.turn(BEAT_INTERVAL_S)
    assert heartbeat.lag_s() == 5 - BEAT_INTERVAL_S

    clock.turn(BEAT_INTERVAL_S)
    assert heartbeat.lag_s() == 0


def test_a_stopped_heart_asks_for_no_more_turns(clock: Clock, heartbeat: Heartbeat) -> None:
    heartbeat.stop()

    assert clock.due is None


async def test_it_beats_on_a_real_loop() -> None:
    beaten = asyncio.Event()
    times = iter((0.0, 0.0))

    def monotonic_s() -> float:
        """Asked when made and when started; from then on by beats alone."""
        time_s = next(times, None)
        if time_s is None:
            beaten.set()
        return time_s or 1.0

    heartbeat = Heartbeat(monotonic_s)
    heartbeat.start(asyncio.get_running_loop())
    async with asyncio.timeout(10):
        await beaten.wait()
    heartbeat.stop()
