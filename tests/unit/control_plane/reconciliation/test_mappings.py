import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from control_plane.reconciliation import mappings
from tests.support.control_plane import START_MS
from tests.support.written_calls import call, land, used

START_S = START_MS // 1000 // 86_400 * 86_400
DAY = datetime.fromtimestamp(START_S, UTC).date().isoformat()
MAPPINGS = "/v1/reconciliation/mappings"
NAME = {"provider": "openai", "billed": "Our-Private-Name", "model": "gpt-4o"}


async def furnished(plane: Any, org_id: str, headers: dict[str, str]) -> None:
    """A call to gpt-4o, and a bill that calls it by a name of its own."""
    land(Path(plane.parts.settings.lake), [call("a", START_S + 60, org_id=org_id, **used(input_text=1000))])
    result = {
        "object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 0,
        "num_model_requests": 1, "model": "our-private-name",
    }  # fmt: skip
    bucket = {"start_time": START_S, "end_time": START_S + 86_400, "results": [result]}
    address = "/v1/reconciliation/imports?source=openai_usage"
    answer = await plane.client.post(address, content=json.dumps({"data": [bucket]}), headers=headers)
    assert answer.status_code == 201, answer.text


async def inputs(plane: Any, headers: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    answer = await plane.client.get(f"/v1/reconciliation/report?from_day={DAY}&to_day={DAY}", headers=headers)
    rows = [row for row in answer.json()["rows"] if row["compared"] == "input"]
    return {row["model"]: (row["ours"], row["theirs"], row["verdict"], row["named"], row["billed"]) for row in rows}


async def test_a_name_is_mapped_matched_anew_and_forgotten(either_plane):
    plane = either_plane
    org_id = await plane.organization()
    billing = await plane.token(org_id, "billing")
    await furnished(plane, org_id, billing)
    apart = await inputs(plane, billing)
    assert apart["gpt-4o"][:3] == (1000, 0, "incomplete")
    assert apart["our-private-name"] == (0, 1000, "bypass_suspected", "none", ["our-private-name"])

    made = await plane.client.post(MAPPINGS, json=NAME, headers=billing)
    assert made.status_code == 201, made.text
    assert made.json().items() >= {"billed": "our-private-name", "model": "gpt-4o", "provider": "openai"}.items()
    assert await inputs(plane, billing) == {"gpt-4o": (1000, 1000, "matches", "mapped", ["our-private-name"])}
    assert (await plane.client.get(MAPPINGS, headers=billing)).json()["items"] == [made.json()]

    gone = await plane.client.delete(f"{MAPPINGS}/{made.json()['id']}", headers=billing)
    assert gone.status_code == 204
    assert await inputs(plane, billing) == apart
    assert (await plane.client.delete(f"{MAPPINGS}/{made.json()['id']}", headers=billing)).status_code == 404
    audit = (await plane.client.get("/v1/audit", headers=await plane.token(org_id))).json()["items"]
    assert [one["action"] for one in audit[:2]] == ["reconciliation:unmap", "reconciliation:map"]
    assert {one["subject"] for one in audit[:2]} == {f"mapping:{made.json()['id']}"}


async def test_a_name_that_is_mapped_again_means_the_last_model(either_plane):
    plane = either_plane
    owner = await plane.token(await plane.organization())
    await plane.client.post(MAPPINGS, json=NAME, headers=owner)
    again = await plane.client.post(
        MAPPINGS, json={**NAME, "billed": "our-private-NAME", "model": "gpt-5"}, headers=owner
    )
    assert again.status_code == 201, again.text
    assert (await plane.client.get(MAPPINGS, headers=owner)).json()["items"] == [again.json()]


async def test_what_an_organization_wrote_down_holds_for_it_alone(plane):
    mine, theirs = await plane.organization("A"), await plane.organization("B")
    owner, other = await plane.token(mine), await plane.token(theirs)
    id = (await plane.client.post(MAPPINGS, json=NAME, headers=owner)).json()["id"]
    assert (await plane.client.get(MAPPINGS, headers=other)).json()["items"] == []
    assert (await plane.client.delete(f"{MAPPINGS}/{id}", headers=other)).status_code == 404
    await furnished(plane, theirs, other)
    assert set(await inputs(plane, other)) == {"gpt-4o", "our-private-name"}


@pytest.mark.parametrize(("role", "status"), [("admin", 201), ("billing", 201), ("developer", 403), ("viewer", 403)])
async def test_who_may_map(plane, role, status):
    headers = await plane.token(await plane.organization(), role)
    assert (await plane.client.post(MAPPINGS, json=NAME, headers=headers)).status_code == status


@pytest.mark.parametrize("change", [{"provider": "groq"}, {"billed": ""}, {"model": "a\nb"}, {"more": 1}])
async def test_what_is_no_mapping_is_refused(plane, change):
    headers = await plane.token(await plane.organization())
    assert (await plane.client.post(MAPPINGS, json={**NAME, **change}, headers=headers)).status_code == 400


async def test_there_are_no_more_than_a_report_reads(plane, monkeypatch):
    monkeypatch.setattr(mappings, "MAPPINGS_MAX", 1)
    headers = await plane.token(await plane.organization())
    assert (await plane.client.post(MAPPINGS, json=NAME, headers=headers)).status_code == 201
    assert (await plane.client.post(MAPPINGS, json={**NAME, "billed": "b"}, headers=headers)).status_code == 409
    assert (await plane.client.post(MAPPINGS, json={**NAME, "model": "gpt-5"}, headers=headers)).status_code == 201
