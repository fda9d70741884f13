import hashlib
import io
import json
import zipfile

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from control_plane.analytics.export import MEDIA_TYPES
from control_plane.analytics.export_routes import EXPORTED
from control_plane.auth.roles import ROLES, may
from tests.support.lake_calls import by, sums

# Mandatory in FOCUS 1.2: https://focus.finops.org/focus-specification/v1-2/
FOCUS = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
}  # fmt: skip


async def exported(told, name, **parameters):
    answer = await told.plane.client.get(f"/v1/exports/{name}", params=parameters, headers=told.headers)
    assert answer.status_code == 200, answer.text
    return answer


async def rows(told, name, **parameters):
    answer = await exported(told, name, format="parquet", **parameters)
    return pq.read_table(io.BytesIO(answer.content)).to_pylist()


@pytest.mark.parametrize("name", EXPORTED)
async def test_whatever_can_be_asked_can_be_had_as_a_file_of_either_kind(told, name):
    as_csv = await exported(told, name)
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert f'filename="lensai-{name}-2026-09-14.csv"' in as_csv.headers["content-disposition"]
    table = pyarrow.csv.read_csv(io.BytesIO(as_csv.content))
    parquet = await told.plane.client.get(
        f"/v1/exports/{name}", headers=told.headers | {"accept": MEDIA_TYPES["parquet"]}
    )
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == table.num_rows > 0


async def test_calls_are_all_calls_with_all_their_columns(told):
    found = await rows(told, "calls", project_id="prj_a")
    kept = {one.request_id: one for one in told.records if one.project_id == "prj_a"}
    assert {row["request_id"] for row in found} == set(kept)
    for row in found:
        record = kept[row["request_id"]]
        assert row["tags"] == ";".join(record.tags)
        assert row["input_text"] == (None if record.buckets is None else record.buckets.get("input_text", 0))


async def test_focus_has_its_columns_and_comes_to_the_known_cost(told):
    found = await rows(told, "focus")
    assert set(found[0]) >= FOCUS
    assert sum(int(row["BilledCost"].scaleb(9)) for row in found) == sums(told.records).cost_nanousd
    by_project = by(found, lambda row: row["SubAccountId"])
    for project_id, some in by(told.records, lambda one: one.project_id).items():
        assert sum(int(row["EffectiveCost"].scaleb(9)) for row in by_project[project_id]) == sums(some).cost_nanousd
    for row in found:
        assert row["ChargePeriodStart"].isoformat()[10:] == "T00:00:00+00:00"
        assert (row["ChargePeriodEnd"] - row["ChargePeriodStart"]).days == 1
        assert row["BillingPeriodStart"].isoformat() == "2026-09-01T00:00:00+00:00"
        assert row["BillingPeriodEnd"].isoformat() == "2026-10-01T00:00:00+00:00"
        assert (row["BillingCurrency"], row["ChargeCategory"], row["ChargeClass"]) == ("USD", "Usage", None)
        assert all(row[name] is not None for name in FOCUS - {"ChargeClass"})


async def test_a_signed_export_can_be_verified_and_is_in_the_audit_log(told):
    answer = await exported(told, "cost-by-model", signed="true", range="24h")
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    manifest = json.loads(packed.read("manifest.json"))
    data = packed.read(manifest["manifest"]["file"])
    assert manifest["manifest"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["manifest"]["parameters"] == "signed=true&range=24h"
    changed = manifest | {"manifest": manifest["manifest"] | {"rows": 0}}
    for body, authentic in ((manifest, True), (changed, False)):
        checked = await told.plane.client.post("/v1/exports/verify", json=body, headers=told.headers)
        assert checked.json() == {"authentic": authentic}
    other = await told.plane.token(await told.plane.organization("Other"))
    assert not (await told.plane.client.post("/v1/exports/verify", json=manifest, headers=other)).json()["authentic"]
    logged = (await told.plane.client.get("/v1/audit?action=usage:export", headers=told.headers)).json()["items"]
    assert [entry["subject"] for entry in logged] == ["export:cost-by-model"]


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_not_export_looks_only(plane, role):
    headers = await plane.token(await plane.organization(), role)
    answer = await plane.client.get("/v1/exports/calls", headers=headers)
    assert (answer.status_code == 200) == may(role, "usage:export") == (role in ("owner", "admin", "billing"))


async def test_another_organizations_calls_are_in_no_file(told):
    other = await told.plane.token(await told.plane.organization("Other"))
    for name in EXPORTED:
        answer = await told.plane.client.get(f"/v1/exports/{name}", headers=other)
        assert "prj_" not in answer.text
        assert "gpt" not in answer.text
