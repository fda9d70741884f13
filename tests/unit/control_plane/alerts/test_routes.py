import pytest

from control_plane.alerts.events import put_thresholds
from control_plane.clock import now_ms
from tests.support.alert_stage import EMAIL, AlertStage
from tests.support.control_plane import control_plane
from tests.support.processes import free_port
from tests.support.slack_server import CHANNEL, TOKEN, slack_server
from tests.support.webhook_receiver import webhook_receiver

RULES = "/v1/alert-rules"


async def test_a_rule_is_made_read_changed_and_deleted(either_plane):
    plane = either_plane
    stage = await AlertStage.of(plane)
    made = await plane.client.post(
        RULES,
        json={"name": "Finance", "trigger": "threshold", "thresholds": [100, 90], "target": EMAIL},
        headers=stage.headers,
    )
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    rule = made.json()
    assert rule["id"].startswith("arl_")
    assert rule == {
        "id": rule["id"], "project_id": None, "name": "Finance", "trigger": "threshold", "thresholds": [90, 100],
        "anomaly": None, "channel": "email", "target_hint": "f…@example.com", "enabled": True,
        "created_at_ms": plane.clock(), "signing_secret": None,
    }  # fmt: skip
    address = f"{RULES}/{rule['id']}"
    read = await plane.client.get(address, headers=stage.headers)
    assert read.json() == {name: value for name, value in rule.items() if name != "signing_secret"}
    listed = await plane.client.get(RULES, headers=stage.headers)
    assert listed.json() == {"items": [read.json()], "next_cursor": None}

    edit = {"name": "Team", "enabled": False, "thresholds": [], "target": {**EMAIL, "address": "team@example.com"}}
    changed = await plane.client.patch(address, json=edit, headers={**stage.headers, "if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["target_hint"], changed.json()["thresholds"]) == ("t…@example.com", [])
    stale = await plane.client.patch(address, json={"name": "x"}, headers={**stage.headers, "if-match": '"1"'})
    assert stale.status_code == 412
    assert (await plane.client.delete(address, headers=stage.headers)).status_code == 204
    assert (await plane.client.get(address, headers=stage.headers)).status_code == 404


async def test_rules_are_listed_by_project(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    rule = await stage.rule(project_id=stage.project_id)
    found = await plane.client.get(f"{RULES}?project_id={stage.project_id}", headers=stage.headers)
    assert [one["id"] for one in found.json()["items"]] == [rule["id"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": {"channel": "pigeon"}},
        {"target": {"channel": "slack", "token": "canary", "channel_id": "C012345"}},
        {"target": {"channel": "slack", "token": "xoxb-canary-token", "channel_id": "general"}},
        {"target": {"channel": "email", "address": "canary"}},
        {"target": {"channel": "email", "address": "a@b.test\nBcc: canary@b.test"}},
        {"target": {"channel": "webhook", "url": "ftp://canary.example.com/"}},
        {"target": {"channel": "webhook", "url": "https://user:canary@example.com/"}},
        {"target": {"channel": "webhook", "url": "https://example.com/", "secret": "canary"}},
        {"trigger": "never"},
        {"trigger": "kill_switch", "thresholds": [90]},
        {"trigger": "threshold", "anomaly": {}},
        {"trigger": "anomaly", "anomaly": {"factor": 1}},
        {"trigger": "anomaly", "anomaly": {"floor_usd": "-1"}},
        {"thresholds": [0]},
        {"thresholds": list(range(1, 22))},
        {"project_id": "prj_01k5q0000000000000000000ab"},
        {"name": ""},
        {"more": 1},
    ],
)
async def test_what_is_wrong_is_refused_and_its_secrets_are_not_repeated(plane, wrong):
    stage = await AlertStage.of(plane)
    body = {"name": "a", "trigger": "threshold", "target": EMAIL} | wrong
    answer = await plane.client.post(RULES, json=body, headers=stage.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    assert "canary" not in answer.text


async def test_an_anomaly_rule_has_a_factor_and_a_floor(plane):
    stage = await AlertStage.of(plane)
    default = await stage.rule(trigger="anomaly")
    chosen = await stage.rule(trigger="anomaly", anomaly={"factor": 2.5, "floor_usd": 20})
    assert default["anomaly"] == {"factor": 3.0, "floor_usd": "1.00"}
    assert chosen["anomaly"] == {"factor": 2.5, "floor_usd": "20.00"}


async def test_a_signing_secret_is_shown_once_and_rotates(plane):
    stage = await AlertStage.of(plane)
    target = {"channel": "webhook", "url": "https://example.com/canary"}
    made = await stage.rule(target)
    assert made["signing_secret"].startswith("whsec_")
    assert made["target_hint"] == "example.com/…"
    address = f"{RULES}/{made['id']}"
    assert "whsec_" not in (await plane.client.get(address, headers=stage.headers)).text
    rotated = await plane.client.patch(address, json={"rotate_secret": True}, headers=stage.headers)
    assert rotated.json()["signing_secret"] not in (None, made["signing_secret"])
    brought = await stage.rule({**target, "secret": "whsec_" + "A" * 43 + "="})
    assert brought["signing_secret"] is None
    mail = await stage.rule()
    refused = await plane.client.patch(f"{RULES}/{mail['id']}", json={"rotate_secret": True}, headers=stage.headers)
    assert refused.status_code == 400


async def test_a_test_is_sent_now_is_marked_and_says_what_happened(either_plane):
    plane = either_plane
    plane.clock.ms = now_ms()
    stage = await AlertStage.of(plane)
    with webhook_receiver() as receiver:
        rule = await stage.rule({"channel": "webhook", "url": receiver.url})
        receiver.secret, receiver.answers = rule["signing_secret"], [(204, {}), (500, {})]
        address = f"{RULES}/{rule['id']}/test"
        answers = [await plane.client.post(address, headers=stage.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"delivered": True, "reason": ""}
    assert answers[1].json() == {"delivered": False, "reason": "HTTP 500"}
    assert receiver.received[0][1]["type"] == "test"
    assert await stage.alerts() == []


async def test_a_trial_that_is_repeated_sends_one_message(plane):
    plane.clock.ms = now_ms()
    stage = await AlertStage.of(plane)
    with webhook_receiver() as receiver:
        rule = await stage.rule({"channel": "webhook", "url": receiver.url})
        receiver.secret = rule["signing_secret"]
        sent = {**stage.headers, "idempotency-key": "k1"}
        answers = [await plane.client.post(f"{RULES}/{rule['id']}/test", headers=sent) for _ in range(2)]
    assert [answer.json()["delivered"] for answer in answers] == [True, True]
    assert len(receiver.received) == 1


async def test_slack_is_tried_at_the_address_of_the_settings(tmp_path):
    with slack_server() as slack:
        url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
        async with control_plane(url, tmp_path, slack_api_url=slack.api_url) as plane:
            stage = await AlertStage.of(plane)
            rule = await stage.rule({"channel": "slack", "token": TOKEN, "channel_id": CHANNEL})
            tried = await plane.client.post(f"{RULES}/{rule['id']}/test", headers=stage.headers)
    assert tried.json() == {"delivered": True, "reason": ""}
    assert slack.messages[0]["blocks"][0]["text"]["text"] == "Test message"


async def test_dead_alerts_are_listed_and_sent_again(plane):
    stage = await AlertStage.of(plane)
    rule = await stage.rule({"channel": "webhook", "url": f"http://127.0.0.1:{free_port()}/"})
    await stage.crossed(await stage.budget())
    await put_thresholds(plane.parts.database, plane.clock())
    [due] = (await plane.client.get("/v1/alerts", headers=stage.headers)).json()["items"]
    again = f"/v1/alerts/{due['id']}/retry"
    assert (await plane.client.post(again, headers=stage.headers)).status_code == 409

    for _ in range(12):
        await stage.delivery().run(plane.clock())
        plane.clock.advance(7200)
    listed = await plane.client.get("/v1/alerts?state=dead", headers=stage.headers)
    [dead] = listed.json()["items"]
    assert (dead["id"], dead["attempts"], dead["rule_id"]) == (due["id"], 12, rule["id"])
    assert dead["last_error"] == "the connection failed (ConnectError)"
    assert dead["event"]["type"] == "budget.threshold"
    assert (await plane.client.get("/v1/alerts?state=sent", headers=stage.headers)).json()["items"] == []

    retried = await plane.client.post(again, headers=stage.headers)
    assert (retried.status_code, retried.json()["state"], retried.json()["attempts"]) == (200, "due", 0)
    assert (await plane.client.get(f"/v1/alerts/{due['id']}", headers=stage.headers)).json() == retried.json()
    for query in (f"rule_id={rule['id']}", f"project_id={stage.project_id}"):
        assert len((await plane.client.get(f"/v1/alerts?{query}", headers=stage.headers)).json()["items"]) == 1


async def test_another_organizations_rules_and_alerts_are_not_there(plane):
    stage, other = await AlertStage.of(plane, "Mine"), await AlertStage.of(plane, "Theirs")
    rule = await stage.rule()
    await stage.crossed(await stage.budget())
    await put_thresholds(plane.parts.database, plane.clock())
    [alert] = await stage.alerts()
    for method, path in (
        ("GET", f"{RULES}/{rule['id']}"), ("PATCH", f"{RULES}/{rule['id']}"), ("DELETE", f"{RULES}/{rule['id']}"),
        ("POST", f"{RULES}/{rule['id']}/test"), ("GET", f"/v1/alerts/{alert.id}"),
        ("POST", f"/v1/alerts/{alert.id}/retry"),
    ):  # fmt: skip
        body = {} if method == "PATCH" else None
        answer = await plane.client.request(method, path, json=body, headers=other.headers)
        assert answer.status_code == 404, (method, path, answer.text)
    for path in (RULES, "/v1/alerts"):
        assert (await plane.client.get(path, headers=other.headers)).json()["items"] == []
    theirs = await plane.client.post(
        RULES,
        json={"name": "a", "trigger": "threshold", "target": EMAIL, "project_id": stage.project_id},
        headers=other.headers,
    )
    assert theirs.status_code == 400


async def test_a_viewer_reads_and_changes_nothing(plane):
    stage = await AlertStage.of(plane)
    rule = await stage.rule()
    viewer = await plane.token(stage.org_id, "viewer")
    assert (await plane.client.get(f"{RULES}/{rule['id']}", headers=viewer)).status_code == 200
    for path in (RULES, f"{RULES}/{rule['id']}/test"):
        assert (await plane.client.post(path, json={}, headers=viewer)).status_code == 403
