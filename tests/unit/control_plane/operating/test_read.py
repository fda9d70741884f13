from pathlib import Path

from control_plane.alerts.tables import Alert, AlertRule
from control_plane.db.engine import EVERY_ORG
from control_plane.operating.read import LAKE_EVERY_MS, Reader
from control_plane.publish.tables import GatewayNode
from tests.support.control_plane import START_MS, ControlPlane
from tests.support.lakes import calls, cure, land


async def put(plane: ControlPlane, *rows: object) -> None:
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = plane.clock()
        for row in rows:
            session.add(row)
            await session.flush()


def worker(node: str, version: int, seen_at_ms: int) -> GatewayNode:
    return GatewayNode(
        node=node,
        token_id="gwt_1",
        policy_version=version,
        inflight=0,
        inflight_by_project={},
        shared=False,
        seen_at_ms=seen_at_ms,
    )


async def test_gateways_are_current_or_behind_and_those_that_left_are_neither(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/projects", json={"name": "Search"}, headers=headers)
    assert made.status_code == 201
    readings = await plane.parts.readings.read()
    version = int(readings["policy_version"][()])
    assert version > 0
    assert readings["policy_timestamp_seconds"][()] == START_MS / 1000
    await put(plane, worker("a", version, START_MS), worker("b", 0, START_MS), worker("c", version, START_MS - 60_000))
    assert (await plane.parts.readings.read())["gateways"] == {("current",): 1, ("behind",): 1}


async def test_alerts_that_are_due_are_counted_and_the_oldest_has_an_age(either_plane):
    plane = either_plane
    assert (await plane.parts.readings.read())["alerts_waiting"] == {(): 0}
    org_id = await plane.organization()
    rule = AlertRule(
        id="alr_1", org_id=org_id, project_id=None, name="r", trigger="threshold", thresholds=[], channel="email",
        sealed_target="", target_hint="", settings={}, created_at_ms=START_MS,
    )  # fmt: skip
    states = [("due", -9_000), ("sending", -1_000), ("due", 60_000), ("sent", -99_000), ("dead", -99_000)]
    alerts = [
        Alert(
            id=f"alt_{number}", org_id=org_id, project_id=None, rule_id="alr_1", key=str(number), channel="email",
            payload={}, state=state, due_at_ms=START_MS + later_ms, created_at_ms=START_MS, sent_at_ms=None,
        )
        for number, (state, later_ms) in enumerate(states)
    ]  # fmt: skip
    await put(plane, rule, *alerts)
    readings = await plane.parts.readings.read()
    assert (readings["alerts_waiting"], readings["alerts_oldest_seconds"]) == ({(): 2}, {(): 9})


async def test_the_lake_is_looked_at_now_and_then(plane, tmp_path: Path):
    lake = plane.parts.settings.lake
    reader = Reader(plane.parts.database, lake, plane.clock)
    empty = await reader.read()
    assert (empty["lake_files_waiting"], empty["lake_oldest_seconds"]) == ({(): 0}, {(): 0})
    land(lake, "a", calls(range(3)))
    assert (await reader.read())["lake_files_waiting"] == {(): 0}, "as it was a moment ago"
    plane.clock.advance(LAKE_EVERY_MS / 1000)
    assert (await reader.read())["lake_files_waiting"] == {(): 1}
    cure(lake)
    plane.clock.advance(LAKE_EVERY_MS / 1000)
    assert (await reader.read())["lake_files_waiting"] == {(): 0}


async def test_what_does_not_answer_is_not_shown(plane, tmp_path: Path):
    file = tmp_path / "no-directory"
    file.write_bytes(b"")
    reader = Reader(plane.parts.database, str(file / "lake"), plane.clock)
    await put(plane)
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await (await session.connection()).exec_driver_sql("DROP TABLE gateway_nodes")
    readings = await reader.read()
    assert readings.keys() == {"database_errors_total"}
    assert readings["database_errors_total"][()] == 1
