import asyncio

import pytest

from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.runner import LEASE_MARGIN_MS, Job, Runner
from control_plane.jobs.tables import JobLease


class Ran:
    """A job that writes down when it ran, and fails when told to."""

    def __init__(self):
        self.times, self.fails = [], False
        self.job = Job("count", 60.0, self.run)

    async def run(self, now_ms):
        self.times.append(now_ms)
        if self.fails:
            raise ZeroDivisionError


@pytest.fixture
async def runners(either_plane):
    """Two processes over one database."""
    databases = [Database(either_plane.parts.database.url) for _ in range(2)]
    yield [Runner(database, name, either_plane.clock) for database, name in zip(databases, "ab", strict=True)]
    for database in databases:
        await database.close()


async def test_of_two_who_start_at_once_one_runs_the_job(runners):
    ran = Ran()
    assert sorted(await asyncio.gather(*(runner.run_once(ran.job) for runner in runners))) == [False, True]
    assert len(ran.times) == 1


async def test_the_holder_runs_it_again_and_the_other_does_not(runners, either_plane):
    ran, (first, second) = Ran(), runners
    for _ in range(3):
        assert await first.run_once(ran.job)
        assert not await second.run_once(ran.job)
        either_plane.clock.advance(60)
    assert len(ran.times) == 3


async def test_what_a_dead_process_held_is_taken_over(runners, either_plane):
    ran, (first, second) = Ran(), runners
    await first.run_once(ran.job)
    either_plane.clock.advance(60 + LEASE_MARGIN_MS / 1000)
    assert not await second.run_once(ran.job)
    either_plane.clock.advance(0.001)
    assert await second.run_once(ran.job)
    assert not await first.run_once(ran.job)


async def test_a_job_that_fails_is_told_of_and_tried_again(runners, caplog):
    ran, (first, _) = Ran(), runners
    ran.fails = True
    assert not await first.run_once(ran.job)
    assert [record.message for record in caplog.records] == ["job_failed"]
    ran.fails = False
    assert await first.run_once(ran.job)


async def test_jobs_do_not_wait_for_each_other(runners):
    ran, other = Ran(), Ran()
    assert await runners[0].run_once(ran.job)
    assert await runners[1].run_once(other.job._replace(name="other"))


async def test_a_lease_that_is_good_for_longer_is_not_written_again(runners, either_plane):
    ran, (first, second) = Ran(), runners
    job = ran.job._replace(every_s=1.0)
    until = []
    for _ in range(31):
        assert await first.run_once(job)
        assert not await second.run_once(job)
        async with either_plane.parts.database.reading(EVERY_ORG) as session:
            until.append((await session.get(JobLease, "count")).until_ms)
        either_plane.clock.advance(1)
    assert len(ran.times) == 31
    assert len(set(until)) == 3
