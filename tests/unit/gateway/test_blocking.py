"""What blocks is run on threads: few of them, once for all who ask the same."""

import asyncio
import threading

import pytest

from gateway.blocking import Blocking
from tests.support.data_plane import soon, until


class Gated:
    """A function that returns when the test lets it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun: list[str] = []

    def __call__(self, asked: str) -> str:
        self.begun.append(asked)
        if asked == "quick":
            return "quick"
        self.open.wait()
        if asked == "bad":
            raise OSError("bad")
        return asked.upper()


async def test_all_who_ask_the_same_share_one_run():
    gated = Gated()
    blocking = Blocking(gated, threads_max=2)
    asking = [asyncio.ensure_future(blocking("a")) for _ in range(10)]
    await until(lambda: gated.begun)
    gated.open.set()
    assert await soon(asyncio.gather(*asking)) == ["A"] * 10
    assert gated.begun == ["a"]
    assert await soon(blocking("a")) == "A"  # nothing is kept: asked again, it is run again
    assert gated.begun == ["a", "a"]


async def test_what_is_raised_is_raised_for_all():
    gated = Gated()
    gated.open.set()
    blocking = Blocking(gated, threads_max=2)
    found = await soon(asyncio.gather(blocking("bad"), blocking("bad"), return_exceptions=True))
    assert [str(error) for error in found] == ["bad", "bad"]


async def test_one_that_hangs_holds_one_thread_and_no_other_argument():
    gated = Gated()
    blocking = Blocking(gated, threads_max=2)
    hanging = [asyncio.ensure_future(blocking("a")) for _ in range(10)]
    await until(lambda: gated.begun)
    assert await soon(blocking("quick")) == "quick"
    gated.open.set()
    await soon(asyncio.gather(*hanging))


async def test_beyond_the_threads_arguments_wait_in_line():
    gated = Gated()
    blocking = Blocking(gated, threads_max=2)
    asking = [asyncio.ensure_future(blocking(each)) for each in "abcd"]
    await until(lambda: len(gated.begun) == 2)
    gated.open.set()
    assert await soon(asyncio.gather(*asking)) == ["A", "B", "C", "D"]


async def test_who_gives_up_gives_up_alone_and_what_nobody_waits_for_is_not_begun():
    gated = Gated()
    blocking = Blocking(gated, threads_max=1)
    first, second, third = (asyncio.ensure_future(blocking(each)) for each in "aab")
    await until(lambda: gated.begun)
    for each in (first, third):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each
    gated.open.set()
    assert await soon(second) == "A"
    assert await soon(blocking("quick")) == "quick"
    assert gated.begun == ["a", "quick"]


async def test_what_is_found_when_nobody_waits_any_more_harms_nobody():
    gated = Gated()
    blocking = Blocking(gated, threads_max=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await blocking("bad")
    gated.open.set()
    assert await soon(blocking("quick")) == "quick"
