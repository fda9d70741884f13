import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.analytics import live
from control_plane.db.ids import new_id
from gateway.contract.record import Record
from tests.support.control_plane import ControlPlane, served_plane
from tests.support.lake_calls import land

PATH = "/v1/metrics/live"
EVENTS = {"accept": "text/event-stream"}


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ControlPlane]:
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.05)
    async with served_plane(f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path) as plane:
        yield plane


def ended(plane: ControlPlane, org_id: str, ago_s: float, *, took_s: float = 1, project: str = "prj_a") -> str:
    """The id of a call that ended so long ago, and has landed."""
    ended_us = plane.clock() * 1000 - int(ago_s * 10**6)
    record = Record(
        request_id=new_id("req", plane.clock()),
        ts_ns=(ended_us - int(took_s * 10**6)) * 1000,
        org_id=org_id,
        project_id=project,
        outcome="ok",
        latency_us=int(took_s * 10**6),
    )
    land(Path(plane.parts.settings.lake), [record])
    return record.request_id


async def told(lines: AsyncIterator[str], count: int) -> list[tuple[str, str]]:
    """The next calls of a feed: the event's id, and the call's."""
    found: list[tuple[str, str]] = []
    event_id = kind = ""
    async with asyncio.timeout(20):
        async for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                event_id = value
            elif name == "event":
                kind = value
            elif name == "data" and kind == "call":
                found.append((event_id, json.loads(value)["request_id"]))
                if len(found) == count:
                    return found
    raise AssertionError("the feed ended")


async def test_calls_are_told_once_as_they_end_and_no_others(served):
    org_id, other = await served.organization("A"), await served.organization("B")
    headers = await served.token(org_id, "viewer") | EVENTS
    ended(served, other, 1)
    ended(served, org_id, live.FIRST_S + 1)
    recent = [ended(served, org_id, ago_s) for ago_s in (3, 2)]
    async with served.client.stream("GET", PATH, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.aiter_lines()
        assert [id for _, id in await told(lines, 2)] == recent
        # One that began long ago and one that landed late: when a call ended is what counts.
        later = [ended(served, org_id, 0.5, took_s=600), ended(served, org_id, 0.1)]
        assert sorted(id for _, id in await told(lines, 2)) == sorted(later)


async def test_who_comes_back_is_told_what_it_missed(served):
    org_id = await served.organization()
    headers = await served.token(org_id) | EVENTS
    first = ended(served, org_id, 1)
    async with served.client.stream("GET", PATH, headers=headers) as answer:
        ((event_id, id),) = await told(answer.aiter_lines(), 1)
    assert id == first
    served.clock.advance(300)
    missed = ended(served, org_id, 200)
    async with served.client.stream("GET", PATH, headers=headers | {"last-event-id": event_id}) as answer:
        assert {id for _, id in await told(answer.aiter_lines(), 2)} == {first, missed}


async def test_a_feed_is_of_one_project_and_of_what_passes_the_filters(served):
    org_id = await served.organization()
    headers = await served.token(org_id) | EVENTS
    ended(served, org_id, 2, project="prj_b")
    mine = ended(served, org_id, 1)
    async with served.client.stream("GET", f"{PATH}?project_id=prj_a&outcome=ok", headers=headers) as answer:
        assert [id for _, id in await told(answer.aiter_lines(), 1)] == [mine]


async def test_who_is_removed_or_revoked_hears_of_no_call_from_then_on(served):
    org_id = await served.organization()
    headers = await served.token(org_id)
    ada, _ = [await served.member(org_id, f"{name}@example.com", "owner") for name in ("ada", "bob")]
    browser = await served.browser("ada@example.com")
    token = (await served.client.post("/v1/tokens", json={"name": "t", "role": "viewer"}, headers=headers)).json()
    members = (await served.client.get("/v1/members", headers=headers)).json()["items"]
    (member_id,) = (one["id"] for one in members if one["user_id"] == ada)
    for proof, address in (
        ({"cookie": browser.cookie}, f"/v1/members/{member_id}"),
        ({"authorization": f"Bearer {token['secret']}"}, f"/v1/tokens/{token['id']}"),
    ):
        seen = ended(served, org_id, 1)
        async with served.client.stream("GET", PATH, headers={**proof, **EVENTS}) as answer, asyncio.timeout(20):
            lines = answer.aiter_lines()
            assert seen in [id for _, id in await told(lines, 1 if "cookie" in proof else 3)]
            assert (await served.client.delete(address, headers=headers)).status_code == 204
            ended(served, org_id, 0.1)
            assert [line async for line in lines if line.startswith('data: {"')] == []


async def test_a_silent_feed_beats_so_that_no_proxy_cuts_it(served, monkeypatch):
    monkeypatch.setattr(live, "BEAT_EVERY_S", 0)
    headers = await served.token(await served.organization()) | EVENTS
    async with served.client.stream("GET", PATH, headers=headers) as answer, asyncio.timeout(20):
        async for line in answer.aiter_lines():
            if line == "event: beat":
                break


async def test_a_feed_ends_after_its_time_and_with_the_process(served, monkeypatch):
    headers = await served.token(await served.organization()) | EVENTS
    async with served.client.stream("GET", PATH, headers=headers) as answer, asyncio.timeout(20):
        lines = answer.aiter_lines()
        await anext(lines)
        served.parts.end_streams()
        assert [line async for line in lines if line.startswith("data")] == []
    monkeypatch.setattr(live, "LASTS_S", 0)
    async with asyncio.timeout(20):
        assert (await served.client.get(PATH, headers=headers)).text == "retry: 1000\n\n"


async def test_more_feeds_than_may_be_are_told_to_come_again(plane, monkeypatch):
    monkeypatch.setattr(live, "STREAMS_MAX", 0)
    headers = await plane.token(await plane.organization()) | EVENTS
    answer = await plane.client.get(PATH, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_a_feed_is_asked_for_by_name(plane):
    headers = await plane.token(await plane.organization())
    assert (await plane.client.get(PATH, headers=headers)).status_code == 400
    for id in ("x", "1" * 20, "-1"):
        shown = headers | EVENTS | {"last-event-id": id}
        assert (await plane.client.get(PATH, headers=shown)).status_code == 400
