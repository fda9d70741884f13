from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from control_plane.api.paging import opaque
from tests.support.control_plane import START_MS
from tests.support.lake_calls import land, varied

NEWEST = {"at": lambda one: one.ts_ns}
LARGEST = {
    "cost": lambda one: one.cost_nanousd,
    "latency": lambda one: one.latency_us,
    "ttft": lambda one: one.ttft_us,
    "tokens": lambda one: None if one.tokens_in is None else one.tokens_in + one.tokens_out,
}


def first(records, sort, limit):
    """Ids, the largest first; what is unknown comes last."""
    value = (NEWEST | LARGEST)[sort]
    ordered = sorted(records, key=lambda one: (value(one) is None, -(value(one) or 0), -one.ts_ns))
    return [one.request_id for one in ordered[:limit]]


@pytest.mark.parametrize("sort", LARGEST)
async def test_the_largest_calls_come_first(told, sort):
    answer = await told.ask("top-requests", sort=sort, limit=7)
    assert [item["request_id"] for item in answer["items"]] == first(told.records, sort, 7)
    assert answer["next_cursor"] is None


async def test_pages_by_time_show_every_call_once_newest_first(told):
    seen, cursor = [], None
    while True:
        page = await told.ask("calls", limit=90, **({"cursor": cursor} if cursor else {}))
        seen += [item["request_id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == first(told.records, "at", len(told.records))


async def test_filters_and_the_period_hold_for_lists_too(told):
    answer = await told.ask("calls", outcome="refused", project_id="prj_a", limit=200)
    expected = [one for one in told.records if one.outcome == "refused" and one.project_id == "prj_a"]
    assert {item["request_id"] for item in answer["items"]} == {one.request_id for one in expected}


async def test_a_call_is_shown_as_its_record_says(told):
    (item,) = (await told.ask("top-requests", sort="cost", limit=1))["items"]
    record = next(one for one in told.records if one.request_id == item["request_id"])
    assert item["at_ms"] == record.ts_ns // 10**6
    assert item["latency_ms"] == record.latency_us / 1000
    assert item["tags"] == list(record.tags)
    assert (item["tokens_in"], item["tokens_out"]) == (record.tokens_in, record.tokens_out)
    for name in ("model", "provider", "key_id", "user_id", "team", "route", "outcome", "provenance"):
        assert item[name] == getattr(record, name)


async def test_one_call_has_its_bill_and_the_prices_it_was_made_by(told):
    record = next(one for one in told.records if one.model == "gpt-4o" and one.buckets and one.cost_nanousd)
    answer = await told.ask(f"calls/{record.request_id}")
    assert {line["bucket"]: line["count"] for line in answer["buckets"]} == record.buckets
    assert answer["price_version"] == "genai-prices/test"
    assert answer["price_model"] == "gpt-4o"
    assert answer["refused"] is None
    assert answer["call"]["request_id"] == record.request_id


async def test_a_refused_call_says_why_and_has_no_bill(told):
    record = next(one for one in told.records if one.outcome == "refused")
    answer = await told.ask(f"calls/{record.request_id}")
    assert (answer["refused"], answer["buckets"], answer["call"]["cost_usd"]) == ("budget_exceeded", None, None)


async def test_anothers_call_and_one_out_of_the_period_are_not_there(told):
    oldest = min(told.records, key=lambda one: one.ts_ns).request_id
    for request_id, parameters in (("req_org_other_00001", {}), ("req_nobodys", {}), (oldest, {"range": "1h"})):
        answer = await told.plane.client.get(f"/v1/metrics/calls/{request_id}", params=parameters, headers=told.headers)
        assert answer.status_code == 404


@pytest.mark.parametrize("cursor", ["x", opaque("12"), opaque("a.b"), opaque("9" * 30 + ".x"), opaque("\u0661.x")])
async def test_a_cursor_that_nobody_made_is_refused(plane, cursor):
    headers = await plane.token(await plane.organization())
    assert (await plane.client.get("/v1/metrics/calls", params={"cursor": cursor}, headers=headers)).status_code == 400


async def test_reporters_name_their_calls_as_they_like(plane):
    """Pages and single calls are found all the same, whatever stands in an id."""
    org_id = await plane.organization()
    slashes = ["jobs/2026/1", "jobs//2026/1", "/jobs", "jobs/", "jobs%2F1"]
    headers, ids = await plane.token(org_id), ["ünï", *slashes, "a b", "x?y#z%", "日本", "1.2"]
    records = zip(varied(org_id, len(ids), START_MS // 1000, span_s=3000), ids, strict=True)
    land(Path(plane.parts.settings.lake), [msgspec.structs.replace(record, request_id=id) for record, id in records])
    seen, cursor = [], {}
    while cursor is not None:
        page = await plane.client.get("/v1/metrics/calls", params={"limit": 1, **cursor}, headers=headers)
        assert page.status_code == 200, page.text
        seen += [item["request_id"] for item in page.json()["items"]]
        cursor = {"cursor": following} if (following := page.json()["next_cursor"]) else None
    assert sorted(seen) == sorted(ids)
    for id in ids:
        one = await plane.client.get(f"/v1/metrics/calls/{quote(id, safe='')}", headers=headers)
        assert one.json()["call"]["request_id"] == id


async def test_only_a_list_by_time_has_pages(plane):
    headers = await plane.token(await plane.organization())
    parameters = {"sort": "cost", "cursor": opaque("1.req")}
    assert (await plane.client.get("/v1/metrics/calls", params=parameters, headers=headers)).status_code == 400
