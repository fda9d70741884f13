import asyncio

from sqlalchemy import select

from control_plane.alerts import service
from control_plane.alerts.events import put_thresholds
from control_plane.audit.tables import AuditLog
from tests.support.alert_stage import EMAIL, AlertStage
from tests.support.processes import free_port


async def entries(stage: AlertStage) -> list[AuditLog]:
    async with stage.plane.parts.database.reading(stage.org_id) as session:
        return list((await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars())


async def test_every_change_and_every_test_is_in_the_audit_log_without_secrets(plane):
    stage = await AlertStage.of(plane)
    secret = "whsec_" + "canary00" * 6
    rule = await stage.rule({"channel": "webhook", "url": f"http://127.0.0.1:{free_port()}/canary", "secret": secret})
    address = f"/v1/alert-rules/{rule['id']}"
    await plane.client.patch(address, json={"name": "B", "rotate_secret": True}, headers=stage.headers)
    await plane.client.post(f"{address}/test", headers=stage.headers)
    await plane.client.delete(address, headers=stage.headers)
    kept = [entry for entry in await entries(stage) if entry.subject == f"alert_rule:{rule['id']}"]
    assert [entry.action.removeprefix("alert_rule:") for entry in kept] == ["create", "update", "test", "delete"]
    assert (kept[1].meta["before"]["name"], kept[1].meta["after"]["name"]) == ("Tell", "B")
    assert "canary" not in str([entry.meta for entry in kept])
    assert "whsec" not in str([entry.meta for entry in kept])


async def test_an_organization_has_so_many_rules_and_no_more(plane, monkeypatch):
    monkeypatch.setattr(service, "RULES_MAX", 2)
    stage = await AlertStage.of(plane)
    body = {"name": "a", "trigger": "threshold", "target": EMAIL}
    made = [await plane.client.post("/v1/alert-rules", json=body, headers=stage.headers) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]


async def test_a_rule_that_is_deleted_takes_its_messages_along(either_plane):
    plane = either_plane
    stage = await AlertStage.of(plane)
    rule = await stage.rule()
    await stage.crossed(await stage.budget())
    await put_thresholds(plane.parts.database, plane.clock())
    assert len(await stage.alerts()) == 1
    await plane.client.delete(f"/v1/alert-rules/{rule['id']}", headers=stage.headers)
    assert await stage.alerts() == []


async def test_a_new_target_may_be_of_another_channel_with_a_secret_of_its_own(plane):
    stage = await AlertStage.of(plane)
    rule = await stage.rule()
    target = {"channel": "webhook", "url": "https://example.com/hook"}
    address = f"/v1/alert-rules/{rule['id']}"
    changed = (await plane.client.patch(address, json={"target": target}, headers=stage.headers)).json()
    assert (changed["channel"], changed["target_hint"]) == ("webhook", "example.com/…")
    assert changed["signing_secret"].startswith("whsec_")
    wrong = await plane.client.patch(address, json={"anomaly": {}}, headers=stage.headers)
    assert wrong.status_code == 400


async def test_a_repeated_post_makes_one_rule_and_shows_its_secret_again(plane):
    stage = await AlertStage.of(plane)
    body = {"name": "a", "trigger": "threshold", "target": {"channel": "webhook", "url": "https://example.com/"}}
    headers = {**stage.headers, "idempotency-key": "once"}
    first, second = [await plane.client.post("/v1/alert-rules", json=body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert len((await plane.client.get("/v1/alert-rules", headers=stage.headers)).json()["items"]) == 1


async def test_of_edits_at_once_of_what_was_read_one_is_taken(either_plane):
    stage = await AlertStage.of(either_plane)
    address = f"/v1/alert-rules/{(await stage.rule())['id']}"
    headers = {**stage.headers, "if-match": '"1"'}
    edits = ({"name": "Other"}, {"enabled": False}, {"thresholds": [90]})
    answers = await asyncio.gather(*(either_plane.client.patch(address, json=edit, headers=headers) for edit in edits))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
