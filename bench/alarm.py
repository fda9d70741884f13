"""Owns a timer that is exact to microseconds. The event loops round theirs up to the next millisecond, which would
be most of the latency we want to see. Linux only, like the rest of the bench.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_TIMER_ABSTIME = 1
_libc = ctypes.CDLL(None, use_errno=True)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Alarm:
    """A timerfd(2): calls `ring` from the loop once per `set`. `loop` needs only add_reader and remove_reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._descriptor, self._on_readable)

    def set(self, due_ns: int) -> None:
        """Ring at that moment of the monotonic clock; at once if it has passed. Replaces an earlier setting."""
        spec = _TimerSpec(value=_TimeSpec(due_ns // 1_000_000_000, due_ns % 1_000_000_000))
        if _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _on_readable(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return  # Set anew in the turn in which it rang: the new setting stands, and rings in its time.
        self._ring()
