"""Owns the live feed: calls as server-sent events, soon after they end.

A record lands within a second or two of its call's end, so each look asks for calls that ended lately and tells those
it has not told. An event's id is the time of the look: whoever comes back with it is told what ended since a little
before, so that nothing is missed; what was told already may be told again, under the same request_id.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import msgspec

from control_plane.analytics.asked import Asked
from control_plane.analytics.calls import call
from control_plane.analytics.service import SQL
from control_plane.api.problems import Problem
from control_plane.auth.principal import Principal, still_speaks
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.lake.query import Lake, Question, Row, Unanswered

# With the second in which a call lands, it is told within two.
LOOK_EVERY_S = 0.75
# A record may land so much later than its call ended; one that is later still is in the lists.
LANDS_WITHIN_S = 30
# Who connects is told of the last minute, so that a page does not begin empty.
FIRST_S = 60
# A stream that runs longer is in the lists, and not in the feed.
CALL_S_MAX = 3600
# One look's calls; of more, the newest.
CALLS_MAX = 200
# Proxies cut what is silent for half a minute or a minute.
BEAT_EVERY_S = 15
# A browser connects again by itself, and is asked again who it is.
LASTS_S = 600
# Each looks for itself; more cost charts their time.
STREAMS_MAX = 64


class Live:
    """All feeds of a process; `close` ends them."""

    def __init__(self, lake: Callable[[], Lake], database: Database, clock: Callable[[], int]) -> None:
        self._lake, self._database, self._clock = lake, database, clock
        self._closed = asyncio.Event()
        self._streams = 0

    def close(self) -> None:
        self._closed.set()

    def admit(self) -> None:
        """Raises Problem 503 if there are as many as may be."""
        if self._streams >= STREAMS_MAX:
            raise Problem(503, "unavailable", "Too many live feeds are open: close one", headers={"retry-after": "10"})

    async def events(self, asked: Asked, who: Principal, since_ms: int | None) -> AsyncIterator[bytes]:
        """The feed, until it has lasted its time, the process ends, or a call ends that `who` may not see any more."""
        self._streams += 1
        try:
            async for event in self._events(asked, who, since_ms):
                yield event
        finally:
            self._streams -= 1

    async def _events(self, asked: Asked, who: Principal, since_ms: int | None) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        began_at, beat_at = loop.time(), loop.time() + BEAT_EVERY_S
        since_us = 1000 * (self._clock() - FIRST_S * 1000 if since_ms is None else since_ms - LANDS_WITHIN_S * 1000)
        told: dict[str, int] = {}
        yield b"retry: 1000\n\n"
        while not self._closed.is_set() and loop.time() < began_at + LASTS_S:
            looked_ms = self._clock()
            rows = await self._look(asked, max(since_us, (looked_ms - CALL_S_MAX * 1000) * 1000), looked_ms)
            fresh = {row["request_id"]: row for row in rows if row["request_id"] not in told}
            if fresh and not await self._may_hear(who, looked_ms):
                return
            for id, row in fresh.items():
                told[id] = row["ended_us"]
                beat_at = loop.time() + BEAT_EVERY_S
                yield _event(row, looked_ms)
            if loop.time() >= beat_at:
                beat_at = loop.time() + BEAT_EVERY_S
                yield f"id: {looked_ms}\nevent: beat\ndata: {{}}\n\n".encode()
            if loop.time() > began_at + LANDS_WITHIN_S:
                since_us = max(since_us, (looked_ms - LANDS_WITHIN_S * 1000) * 1000)
            told = {id: ended_us for id, ended_us in told.items() if ended_us > since_us}
            await self._pause()

    async def _may_hear(self, who: Principal, now_ms: int) -> bool:
        """Who was removed, signed out or revoked meanwhile is told of no call that ended since."""
        async with self._database.reading(EVERY_ORG) as session:
            return await still_speaks(session, who, now_ms)

    async def _look(self, asked: Asked, ended_us: int, now_ms: int) -> list[Row]:
        """The calls that ended since, the first first. A lake that does not answer is asked again."""
        now_s = now_ms // 1000
        scope = replace(asked.scope, from_s=now_s - CALL_S_MAX, to_s=now_s + CALL_S_MAX)
        given = {"ended_us": ended_us, "limit": CALLS_MAX}
        try:
            return (await self._lake().ask(Question(SQL["live"], "events", scope, given))).rows[::-1]
        except Unanswered:
            return []

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._closed.wait()
        except TimeoutError:
            return


def _event(row: Row, looked_ms: int) -> bytes:
    return b"id: %d\nevent: call\ndata: %b\n\n" % (looked_ms, msgspec.json.encode(call(row)))
