from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from control_plane.budgets.status import window_now
from gateway.contract.policy import Quota
from gateway.contract.publishing import CounterState
from gateway.ledger.window import NEVER_S
from tests.support.budgets import counted, crossed, published, report

DOLLAR = 10**9
HOUR_S, DAY_S = 3600, 86_400


def at(text, zone="UTC"):
    """Milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


async def budget(plane, **wanted):
    """A budget as somebody set it, as it is published, and a question for its status."""
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 100, **wanted}, headers=headers)
    assert made.status_code == 201, made.text
    (quota,) = await published(plane, "quota")

    async def status():
        answer = await plane.client.get(f"/v1/budgets/{quota.id}/status", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return quota, status


async def test_nothing_reported_is_unknown_and_nothing_spent_is_zero(plane):
    _, status = await budget(plane)
    before = await status()
    assert (before["spent"], before["held"], before["left"], before["percent"]) == (None, None, None, None)
    assert before["forecast"] == {"over_window": None, "recent": None}
    await report(plane, await plane.gateway())
    after = await status()
    assert (after["spent"], after["held"], after["left"], after["percent"]) == ("0.00", "0.00", "100.00", 0.0)
    assert after["as_of_ms"] == plane.clock()


async def test_nodes_that_count_apart_add_up(either_plane):
    plane = either_plane
    quota, status = await budget(plane)
    gateway = await plane.gateway()
    await report(plane, gateway, "a", counters=(counted(plane, quota, 10 * DOLLAR, DOLLAR),))
    await report(plane, gateway, "b", counters=(counted(plane, quota, 20 * DOLLAR, 2 * DOLLAR),))
    await report(plane, gateway, "a", counters=(counted(plane, quota, 12 * DOLLAR, 0),))
    told = await status()
    assert (told["spent"], told["held"], told["left"], told["counted"]) == ("32.00", "2.00", "66.00", "per_node")
    assert sorted(node["node"] for node in told["nodes"]) == ["a", "b"]


async def test_nodes_that_share_a_ledger_say_the_same(plane):
    quota, status = await budget(plane)
    gateway = await plane.gateway()
    for node, settled in (("a", 10), ("b", 11)):
        counters = (counted(plane, quota, settled * DOLLAR),)
        await report(plane, gateway, node, shared=True, counters=counters)
    told = await status()
    assert (told["spent"], told["counted"]) == ("11.00", "shared")


async def test_what_is_spent_above_the_limit_leaves_nothing(plane):
    quota, status = await budget(plane)
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 120 * DOLLAR),))
    told = await status()
    assert (told["left"], told["percent"]) == ("0.00", 120.0)
    assert told["forecast"]["over_window"] is None


async def test_a_limit_of_nothing_has_no_per_cent(plane):
    quota, status = await budget(plane, limit_usd=0)
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 0),))
    told = await status()
    assert (told["left"], told["percent"]) == ("0.00", None)


async def test_a_forecast_of_known_numbers(either_plane):
    """From the 1st, 10 USD in ten days, and then 1 USD in ten minutes."""
    plane = either_plane
    plane.clock.ms = at("2026-11-01T00:00:00")
    quota, status = await budget(plane)
    gateway = await plane.gateway()
    plane.clock.ms = at("2026-11-11T00:00:00")
    await report(plane, gateway, shared=True, counters=(counted(plane, quota, 10 * DOLLAR),))
    told = await status()
    assert told["forecast"]["over_window"] == {
        "since_ms": at("2026-11-01T00:00:00"),
        "per_day": "1.00",
        "at_end": "30.00",
        "exhausted_at_s": None,
    }
    assert told["forecast"]["recent"] is None

    plane.clock.advance(600)
    await report(plane, gateway, shared=True, counters=(counted(plane, quota, 11 * DOLLAR),))
    recent = (await status())["forecast"]["recent"]
    assert (recent["since_ms"], recent["per_day"]) == (at("2026-11-11T00:00:00"), "144.00")
    # 89 USD are left, a tenth of a dollar a minute.
    assert recent["exhausted_at_s"] == at("2026-11-11T00:10:00") // 1000 + 890 * 60

    # The older of the two moments moves on; where nothing more is spent the pace falls.
    plane.clock.advance(300)
    await report(plane, gateway, shared=True, counters=(counted(plane, quota, 11 * DOLLAR, 1),))
    recent = (await status())["forecast"]["recent"]
    assert (recent["since_ms"], recent["per_day"]) == (at("2026-11-11T00:10:00"), "0.00")
    assert recent["exhausted_at_s"] is None


async def test_a_forecast_begins_with_the_budget(plane):
    plane.clock.ms = at("2026-11-10T00:00:00")
    quota, status = await budget(plane, period="total")
    plane.clock.ms = at("2026-11-12T00:00:00")
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 20 * DOLLAR),))
    told = await status()
    assert told["window"] == {"name": "total", "starts_at_s": 0, "ends_at_s": None}
    assert told["forecast"]["over_window"] == {
        "since_ms": at("2026-11-10T00:00:00"),
        "per_day": "10.00",
        "at_end": None,
        "exhausted_at_s": at("2026-11-20T00:00:00") // 1000,
    }


async def test_what_an_override_leaves_open_is_in_the_forecast(plane):
    plane.clock.ms = at("2026-11-10T00:00:00")
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 100}, headers=headers)).json()["id"]
    (quota,) = await published(plane, "quota")
    plane.clock.ms = at("2026-11-12T00:00:00")
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 100 * DOLLAR),))

    async def exhausted_at_s():
        status = (await plane.client.get(f"/v1/budgets/{id}/status", headers=headers)).json()
        return status["forecast"]["over_window"]["exhausted_at_s"]

    now_s = plane.clock() // 1000
    assert await exhausted_at_s() == now_s
    await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 60}, headers=headers)
    assert await exhausted_at_s() == now_s + 3600
    raised = {"minutes": 2 * 24 * 60, "limit_usd": 150}
    await plane.client.post(f"/v1/budgets/{id}/override", json=raised, headers=headers)
    assert await exhausted_at_s() == now_s + DAY_S


@pytest.mark.parametrize(
    ("now", "hours"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-06-01T12:00", 24)]
)
async def test_a_day_is_that_of_its_time_zone(plane, now, hours):
    plane.clock.ms = at(now, "Europe/Berlin") - 30 * DAY_S * 1000
    quota, status = await budget(plane, period="day", time_zone="Europe/Berlin")
    plane.clock.ms = at(now, "Europe/Berlin")
    midnight_ms = at(f"{now[:10]}T00:00", "Europe/Berlin")
    elapsed_h = (plane.clock() - midnight_ms) // 3_600_000
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, elapsed_h * DOLLAR),))
    told = await status()
    assert told["window"] == {
        "name": now[:10],
        "starts_at_s": midnight_ms // 1000,
        "ends_at_s": midnight_ms // 1000 + hours * HOUR_S,
    }
    assert told["forecast"]["over_window"]["at_end"] == f"{hours}.00"


async def test_the_next_window_begins_with_nothing(plane):
    plane.clock.ms = at("2026-11-30T23:59:00")
    quota, status = await budget(plane)
    gateway = await plane.gateway()
    told = (counted(plane, quota, 95 * DOLLAR),)
    await report(plane, gateway, counters=told, crossings=(crossed(plane, quota, 90, 95 * DOLLAR),))
    assert len((await status())["crossed"]) == 1
    plane.clock.advance(60)
    assert (await status())["spent"] is None
    await report(plane, gateway)
    now = await status()
    assert (now["window"]["name"], now["spent"], now["crossed"]) == ("2026-12", "0.00", [])


async def test_another_period_of_a_budget_counts_from_zero(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 100}, headers=headers)).json()["id"]
    (quota,) = await published(plane, "quota")
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 95 * DOLLAR),))
    await plane.client.patch(f"/v1/budgets/{id}", json={"period": "day"}, headers=headers)
    assert (await plane.client.get(f"/v1/budgets/{id}/status", headers=headers)).json()["spent"] == "0.00"


async def test_values_are_told_apart_those_that_spent_most_first(either_plane):
    plane = either_plane
    quota, status = await budget(plane, scope={"user": "*", "model": "*"})
    states = tuple(counted(plane, quota, number * DOLLAR, user=f"u_{number}%", model="m") for number in range(1, 106))
    event = msgspec.structs.replace(crossed(plane, quota, 50, 50 * DOLLAR), counter=states[49].counter)
    await report(plane, await plane.gateway(), counters=states, crossings=(event,))
    told = await status()
    assert (told["spent"], told["left"], told["percent"]) == ("5565.00", None, None)
    assert told["forecast"] == {"over_window": None, "recent": None}
    assert (len(told["counters"]), told["counters_more"]) == (100, 5)
    assert told["counters"][0] == {
        "values": {"user": "u_105%", "model": "m"},
        "spent": "105.00",
        "held": "0.00",
        "left": "0.00",
        "percent": 105.0,
    }
    assert told["crossed"][0]["values"] == {"user": "u_50%", "model": "m"}


async def test_a_budget_whose_id_begins_like_another_is_not_counted_in(plane):
    quota, status = await budget(plane)
    state = counted(plane, quota, DOLLAR)
    longer = CounterState(
        quota.id, state.counter + "-09", state.starts_at_s, state.ends_at_s, 5 * DOLLAR, 0, quota.limit
    )
    await report(plane, await plane.gateway(), counters=(state, longer))
    assert (await status())["spent"] == "1.00"


async def test_calls_at_a_time_are_those_under_way(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/quotas", json={"unit": "concurrent", "limit": 8}, headers=headers)).json()["id"]
    state = CounterState(id, f"{id}@now", 0, NEVER_S, 0, 6, 8)
    await report(plane, await plane.gateway(), counters=(state,))
    told = (await plane.client.get(f"/v1/quotas/{id}/status", headers=headers)).json()
    assert (told["spent"], told["held"], told["left"], told["percent"]) == (0, 6, 2, 75.0)
    assert told["window"] == {"name": "now", "starts_at_s": 0, "ends_at_s": None}
    assert told["forecast"] == {"over_window": None, "recent": None}


async def test_a_quota_without_a_limit_is_counted(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/quotas", json={"unit": "tokens", "limit": None}, headers=headers)).json()["id"]
    (quota,) = await published(plane, "quota")
    plane.clock.advance(3600)
    await report(plane, await plane.gateway(), counters=(counted(plane, quota, 1000),))
    told = (await plane.client.get(f"/v1/quotas/{id}/status", headers=headers)).json()
    assert (told["limit"], told["spent"], told["left"], told["percent"]) == (None, 1000, None, None)
    assert (told["forecast"]["over_window"]["per_day"], told["forecast"]["over_window"]["exhausted_at_s"]) == (
        24_000,
        None,
    )


def test_a_window_is_named_as_gateways_name_it():
    night_s = at("2026-10-25T02:30", "Europe/Berlin") // 1000
    quota = Quota("q", "usd", 1, "hour", time_zone="Europe/Berlin")
    assert [window_now(quota, night_s + later_s).name for later_s in (0, HOUR_S)] == [
        "2026-10-25T02+0200",
        "2026-10-25T02+0100",
    ]


@pytest.mark.parametrize("before", [{"user": "*"}, {"user": "*", "model": "*"}, {}])
@pytest.mark.parametrize("after", [{}, {"user": "*", "team": "search"}])
async def test_counters_of_another_scope_count_no_more(either_plane, before, after):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 100, "scope": before}, headers=headers)
    address, gateway = f"/v1/budgets/{made.json()['id']}", await plane.gateway()
    for scope, dollars in ((before, 40), (after, 5)):
        answer = await plane.client.patch(address, json={"scope": scope}, headers=headers)
        assert answer.status_code == 200, answer.text
        (quota,) = await published(plane, "quota")
        values = {name: f"{name}|=100%_/" for name in ("user", "model") if scope.get(name) == "*"}
        await report(plane, gateway, counters=(counted(plane, quota, dollars * DOLLAR, **values),))
    status = (await plane.client.get(f"{address}/status", headers=headers)).json()
    assert status["spent"] == "5.00"
    assert [counter["values"] for counter in status["counters"]] == ([values] if values else [])
    (standing,) = (await plane.client.get("/v1/budgets/standing", params={"id": quota.id}, headers=headers)).json()
    assert standing["spent"] == status["spent"]
