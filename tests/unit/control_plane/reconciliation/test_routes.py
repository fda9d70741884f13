import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.control_plane import START_MS, control_plane
from tests.support.provider_accounts import KEY, accounts
from tests.support.written_calls import call, land, used

START_S = START_MS // 1000 // 86_400 * 86_400
DAY = datetime.fromtimestamp(START_S, UTC).date().isoformat()
IMPORTS = "/v1/reconciliation/imports"
REPORT = f"/v1/reconciliation/report?from_day={DAY}&to_day={DAY}"


def page(tokens: int, model: str = "gpt-4o-2024-08-06") -> bytes:
    result = {
        "object": "organization.usage.completions.result", "input_tokens": tokens, "output_tokens": 0,
        "num_model_requests": 1, "model": model,
    }  # fmt: skip
    bucket = {"start_time": START_S, "end_time": START_S + 86_400, "results": [result]}
    return json.dumps({"data": [bucket]}).encode()


async def imported(plane: Any, headers: dict[str, str], data: bytes, source: str = "openai_usage") -> Any:
    return await plane.client.post(f"{IMPORTS}?source={source}", content=data, headers=headers)


async def rows(plane: Any, headers: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    answer = await plane.client.get(REPORT, headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        f"{row['model']} {row['compared']}": (row["ours"], row["theirs"], row["verdict"])
        for row in answer.json()["rows"]
    }


def lake_of(plane: Any, org_id: str) -> None:
    records = [call("a", START_S + 60, org_id=org_id, cost_nanousd=5, **used(input_text=1000))]
    land(Path(plane.parts.settings.lake), records)


async def test_of_imports_at_once_of_the_same_days_one_counts(either_plane):
    plane = either_plane
    org_id = await plane.organization()
    billing = await plane.token(org_id, "billing")
    lake_of(plane, org_id)
    answers = await asyncio.gather(*(imported(plane, billing, page(1000)) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert (await rows(plane, billing))["gpt-4o input"] == (1000, 1000, "matches")


async def test_an_export_is_imported_compared_replaced_and_forgotten(either_plane):
    plane = either_plane
    org_id = await plane.organization()
    billing = await plane.token(org_id, "billing")
    lake_of(plane, org_id)
    assert (await rows(plane, billing))["gpt-4o input"] == (1000, None, "no_export")

    first = await imported(plane, billing, page(1500))
    assert first.status_code == 201, first.text
    assert (first.json()["from_day"], first.json()["line_count"], first.json()["origin"]) == (DAY, 5, "file")
    found = await rows(plane, billing)
    assert found["gpt-4o input"] == (1000, 1500, "bypass_suspected")
    assert found["gpt-4o requests"] == (1, 1, "matches")
    assert found["gpt-4o cost"] == ("0.000000005", None, "no_export")

    assert (await imported(plane, billing, page(1000))).status_code == 201
    assert (await rows(plane, billing))["gpt-4o input"] == (1000, 1000, "matches")
    listed = (await plane.client.get(IMPORTS, headers=billing)).json()["items"]
    assert [one["id"] for one in listed][1] == first.json()["id"]

    assert (await plane.client.get(f"{IMPORTS}/{listed[0]['id']}", headers=billing)).json() == listed[0]
    gone = await plane.client.delete(f"{IMPORTS}/{listed[0]['id']}", headers=billing)
    assert gone.status_code == 204
    assert (await rows(plane, billing))["gpt-4o input"] == (1000, None, "no_export")
    owner = await plane.token(org_id)
    actions = [one["action"] for one in (await plane.client.get("/v1/audit", headers=owner)).json()["items"]]
    assert actions == ["reconciliation:delete", "reconciliation:import", "reconciliation:import"]


async def test_what_is_anothers_is_not_there_and_counts_nowhere(plane):
    mine, theirs = await plane.organization("A"), await plane.organization("B")
    owner, other = await plane.token(mine), await plane.token(theirs)
    id = (await imported(plane, owner, page(7))).json()["id"]
    lake_of(plane, mine)
    for method in ("GET", "DELETE"):
        assert (await plane.client.request(method, f"{IMPORTS}/{id}", headers=other)).status_code == 404
    assert (await plane.client.get(IMPORTS, headers=other)).json()["items"] == []
    assert await rows(plane, other) == {}
    assert (await imported(plane, other, page(9))).status_code == 201
    assert (await rows(plane, owner))["gpt-4o input"] == (1000, 7, "incomplete")


@pytest.mark.parametrize(("role", "status"), [("owner", 201), ("admin", 201), ("billing", 201), ("developer", 403)])
async def test_who_may_import(plane, role, status):
    headers = await plane.token(await plane.organization(), role)
    assert (await imported(plane, headers, page(1))).status_code == status


async def test_a_file_that_cannot_be_read_says_where(plane):
    headers = await plane.token(await plane.organization())
    answer = await imported(plane, headers, page(1).replace(b'"gpt-4o-2024-08-06"', b"null"))
    assert answer.status_code == 400
    assert "results[0].model: is null; ask for group_by=model" in answer.json()["detail"]
    assert (await imported(plane, headers, b"", "unheard_of")).status_code == 400
    assert (await plane.client.get(IMPORTS, headers=headers)).json()["items"] == []


async def test_a_larger_file_than_other_requests_is_taken(plane):
    headers = await plane.token(await plane.organization())
    padded = page(1).replace(b"{", b"{" + b" " * (plane.parts.settings.body_bytes_max + 1), 1)
    assert (await imported(plane, headers, padded)).status_code == 201


async def test_the_rows_are_a_file_too_and_bills_names_can_be_mapped(plane):
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    lake_of(plane, org_id)
    await imported(plane, headers, page(1000, "our-private-name"))
    mapped = await plane.client.get(f"{REPORT}&mapped=our-private-name%3Dgpt-4o&form=csv", headers=headers)
    assert mapped.headers["content-type"].startswith("text/csv")
    assert f"{DAY},openai,gpt-4o,input,1000,1000,0,0,matches,1,mapped" in mapped.text
    assert (await plane.client.get(f"{REPORT}&mapped=nothing", headers=headers)).status_code == 400
    only = await plane.client.get(f"{REPORT}&provider=anthropic", headers=headers)
    assert only.json()["rows"] == []


async def test_a_lake_that_cannot_be_read_is_no_answer(plane):
    headers = await plane.token(await plane.organization())
    broken = Path(plane.parts.settings.lake) / "landing"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no directory")
    assert (await plane.client.get(REPORT, headers=headers)).status_code == 503


async def test_a_report_is_fetched_from_the_provider_with_the_key_of_a_credential(tmp_path):
    with accounts() as provider:
        url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
        async with control_plane(url, tmp_path, openai_url=provider.url) as plane:
            headers = await plane.token(await plane.organization())
            provider.results["/v1/organization/usage/completions", DAY] = json.loads(page(42))["data"][0]["results"]
            for name, secret in (("admin", KEY), ("wrong", "sk-wrong-0123456789-0123456789")):
                made = {"name": name, "provider": "openai", "secret": secret}
                answer = await plane.client.post("/v1/credentials", json=made, headers=headers)
                wanted = {
                    "source": "openai_usage",
                    "credential_id": answer.json()["id"],
                    "from_day": DAY,
                    "to_day": DAY,
                }
                answer = await plane.client.post("/v1/reconciliation/fetches", json=wanted, headers=headers)
                if name == "admin":
                    assert answer.status_code == 201, answer.text
                    assert answer.json()["origin"] == "api"
                else:
                    assert (answer.status_code, answer.json()["code"]) == (502, "provider_failed")
                    assert secret not in answer.text
            mistaken = await plane.client.post(
                "/v1/reconciliation/fetches", json=wanted | {"source": "anthropic_usage"}, headers=headers
            )
            assert mistaken.status_code == 400


async def test_savings_stand_beside_the_providers_own_figures(plane):
    org_id = await plane.organization()
    headers = await plane.token(org_id, "billing")
    lake_of(plane, org_id)
    await imported(plane, headers, page(1000))
    answer = await plane.client.get(f"/v1/reconciliation/savings?from_day={DAY}&to_day={DAY}", headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["spent_usd"], found["provider_cache_read_tokens"]) == ("0.000000005", {"openai": 0})
    assert len(found["assumptions"]) == 3


@pytest.mark.parametrize("days", ["to_day=0001-01-02", "from_day=9999-12-30&to_day=9999-12-31"])
@pytest.mark.parametrize("what", ["report", "savings"])
async def test_days_beside_which_there_are_none_are_refused(plane, what, days):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.get(f"/v1/reconciliation/{what}?{days}", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, "write a day of the years 1971 to 9000")
