import asyncio

from sqlalchemy import update

from control_plane.alerts.events import put_kill_switches, put_thresholds
from control_plane.budgets.tables import Budget, BudgetEvent, CounterState, Quota
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.kill_switch.tables import KillSwitch
from tests.support.alert_stage import START_S, AlertStage


async def test_a_threshold_is_one_message_for_each_rule_that_wants_it(either_plane):
    stage = await AlertStage.of(either_plane)
    wants = [
        await stage.rule(name="all"),
        await stage.rule(name="ninety", thresholds=[90]),
        await stage.rule(name="its project", project_id=stage.project_id),
    ]
    other = await either_plane.client.post("/v1/projects", json={"name": "Other"}, headers=stage.headers)
    await stage.rule(name="hundred", thresholds=[100])
    await stage.rule(name="off", enabled=False)
    await stage.rule(name="other project", project_id=other.json()["id"])
    await stage.rule(name="other trigger", trigger="kill_switch")
    event_id = await stage.crossed(await stage.budget())

    assert await put_thresholds(either_plane.parts.database, either_plane.clock()) == 1
    assert await put_thresholds(either_plane.parts.database, either_plane.clock()) == 0
    alerts = await stage.alerts()
    assert sorted(alert.rule_id for alert in alerts) == sorted(rule["id"] for rule in wants)
    assert {(alert.key, alert.state, alert.project_id) for alert in alerts} == {(event_id, "due", stage.project_id)}
    payload = alerts[0].payload
    assert (payload["type"], payload["spent"], payload["limit"], payload["percent"]) == (
        "budget.threshold", "90.00", "100.00", 90,
    )  # fmt: skip
    assert payload["project"] == {"id": stage.project_id, "name": "Shop <&>"}


async def test_each_threshold_of_each_window_is_its_own_message(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    budget = await stage.budget()
    for percent, counter in ((90, "c1"), (100, "c1"), (90, "c2")):
        await stage.crossed(budget, percent, counter)
        await put_thresholds(plane.parts.database, plane.clock())
    assert [alert.payload["threshold"] for alert in await stage.alerts()] == [90, 100, 90]


async def test_another_organizations_rules_hear_nothing(plane):
    stage, other = await AlertStage.of(plane, "Mine"), await AlertStage.of(plane, "Theirs")
    await other.rule()
    await stage.crossed(await stage.budget())
    await put_thresholds(plane.parts.database, plane.clock())
    assert await other.alerts() == await stage.alerts() == []


async def test_a_budget_of_all_projects_is_told_to_rules_of_all_projects(plane):
    stage = await AlertStage.of(plane)
    rule = await stage.rule()
    await stage.rule(project_id=stage.project_id)
    await stage.crossed(await stage.budget(project=False))
    await put_thresholds(plane.parts.database, plane.clock())
    [alert] = await stage.alerts()
    assert (alert.rule_id, alert.project_id, alert.payload["project"]) == (rule["id"], None, None)


async def test_a_quota_is_told_in_its_unit_with_what_it_counts_apart(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    quota = Quota(
        id=new_id("quo", plane.clock()), org_id=stage.org_id, project_id=None, name="Tokens", unit="tokens",
        limit_amount=1000, window="day", action="block", thresholds=[90], scope={"user": "*"}, created_at_ms=0,
    )  # fmt: skip
    await stage.add(quota)
    await stage.add(
        CounterState(
            limited_id=quota.id,
            counter="c1",
            node="",
            starts_at_s=START_S,
            ends_at_s=START_S + 1,
            settled=900,
            held=0,
            limit_amount=1000,
            dimensions={"user": "ada"},
            reported_at_ms=0,
        )
    )
    await stage.add(
        BudgetEvent(
            id=new_id("bev", plane.clock()),
            org_id=stage.org_id,
            budget_id=quota.id,
            counter="c1",
            threshold=90,
            settled=912,
            limit_amount=1000,
            starts_at_s=START_S,
            ends_at_s=START_S + 86_400,
            fired_at_ms=plane.clock(),
        )
    )
    await put_thresholds(plane.parts.database, plane.clock())
    [alert] = await stage.alerts()
    told = [alert.payload[name] for name in ("unit", "spent", "limit", "percent", "dimensions")]
    assert told == ["tokens", "912", "1000", 91, {"user": "ada"}]


async def test_a_budget_that_is_gone_is_told_to_nobody(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    await stage.crossed("bud_gone")
    assert await put_thresholds(plane.parts.database, plane.clock()) == 1
    assert await put_thresholds(plane.parts.database, plane.clock()) == 0
    assert await stage.alerts() == []


async def test_a_kill_switch_is_told_when_thrown_and_when_released(either_plane):
    plane, database = either_plane, either_plane.parts.database
    stage = await AlertStage.of(plane)
    await stage.rule(trigger="kill_switch")
    switch_id = await stage.kill_switch()
    for _ in range(2):
        await put_kill_switches(database, plane.clock())
    assert [alert.payload["type"] for alert in await stage.alerts()] == ["kill_switch.thrown"]

    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = plane.clock()
        switch = await session.get_one(KillSwitch, switch_id)
        switch.active, switch.released_by, switch.released_at_ms = False, "user:usr_2", plane.clock() + 1
    plane.clock.advance(1)
    assert await put_kill_switches(database, plane.clock()) == 1
    assert await put_kill_switches(database, plane.clock()) == 0
    released = (await stage.alerts())[-1].payload
    assert (released["type"], released["by"]) == ("kill_switch.released", "user:usr_2")


async def test_a_switch_that_was_thrown_and_released_before_anybody_looked_is_told_twice(plane):
    stage = await AlertStage.of(plane)
    await stage.rule(trigger="kill_switch")
    await stage.kill_switch()
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(KillSwitch).values(active=False, released_at_ms=1, released_by="user:usr_1"))
    await put_kill_switches(plane.parts.database, plane.clock())
    assert sorted(alert.key.partition(":")[0] for alert in await stage.alerts()) == ["released", "thrown"]


async def test_processes_that_look_at_once_make_each_message_once(either_plane, database_url):
    stage = await AlertStage.of(either_plane)
    await stage.rule()
    budget = await stage.budget()
    for number in range(30):
        await stage.crossed(budget, 90, f"c{number}")
    other = Database(database_url)
    try:
        both = (either_plane.parts.database, other)
        made = await asyncio.gather(*(put_thresholds(one, either_plane.clock()) for one in both * 3))
    finally:
        await other.close()
    assert sum(made) == 30
    assert len(await stage.alerts()) == 30


async def test_what_is_marked_and_what_is_put_are_one_transaction(plane):
    stage = await AlertStage.of(plane)
    await stage.rule()
    await stage.crossed(await stage.budget())
    async with plane.parts.database.writing(EVERY_ORG) as session:
        # A name that is no text is a message that cannot be made: as if the process had ended there.
        await session.execute(update(Budget).values(limit_nanousd=1, period="none"))
    try:
        await put_thresholds(plane.parts.database, plane.clock())
    except LookupError:
        assert await stage.alerts() == []
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(Budget).values(period="day"))
    assert await put_thresholds(plane.parts.database, plane.clock()) == 1
    assert len(await stage.alerts()) == 1
