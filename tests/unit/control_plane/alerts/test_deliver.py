import asyncio
import contextlib
from dataclasses import replace

import pytest
from sqlalchemy import text

from control_plane.alerts.deliver import with_models
from control_plane.alerts.events import put_thresholds
from control_plane.alerts.queue import LEASE_MS, claim
from control_plane.alerts.schema import KillSwitchThrown, ModelCost, Named
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.lake.query import Lake
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet
from tests.support.alert_stage import START_S, AlertStage, threshold
from tests.support.control_plane import ring
from tests.support.slack_server import CHANNEL, TOKEN, slack_server
from tests.support.webhook_receiver import webhook_receiver

SLACK = {"channel": "slack", "token": TOKEN, "channel_id": CHANNEL}


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


@pytest.fixture
def receiver():
    with webhook_receiver() as server:
        yield server


async def crossed(stage: AlertStage, *percents: int) -> None:
    """Thresholds of one budget, each with its messages."""
    budget = await stage.budget()
    for percent in percents:
        await stage.crossed(budget, percent)
    await put_thresholds(stage.plane.parts.database, stage.plane.clock())


async def test_ninety_and_a_hundred_percent_arrive_in_slack_once_each(either_plane, slack):
    stage = await AlertStage.of(either_plane)
    await stage.rule(SLACK)
    await crossed(stage, 90, 100)
    delivery = stage.delivery(slack_api_url=slack.api_url)
    assert [await delivery.run(either_plane.clock()) for _ in range(3)] == [2, 0, 0]
    titles = sorted(message["blocks"][0]["text"]["text"] for message in slack.messages)
    assert titles == ["Budget at 100 %", "Budget at 90 %"]
    assert "Shop &lt;&amp;&gt;" in slack.messages[0]["text"]
    assert "unknown" in slack.messages[0]["blocks"][2]["text"]["text"]
    assert {alert.state for alert in await stage.alerts()} == {"sent"}


async def test_a_limit_of_slacks_is_waited_for(plane, slack):
    stage = await AlertStage.of(plane)
    await stage.rule(SLACK)
    await crossed(stage, 90)
    slack.limit_next(30)
    delivery = stage.delivery(slack_api_url=slack.api_url)
    await delivery.run(plane.clock())
    [alert] = await stage.alerts()
    assert (alert.state, alert.last_error) == ("due", "Slack: ratelimited")
    plane.clock.advance(29)
    assert await delivery.run(plane.clock()) == 0
    plane.clock.advance(1)
    assert await delivery.run(plane.clock()) == 1
    assert len(slack.messages) == 1


async def test_what_nobody_can_send_is_dead_at_once(plane, slack):
    stage = await AlertStage.of(plane)
    await stage.rule({**SLACK, "token": "xoxb-revoked-token"})
    await crossed(stage, 90)
    await stage.delivery(slack_api_url=slack.api_url).run(plane.clock())
    [alert] = await stage.alerts()
    assert (alert.state, alert.last_error) == ("dead", "Slack: invalid_auth")


async def test_a_sender_that_dies_between_sending_and_writing_sends_the_same_id_again(either_plane, receiver):
    plane = either_plane
    plane.clock.ms = now_ms()
    stage = await AlertStage.of(plane)
    made = await stage.rule({"channel": "webhook", "url": receiver.url})
    receiver.secret = made["signing_secret"]
    await crossed(stage, 90)
    delivery = stage.delivery()
    # Claimed and sent; the process ends before it writes that down.
    [claimed] = await claim(plane.parts.database, plane.clock(), 10)
    assert (await delivery._attempt(claimed)).delivered
    assert await delivery.run(plane.clock()) == 0
    plane.clock.advance(LEASE_MS / 1000)
    assert await delivery.run(plane.clock()) == 1
    assert [id for id, _ in receiver.received] == [claimed.id, claimed.id]
    first, second = (message for _, message in receiver.received)
    assert first == second
    assert [alert.state for alert in await stage.alerts()] == ["sent"]


async def test_two_senders_send_each_message_once(either_plane, database_url, receiver):
    plane = either_plane
    plane.clock.ms = now_ms()
    stage = await AlertStage.of(plane)
    made = await stage.rule({"channel": "webhook", "url": receiver.url})
    receiver.secret = made["signing_secret"]
    await crossed(stage, *range(1, 61))
    other = Database(database_url)
    senders = [stage.delivery(), replace(stage.delivery(), database=other)]
    try:
        while sum(await asyncio.gather(*(sender.run(plane.clock()) for sender in senders))):
            pass
    finally:
        await other.close()
    ids = [id for id, _ in receiver.received]
    assert len(ids) == len(set(ids)) == 60
    assert {alert.state for alert in await stage.alerts()} == {"sent"}


