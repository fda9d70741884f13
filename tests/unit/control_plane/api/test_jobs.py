from control_plane.api.jobs import EVERY_S, forgetting
from control_plane.api.transaction import KEPT_MS


async def test_the_job_runs_often_enough(plane):
    # What it forgets is told in test_transaction.py.
    job = forgetting(plane.parts.database)
    assert job in plane.parts.jobs or job.name in {one.name for one in plane.parts.jobs}
    assert EVERY_S * 1000 < KEPT_MS / 10
