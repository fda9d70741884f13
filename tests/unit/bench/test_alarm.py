import asyncio
import time

from bench.alarm import Alarm


async def test_rings_once_a_setting_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    rung_ns: asyncio.Queue[int] = asyncio.Queue()
    alarm = Alarm(loop, lambda: rung_ns.put_nowait(time.monotonic_ns()))
    for delay_us in (300, 1500, -1000):
        due_ns = time.monotonic_ns() + delay_us * 1000
        alarm.set(due_ns)
        assert await rung_ns.get() >= due_ns
    alarm.close()
    assert rung_ns.empty()


async def test_a_later_setting_replaces_an_earlier_one() -> None:
    loop = asyncio.get_running_loop()
    rung_ns: asyncio.Queue[int] = asyncio.Queue()
    alarm = Alarm(loop, lambda: rung_ns.put_nowait(time.monotonic_ns()))
    start_ns = time.monotonic_ns()
    alarm.set(start_ns + 3_600_000_000_000)
    alarm.set(start_ns + 500_000)
    assert await rung_ns.get() < start_ns + 3_600_000_000_000
    alarm.close()
