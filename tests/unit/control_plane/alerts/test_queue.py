import asyncio

import pytest
from sqlalchemy import select

from control_plane.alerts import queue
from control_plane.alerts.queue import ATTEMPTS_MAX, BACKOFF_MS_MAX, LEASE_MS, backoff_ms, claim, finish, put
from control_plane.alerts.schema import Outcome
from control_plane.alerts.tables import AlertRule
from control_plane.db.engine import EVERY_ORG, Database
from tests.support.alert_stage import AlertStage, threshold

LATER = Outcome(False, "HTTP 500")


async def put_one(stage: AlertStage, key: str = "k1") -> None:
    async with stage.plane.parts.database.writing(EVERY_ORG) as session:
        rule = (await session.execute(select(AlertRule))).scalars().first()
        assert rule is not None
        await put(session, rule, key, threshold(), stage.plane.clock())


@pytest.fixture
async def stage(either_plane):
    stage = await AlertStage.of(either_plane)
    await stage.rule()
    return stage


async def test_what_happened_twice_by_the_same_key_is_one_message(stage):
    await put_one(stage)
    await put_one(stage)
    await put_one(stage, "k2")
    assert [alert.key for alert in await stage.alerts()] == ["k1", "k2"]


async def test_a_message_goes_from_due_over_sending_to_sent(stage):
    database, now = stage.plane.parts.database, stage.plane.clock()
    await put_one(stage)
    [mine] = await claim(database, now, 10)
    assert (mine.attempt, mine.event, mine.enabled) == (1, threshold(), True)
    assert await claim(database, now, 10) == []
    assert await finish(database, mine, Outcome(True), now + 5, 0.0)
    [alert] = await stage.alerts()
    assert (alert.state, alert.sent_at_ms, alert.attempts, alert.last_error) == ("sent", now + 5, 1, "")
    assert await claim(database, now + 10 * LEASE_MS, 10) == []


async def test_a_failure_is_put_off_and_a_final_one_given_up(stage):
    database, now = stage.plane.parts.database, stage.plane.clock()
    await put_one(stage)
    [mine] = await claim(database, now, 10)
    await finish(database, mine, Outcome(False, "HTTP 429", 30.0), now, 1.0)
    assert await claim(database, now + 29_999, 10) == []
    [mine] = await claim(database, now + 30_000, 10)
    await finish(database, mine, Outcome(False, "HTTP 410", is_final=True), now, 1.0)
    [alert] = await stage.alerts()
    assert (alert.state, alert.attempts, alert.last_error) == ("dead", 2, "HTTP 410")


async def test_a_message_that_never_arrives_is_given_up_after_so_many_attempts(stage):
    database, now = stage.plane.parts.database, stage.plane.clock()
    await put_one(stage)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        now += BACKOFF_MS_MAX
        [mine] = await claim(database, now, 10)
        assert mine.attempt == attempt
        await finish(database, mine, LATER, now, 1.0)
    [alert] = await stage.alerts()
    assert (alert.state, alert.attempts) == ("dead", ATTEMPTS_MAX)


async def test_a_sender_that_is_gone_is_relieved_and_what_it_says_later_is_not_heard(stage):
    database, now = stage.plane.parts.database, stage.plane.clock()
    await put_one(stage)
    [gone] = await claim(database, now, 10)
    assert await claim(database, now + LEASE_MS - 1, 10) == []
    [mine] = await claim(database, now + LEASE_MS, 10)
    assert (mine.id, mine.attempt) == (gone.id, 2)
    assert not await finish(database, gone, LATER, now + LEASE_MS, 1.0)
    assert await finish(database, mine, Outcome(True), now + LEASE_MS, 1.0)
    assert not await finish(database, gone, LATER, now + LEASE_MS, 1.0)
    assert [alert.state for alert in await stage.alerts()] == ["sent"]


async def test_a_message_that_ends_every_sender_is_given_up_too(stage):
    database, now = stage.plane.parts.database, stage.plane.clock()
    await put_one(stage)
    for attempt in range(ATTEMPTS_MAX):
        [_] = await claim(database, now + attempt * LEASE_MS, 10)
    assert await claim(database, now + ATTEMPTS_MAX * LEASE_MS, 10) == []
    [alert] = await stage.alerts()
    assert (alert.state, alert.last_error) == ("dead", "every sender ended before it was answered")


async def test_many_messages_of_one_organization_hold_up_nobody_elses(stage):
    database = stage.plane.parts.database
    for number in range(5):
        await put_one(stage, f"k{number}")
        stage.plane.clock.advance(1)
    other = await AlertStage.of(stage.plane, "Other")
    made = await other.rule()
    async with database.writing(EVERY_ORG) as session:
        rule = (await session.execute(select(AlertRule).where(AlertRule.id == made["id"]))).scalar_one()
        await put(session, rule, "theirs", threshold(), stage.plane.clock())
    now = stage.plane.clock()
    assert [claimed.org_id for claimed in await claim(database, now, 3)] == [stage.org_id, other.org_id, stage.org_id]
    assert [claimed.org_id for claimed in await claim(database, now, 9)] == [stage.org_id] * 3


async def test_two_processes_claim_each_message_once(stage, database_url):
    database, now = stage.plane.parts.database, stage.plane.clock()
    for number in range(40):
        await put_one(stage, f"k{number}")
    other = Database(database_url)
    try:
        claims = await asyncio.gather(*(claim(one, now, 5) for one in (database, other) * 8))
    finally:
        await other.close()
    ids = [one.id for some in claims for one in some]
    assert len(ids) == len(set(ids))
    left = await claim(database, now, 100)
    assert sorted(ids + [one.id for one in left]) == [alert.id for alert in await stage.alerts()]


@pytest.mark.parametrize(
    ("attempt", "asked_s", "jitter", "waited_ms"),
    [
        (1, None, 0.0, 2_500),
        (1, None, 1.0, 5_000),
        (2, None, 1.0, 10_000),
        (5, None, 1.0, 80_000),
        (100, None, 1.0, BACKOFF_MS_MAX),
        (1, 60.0, 0.0, 60_000),
        (5, 1.0, 1.0, 80_000),
        (1, 1e9, 0.0, queue.RETRY_AFTER_MS_MAX),
    ],
)
def test_waits_double_and_heed_what_the_target_asks_for(attempt, asked_s, jitter, waited_ms):
    assert backoff_ms(attempt, asked_s, jitter) == waited_ms
