import csv
import hashlib
import io
import json
import re
import zipfile

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from control_plane.analytics.export import MEDIA_TYPES
from control_plane.analytics.export_routes import EXPORTED
from control_plane.auth.roles import ROLES, may
from tests.support.lake_calls import by, sums

# All columns of FOCUS 1.2 but those of commitments, reservations and places, which no call has: how the specification
# wants each (mandatory, conditional, recommended), its type, and whether it may be null.
# https://focus.finops.org/focus-specification/v1-2/
M, C, R = "Mandatory", "Conditional", "Recommended"
TEXT, MONEY, NUMBER, TIME = pa.string(), pa.decimal128(38, 9), pa.decimal128(38, 0), pa.timestamp("us", "UTC")
FOCUS = {
    "BilledCost": (M, MONEY, False),
    "BillingAccountId": (M, TEXT, False),
    "BillingAccountName": (M, TEXT, True),
    "BillingAccountType": (C, TEXT, True),
    "BillingCurrency": (M, TEXT, False),
    "BillingPeriodEnd": (M, TIME, False),
    "BillingPeriodStart": (M, TIME, False),
    "ChargeCategory": (M, TEXT, False),
    "ChargeClass": (M, TEXT, True),
    "ChargeDescription": (M, TEXT, True),
    "ChargeFrequency": (R, TEXT, False),
    "ChargePeriodEnd": (M, TIME, False),
    "ChargePeriodStart": (M, TIME, False),
    "ConsumedQuantity": (C, NUMBER, True),
    "ConsumedUnit": (C, TEXT, True),
    "ContractedCost": (M, MONEY, False),
    "EffectiveCost": (M, MONEY, False),
    "InvoiceId": (R, TEXT, True),
    "InvoiceIssuerName": (M, TEXT, False),
    "ListCost": (M, MONEY, False),
    "PricingCategory": (C, TEXT, True),
    "PricingCurrency": (C, TEXT, False),
    "PricingQuantity": (M, NUMBER, True),
    "PricingUnit": (M, TEXT, True),
    "ProviderName": (M, TEXT, False),
    "PublisherName": (M, TEXT, False),
    "ResourceId": (C, TEXT, True),
    "ResourceType": (C, TEXT, True),
    "ServiceCategory": (M, TEXT, False),
    "ServiceName": (M, TEXT, False),
    "ServiceSubcategory": (R, TEXT, False),
    "SkuId": (C, TEXT, True),
    "SkuPriceId": (C, TEXT, True),
    "SubAccountId": (C, TEXT, True),
    "SubAccountName": (C, TEXT, True),
    "SubAccountType": (C, TEXT, True),
    "Tags": (C, TEXT, True),
}
# Conditional ones that an export of calls does without, and why.
WITHOUT = {
    "ContractedUnitPrice": "a model's tokens have several prices",
    "ListUnitPrice": "a model's tokens have several prices",
    "SkuMeter": "a model's tokens have several prices",
    "SkuPriceDetails": "a model's tokens have several prices",
    "PricingCurrencyContractedUnitPrice": "prices are in the billing currency",
    "PricingCurrencyEffectiveCost": "prices are in the billing currency",
    "PricingCurrencyListUnitPrice": "prices are in the billing currency",
    "ResourceName": "the lake has no names of keys",
    "RegionId": "a call does not say where it was answered",
    "RegionName": "a call does not say where it was answered",
}
# What the specification allows where it has a list.
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction", None},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other", None},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {
        "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
        "Other (AI and Machine Learning)",
    },
    "BillingCurrency": {"USD"},
    "PricingCurrency": {"USD"},
}  # fmt: skip
# An id and what is null along with it.
TOGETHER = {"ResourceId": ("ResourceType",), "SubAccountId": ("SubAccountName", "SubAccountType")}
FOCUS_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


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


async def test_focus_has_the_columns_that_the_specification_has_and_its_own_behind_them(told):
    table = pq.read_table(io.BytesIO((await exported(told, "focus", format="parquet")).content))
    own = [name for name in table.column_names if name.startswith("x_")]
    assert table.column_names == [*sorted(FOCUS), *own]
    assert not WITHOUT.keys() & FOCUS.keys()
    for name, (_, type_, may_be_null) in FOCUS.items():
        column = table.column(name)
        assert column.type == type_, name
        assert may_be_null or not column.null_count, name
        assert "" not in column.to_pylist(), name
        assert set(column.to_pylist()) <= ALLOWED.get(name, set(column.to_pylist())), name
    for id_, others in TOGETHER.items():
        for name in others:
            assert table.column(name).is_null().equals(table.column(id_).is_null())


async def test_focus_as_csv_has_times_and_tags_as_the_specification_writes_them(told):
    rows = list(csv.DictReader(io.StringIO((await exported(told, "focus", format="csv")).text)))
    for row in rows:
        assert all(FOCUS_TIME.fullmatch(row[name]) for name, (_, type_, _) in FOCUS.items() if type_ == TIME)
        assert json.loads(row["Tags"]).keys() == {"team", "route", "tags"}
        assert "" not in json.loads(row["Tags"]).values()


async def test_focus_comes_to_the_known_cost(told):
    found = await rows(told, "focus")
    assert sum(int(row["BilledCost"].scaleb(9)) for row in found) == sums(told.records).cost_nanousd
    by_project = by(found, lambda row: row["SubAccountId"])
    for project_id, some in by(told.records, lambda one: one.project_id or None).items():
        assert sum(int(row["EffectiveCost"].scaleb(9)) for row in by_project[project_id]) == sums(some).cost_nanousd
    for row in found:
        assert row["ChargePeriodStart"].isoformat()[10:] == "T00:00:00+00:00"
        assert (row["ChargePeriodEnd"] - row["ChargePeriodStart"]).days == 1
        assert row["BillingPeriodStart"].isoformat() == "2026-09-01T00:00:00+00:00"
        assert row["BillingPeriodEnd"].isoformat() == "2026-10-01T00:00:00+00:00"
        assert row["PricingQuantity"] == row["ConsumedQuantity"]


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
