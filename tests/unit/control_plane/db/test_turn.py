import asyncio

import pytest

from control_plane.db.turn import Turn


class Line:
    """Those who take turns, as they had it."""

    def __init__(self, timeout_s: float = 5) -> None:
        self.turn, self.had = Turn(timeout_s), []
        self.held = asyncio.Event()

    async def one(self, name: str, *, urgent: bool = False) -> None:
        async with self.turn.taken(urgent=urgent):
            self.had.append(name)
            await self.held.wait()

    async def begin(self, *names: str) -> list[asyncio.Task[None]]:
        """Each in line; names in capitals are urgent."""
        tasks = []
        for name in names:
            tasks.append(asyncio.create_task(self.one(name, urgent=name.isupper())))
            await asyncio.sleep(0)
        return tasks


async def test_turns_come_in_order_and_the_urgent_before_all_who_wait():
    line = Line()
    tasks = await line.begin("a", "b", "c", "D", "E")
    assert line.had == ["a"]
    line.held.set()
    await asyncio.gather(*tasks)
    assert line.had == ["a", "D", "E", "b", "c"]


async def test_who_gives_up_is_passed_over():
    line = Line()
    tasks = await line.begin("a", "b", "c", "d")
    tasks[1].cancel()
    tasks[2].cancel()
    line.held.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.had == ["a", "d"]


async def test_who_gives_up_as_the_turn_comes_passes_it_on():
    line = Line()
    line.held.set()
    async with line.turn.taken(urgent=False):
        tasks = await line.begin("a", "b")
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.had == ["b"]


async def test_who_gave_up_a_moment_before_the_turn_came_does_not_take_it_along():
    line = Line()
    async with line.turn.taken(urgent=False):
        tasks = await line.begin("a", "B", "c")
        tasks[0].cancel()
        tasks[1].cancel()
    line.held.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.had == ["c"]
    await asyncio.gather(*await line.begin("d"))
    assert line.had == ["c", "d"]


async def test_a_turn_that_failed_is_over():
    turn = Turn(5)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with turn.taken(urgent=False):
                raise ZeroDivisionError
    async with turn.taken(urgent=False):
        pass


async def test_nobody_waits_for_longer_than_may_be():
    line = Line(timeout_s=0.01)
    [first, second] = await line.begin("a", "b")
    with pytest.raises(TimeoutError):
        await second
    line.held.set()
    await first
    await asyncio.gather(*await line.begin("c"))
    assert line.had == ["a", "c"]
