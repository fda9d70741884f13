from sqlalchemy import select

from control_plane.alerts.jobs import jobs
from control_plane.alerts.tables import Alert
from control_plane.db.engine import EVERY_ORG
from control_plane.jobs.runner import Runner
from tests.support.alert_stage import AlertStage
from tests.support.control_plane import control_plane
from tests.support.slack_server import CHANNEL, TOKEN, slack_server


async def test_a_crossing_and_a_kill_switch_reach_slack_by_the_jobs_alone(database_url, tmp_path):
    with slack_server() as slack:
        async with control_plane(database_url, tmp_path, slack_api_url=slack.api_url) as plane:
            stage = await AlertStage.of(plane)
            target = {"channel": "slack", "token": TOKEN, "channel_id": CHANNEL}
            await stage.rule(target)
            await stage.rule(target, trigger="kill_switch")
            await stage.rule(target, trigger="anomaly")
            await stage.crossed(await stage.budget(), 100)
            await stage.kill_switch()
            runners = [Runner(plane.parts.database, holder, plane.clock) for holder in ("a", "b")]
            for _ in range(2):
                for job in jobs(plane.parts):
                    assert await runners[0].run_once(job)
                    assert not await runners[1].run_once(job)
            titles = [message["blocks"][0]["text"]["text"] for message in slack.messages]
            assert sorted(titles) == ["Budget at 100 %", "Kill switch thrown"]
            assert {alert.state for alert in await stage.alerts()} == {"sent"}


async def test_more_than_a_batch_is_put_in_one_turn(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    budget = await stage.budget()
    for number in range(205):
        await stage.crossed(budget, 90, f"c{number}")
    put = next(job for job in jobs(plane.parts) if job.name == "alerts_put")
    await put.run(plane.clock())
    assert len(await stage.alerts()) == 205


async def test_what_was_sent_or_given_up_is_forgotten_and_what_is_due_is_not(either_plane):
    stage = await AlertStage.of(either_plane)
    await stage.rule()
    budget = await stage.budget()
    for number in range(3):
        await stage.crossed(budget, 90, f"c{number}")
    named = {job.name: job for job in jobs(either_plane.parts)}
    await named["alerts_put"].run(either_plane.clock())
    async with either_plane.parts.database.writing(EVERY_ORG) as session:
        made = (await session.execute(select(Alert).order_by(Alert.id))).scalars().all()
        for alert, state in zip(made, ("sent", "dead", "due"), strict=True):
            alert.state = state
    for days, left in ((89, ["dead", "due", "sent"]), (2, ["due"])):
        either_plane.clock.advance(days * 86_400)
        await named["alerts_forget"].run(either_plane.clock())
        assert sorted(alert.state for alert in await stage.alerts()) == left