async def test_a_rule_that_was_switched_off_sends_no_more(plane, slack):
    stage = await AlertStage.of(plane)
    rule = await stage.rule(SLACK)
    await crossed(stage, 90)
    await plane.client.patch(f"/v1/alert-rules/{rule['id']}", json={"enabled": False}, headers=stage.headers)
    await stage.delivery(slack_api_url=slack.api_url).run(plane.clock())
    [alert] = await stage.alerts()
    assert (alert.state, alert.last_error, slack.messages) == ("dead", "the rule was switched off", [])


async def test_a_target_whose_key_is_missing_waits_for_it(plane, slack):
    stage = await AlertStage.of(plane)
    await stage.rule(SLACK)
    await crossed(stage, 90)
    delivery = stage.delivery(slack_api_url=slack.api_url)
    await replace(delivery, keyring=ring("other")).run(plane.clock())
    [alert] = await stage.alerts()
    assert alert.state == "due"
    assert "not in the ring" in alert.last_error
    plane.clock.advance(10)
    await delivery.run(plane.clock())
    assert len(slack.messages) == 1


async def test_the_dearest_models_are_those_of_the_lake(plane, slack, tmp_path):
    stage = await AlertStage.of(plane)
    calls = [
        Record(
            request_id=model, ts_ns=(START_S + 1) * 10**9, model=model, cost_nanousd=cost,
            project_id=stage.project_id, org_id=stage.org_id,
        )
        for model, cost in (("large", 80 * 10**9), ("small", 10**9))
    ]  # fmt: skip
    file = tmp_path / "lake/landing/dt=2026-09-21/n-1-1.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(encode_parquet(to_table(calls), "digest"))
    await stage.rule(SLACK)
    await crossed(stage, 90)
    await stage.delivery(slack_api_url=slack.api_url).run(plane.clock())
    assert "large $80.00, small $1.00" in slack.messages[0]["blocks"][2]["text"]["text"]
    [alert] = await stage.alerts()
    assert alert.payload["top_models"][0] == {"model": "large", "cost_usd": "80.00"}


async def test_what_has_models_already_or_never_is_not_asked_for_them():
    switch = KillSwitchThrown(project=None, at_ms=0, kill_switch_id="k", reason="", by="")
    with contextlib.closing(Lake("/nowhere")) as lake:
        for event in (switch, threshold(top_models=[ModelCost("a", "1")])):
            assert await with_models(lake, "org_1", event) is event
        unknown = threshold(top_models=None, project=Named("p", "P"))
        assert await with_models(lake, "org_1", unknown) is unknown


async def test_neither_targets_nor_tokens_are_in_a_log_or_the_database(either_plane, slack, receiver, caplog):
    caplog.set_level("DEBUG")
    plane = either_plane
    stage = await AlertStage.of(plane)
    secret = "whsec_" + "canary00" * 6
    receiver.secret, receiver.answers = secret, [(500, {})]
    slack.failures.append((500, {}, b"no"))
    for target in (
        {**SLACK, "token": TOKEN},
        {"channel": "slack_webhook", "url": slack.webhook_url},
        {"channel": "webhook", "url": receiver.url, "secret": secret},
        {"channel": "email", "address": "canary-ada@example.com"},
    ):
        rule = await stage.rule(target)
        await plane.client.post(f"/v1/alert-rules/{rule['id']}/test", headers=stage.headers)
    await crossed(stage, 90)
    await stage.delivery(slack_api_url=slack.api_url).run(plane.clock())
    plane.clock.advance(600)
    await stage.delivery(slack_api_url="http://127.0.0.1:1/").run(plane.clock())
    async with plane.parts.database.engine.connect() as connection:
        stored = [
            str((await connection.execute(text(f"SELECT * FROM {table}"))).all())
            for table in ("alert_rules", "alerts", "audit_logs", "idempotent_answers")
        ]
    seen = [("log", caplog.text), *(("database", rows) for rows in stored)]
    assert [where for where, what in seen if "canary" in what.lower().replace("c0canary1", "")] == []
