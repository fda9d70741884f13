"""Owns the jobs of alerts: what happened becomes messages, messages are sent and forgotten, hours are judged."""

import random
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import delete

from control_plane.alerts import anomaly
from control_plane.alerts.channels import channels
from control_plane.alerts.deliver import Delivery
from control_plane.alerts.events import BATCH as EVENTS_BATCH
from control_plane.alerts.events import put_kill_switches, put_thresholds
from control_plane.alerts.tables import Alert
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.runner import Job
from control_plane.keyring import Keyring
from control_plane.lake.query import Lake
from control_plane.settings import Settings

# A message is on its way within two seconds; a process that rests asks as often, of an index.
EVERY_S = 1.0
# Far more often than the gap that makes an hour unknown.
JUDGED_EVERY_S = 60.0
FORGOTTEN_EVERY_S = 3_600.0
# What became of a message is asked for in the weeks after it; that it was sent is no reason to keep what it said.
KEPT_MS = 90 * 86_400_000
# Batches of one turn: a turn ends well before the job's lease does.
BATCHES_MAX = 10


class Parts(Protocol):
    """What of the application's parts the jobs need."""

    settings: Settings
    keyring: Keyring
    database: Database
    clock: Callable[[], int]
    lake: Lake


def jobs(parts: Parts) -> tuple[Job, ...]:
    random_share = random.SystemRandom().random
    ways_out = channels(parts.settings)
    delivery = Delivery(parts.database, parts.keyring, ways_out, lambda: parts.lake, parts.clock, random_share)

    async def put(now_ms: int) -> None:
        for batch in (put_thresholds, put_kill_switches):
            for _ in range(BATCHES_MAX):
                if await batch(parts.database, now_ms) < EVENTS_BATCH:
                    break

    async def deliver(now_ms: int) -> None:
        # One batch of slow targets takes most of a lease; the next turn begins a second later.
        await delivery.run(now_ms)

    async def judge(now_ms: int) -> None:
        await anomaly.judge(parts.database, now_ms)

    async def forget(now_ms: int) -> None:
        async with parts.database.writing(EVERY_ORG) as session:
            old = (Alert.created_at_ms < now_ms - KEPT_MS, Alert.state.in_(("sent", "dead")))
            await session.execute(delete(Alert).where(*old))

    return (
        Job("alerts_put", EVERY_S, put),
        Job("alerts_deliver", EVERY_S, deliver),
        Job("alerts_judge", JUDGED_EVERY_S, judge),
        Job("alerts_forget", FORGOTTEN_EVERY_S, forget),
    )
