from control_plane.billing.tables import BillingCustomer
from control_plane.db.engine import EVERY_ORG
from control_plane.db.ids import new_id
from control_plane.lake.retain import Tier
from control_plane.retention.tables import RetentionSetting
from control_plane.retention.tiers import DEFAULT, best, plan_of, policy, shortened, tiers
from tests.support.control_plane import START_MS, ControlPlane

PLANS = "default:30:400:10,team:90:800,all:0:0"


def own(events_days: int | None, rollups_days: int | None) -> RetentionSetting:
    return RetentionSetting(id="ret_1", org_id="org_1", events_days=events_days, rollups_days=rollups_days)


def test_plans_are_written_in_one_line() -> None:
    assert tiers(PLANS) == {"default": Tier(30, 400, 10), "team": Tier(90, 800, 1), "all": Tier(0, 0, 1)}
    assert tiers("") == {DEFAULT: Tier(0, 0, 1)}


def test_an_organization_keeps_less_and_never_more() -> None:
    assert shortened(Tier(30, 400, 10), own(7, None)) == Tier(7, 400, 10)
    assert shortened(Tier(30, 400), own(90, 500)) == Tier(30, 400)
    assert shortened(Tier(0, 0), own(7, 8)) == Tier(7, 8)
    assert shortened(Tier(30, 400), None) == Tier(30, 400)


def test_of_several_plans_the_one_that_keeps_longest_holds() -> None:
    known = tiers(PLANS)
    assert best(("default", "team"), known) == "team"
    assert best(("team", "all"), known) == "all"
    assert best((), known) == DEFAULT
    assert best(("nobody knows", "team"), known) == "team"


async def subscribed(plane: ControlPlane, org_id: str, plan: str, status: str) -> None:
    headers = await plane.token(org_id)
    made = await plane.client.post("/v1/projects", json={"name": plan}, headers=headers)
    id = new_id("cus", START_MS)
    async with plane.parts.database.writing(EVERY_ORG) as session:
        row = {"project_id": made.json()["id"], "stripe_customer_id": id, "plan": plan, "status": status}
        session.add(BillingCustomer(org_id=org_id, **row))


async def test_the_database_says_how_long_whose_calls_are_kept(either_plane: ControlPlane) -> None:
    plane = either_plane
    free, paid, gone = [await plane.organization(name) for name in ("Free", "Paid", "Gone")]
    await subscribed(plane, paid, "team", "active")
    await subscribed(plane, gone, "all", "canceled")
    headers = await plane.token(free)
    held = await plane.client.post("/v1/retention/holds", json={"reason": "Case 7"}, headers=headers)
    assert held.status_code == 201, held.text
    project = (await plane.client.get("/v1/projects", headers=await plane.token(paid))).json()["items"][0]["id"]
    body = {"reason": "Case 8", "project_id": project}
    assert (
        await plane.client.post("/v1/retention/holds", json=body, headers=await plane.token(paid))
    ).status_code == 201
    async with plane.parts.database.reading(EVERY_ORG) as session:
        found = await policy(session, PLANS)
        assert await plan_of(session, PLANS, paid) == "team"
    assert {found.of(free), found.of(gone), found.of("org_of_a_file")} == {Tier(30, 400, 10)}
    assert found.of(paid) == Tier(90, 800)
    assert found.held == {free, f"{paid}/{project}"}
