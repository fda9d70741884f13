import pytest
from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.db.engine import EVERY_ORG
from tests.support.budgets import published


async def test_each_change_is_in_the_audit_log(plane):
    headers = await plane.token(await plane.organization())
    made = (await plane.client.post("/v1/quotas", json={"unit": "tokens", "limit": 5}, headers=headers)).json()
    address = f"/v1/quotas/{made['id']}"
    changed = (await plane.client.patch(address, json={"limit": 6}, headers=headers)).json()
    await plane.client.delete(address, headers=headers)
    async with plane.parts.database.reading(EVERY_ORG) as session:
        logged = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    assert [row.action for row in logged] == ["quota:create", "quota:update", "quota:delete"]
    assert (logged[1].meta["before"], logged[1].meta["after"]) == (made, changed)


@pytest.mark.parametrize(
    ("wanted", "window", "thresholds"),
    [
        ({"unit": "requests"}, "month", [50, 80, 90, 100]),
        ({"unit": "usd", "window": "day"}, "day", [50, 80, 90, 100]),
        ({"unit": "tokens_in", "window": "hour"}, "hour", []),
        ({"unit": "tokens_out", "window": "minute", "thresholds": [100]}, "minute", [100]),
        ({"unit": "concurrent"}, "total", []),
    ],
)
async def test_what_is_left_out_fits_the_window(plane, wanted, window, thresholds):
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/quotas", json={"limit": 5, **wanted}, headers=headers)
    assert made.status_code == 201, made.text
    assert (made.json()["window"], made.json()["thresholds"]) == (window, thresholds)
    (quota,) = await published(plane, "quota")
    assert (quota.window, list(quota.thresholds)) == (window, thresholds)


async def test_a_limit_in_dollars_is_text_and_may_have_a_ceiling(plane):
    headers = await plane.token(await plane.organization())
    wanted = {"unit": "usd", "limit": 0.5, "ceiling_usd": "0.25", "action": "alert"}
    made = (await plane.client.post("/v1/quotas", json=wanted, headers=headers)).json()
    assert (made["limit"], made["ceiling_usd"]) == ("0.50", "0.25")
    (quota,) = await published(plane, "quota")
    assert (quota.limit, quota.ceiling, quota.action) == (500_000_000, 250_000_000, "alert")
    edits = {"limit": "0.75", "ceiling_usd": None}
    changed = (await plane.client.patch(f"/v1/quotas/{made['id']}", json=edits, headers=headers)).json()
    assert (changed["limit"], changed["ceiling_usd"]) == ("0.75", None)


async def test_a_stale_edit_is_refused(plane):
    headers = await plane.token(await plane.organization())
    made = (await plane.client.post("/v1/quotas", json={"unit": "tokens", "limit": 5}, headers=headers)).json()
    address, stale = f"/v1/quotas/{made['id']}", {**headers, "if-match": '"7"'}
    assert (await plane.client.patch(address, json={"limit": 6}, headers=stale)).status_code == 412
    assert (await plane.client.delete(address, headers=stale)).status_code == 412
