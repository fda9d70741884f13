import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Set
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from control_plane.analytics.export import MEDIA_TYPES
from control_plane.analytics.export_routes import EXPORTED
from control_plane.auth.roles import ROLES, may
from gateway.contract.record import Record
from tests.support.control_plane import ControlPlane
from tests.support.lake_calls import by, land, sums, varied
from tests.unit.control_plane.analytics.conftest import NOW_S, Told

# The columns of FOCUS 1.2 as the specification wants them: whether they must be there, their type, whether they may be
# null in a row of usage, and what they may say where it has a list. Its text: specification/columns/*.md and
# specification/requirements_model/model_rules/ of https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec
# ("MUST NOT be null when ChargeCategory is Usage" is False here, whatever else a column's table allows).
M, C, R = "Mandatory", "Conditional", "Recommended"
TEXT, MONEY, TIME = pa.string(), pa.decimal128(38, 9), pa.timestamp("us", "UTC")
COUNT, MILLIONS = pa.decimal128(38, 0), pa.decimal128(38, 6)
USD = {"USD"}
AI_SUBCATEGORIES = {
    "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
    "Other (AI and Machine Learning)",
}  # fmt: skip
SERVICE_CATEGORIES = {
    "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
    "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile",
    "Multicloud", "Networking", "Security", "Storage", "Web", "Other",
}  # fmt: skip


class Column(NamedTuple):
    level: str
    type: pa.DataType
    nulls: bool
    allowed: Set[str] | None = None


FOCUS = {
    "BilledCost": Column(M, MONEY, False),
    "BillingAccountId": Column(M, TEXT, False),
    "BillingAccountName": Column(M, TEXT, True),
    "BillingAccountType": Column(C, TEXT, False),
    "BillingCurrency": Column(M, TEXT, False, USD),
    "BillingPeriodEnd": Column(M, TIME, False),
    "BillingPeriodStart": Column(M, TIME, False),
    "ChargeCategory": Column(M, TEXT, False, {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}),
    "ChargeClass": Column(M, TEXT, True, {"Correction"}),
    "ChargeDescription": Column(M, TEXT, True),
    "ChargeFrequency": Column(R, TEXT, False, {"One-Time", "Recurring", "Usage-Based"}),
    "ChargePeriodEnd": Column(M, TIME, False),
    "ChargePeriodStart": Column(M, TIME, False),
    "ConsumedQuantity": Column(C, COUNT, False),
    "ConsumedUnit": Column(C, TEXT, False),
    "ContractedCost": Column(M, MONEY, False),
    "EffectiveCost": Column(M, MONEY, False),
    "InvoiceId": Column(R, TEXT, True),
    "InvoiceIssuerName": Column(M, TEXT, False),
    "ListCost": Column(M, MONEY, False),
    "PricingCategory": Column(C, TEXT, False, {"Standard", "Dynamic", "Committed", "Other"}),
    "PricingCurrency": Column(C, TEXT, False, USD),
    "PricingQuantity": Column(M, MILLIONS, False),
    "PricingUnit": Column(M, TEXT, False),
    "ProviderName": Column(M, TEXT, False),
    "PublisherName": Column(M, TEXT, False),
    "RegionId": Column(C, TEXT, True),
    "RegionName": Column(C, TEXT, True),
    "ResourceId": Column(C, TEXT, True),
    "ResourceName": Column(C, TEXT, True),
    "ResourceType": Column(C, TEXT, True),
    "ServiceCategory": Column(M, TEXT, False, SERVICE_CATEGORIES),
    "ServiceName": Column(M, TEXT, False),
    "ServiceSubcategory": Column(R, TEXT, False, AI_SUBCATEGORIES),
    "SkuId": Column(C, TEXT, False),
    "SkuMeter": Column(C, TEXT, True),
    "SkuPriceDetails": Column(C, TEXT, True),
    "SkuPriceId": Column(C, TEXT, False),
    "SubAccountId": Column(C, TEXT, True),
    "SubAccountName": Column(C, TEXT, True),
    "SubAccountType": Column(C, TEXT, True),
    "Tags": Column(C, TEXT, True),
}
# The specification's other columns, and why an export of calls does without.
WITHOUT = {
    **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), "a model's tokens have several prices"),
    **dict.fromkeys(
        ("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
        "required of prices in a virtual currency; ours are in the billing currency",
    ),
    **dict.fromkeys(
        (f"CommitmentDiscount{of}" for of in ("Category", "Id", "Name", "Quantity", "Status", "Type", "Unit")),
        "required where commitments are supported; a call does not say which it was covered by",
    ),
    **dict.fromkeys(
        ("CapacityReservationId", "CapacityReservationStatus"),
        "required where reservations are supported; a call does not say which it was covered by",
    ),
    "AvailabilityZone": "recommended where there are zones to deploy into",
}
COLUMNS_OF_FOCUS, MANDATORY_OF_FOCUS = 57, 21
# Units of prices, and how many of the consumed unit one is.
PRICED_BY = {"1000000 Tokens": 10**6, "Requests": 1}
# A column, and what is null if and only if it is.
TOGETHER = {
    "ConsumedQuantity": ("ConsumedUnit",),
    "PricingQuantity": ("PricingUnit",),
    "RegionId": ("RegionName",),
    "ResourceId": ("ResourceType",),
    "SkuId": ("SkuMeter", "SkuPriceId"),
    "SubAccountId": ("SubAccountName", "SubAccountType"),
}
FOCUS_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _unusual(org_id: str) -> list[Record]:
    """Two calls without tokens, a reported one that names nothing, a list of models."""
    call = replace(varied(org_id, 1, NOW_S)[0], outcome="ok", tokens_in=None, tokens_out=None, buckets=None)
    speech = replace(call, provider="openai", model="tts-1", cost_nanousd=250_000_000, tags=("c", 'a"b', "c"))
    nameless = replace(call, provider="", model="", cost_nanousd=250_000_000, tags=())
    listed = replace(nameless, provider="openai", cost_nanousd=0)
    return [replace(one, request_id=f"req_{at}") for at, one in enumerate((speech, speech, nameless, listed))]


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


async def test_every_file_of_sums_says_of_each_row_whether_it_is_an_estimate(told):
    for name in EXPORTED.keys() - {"calls", "focus"}:
        assert {row["estimated"] for row in await rows(told, name)} == {False}
    assert all("estimated" not in row and row["weight"] == 1 for row in await rows(told, "calls"))


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
    assert own == ["x_Calls", "x_Route", "x_Team", "x_UnpricedCalls", "x_Estimated"]
    assert set(table.column("x_Estimated").to_pylist()) == {False}
    for name, wanted in FOCUS.items():
        column = table.column(name)
        values = set(column.to_pylist())
        assert column.type == wanted.type, name
        assert wanted.nulls or not column.null_count, name
        assert "" not in values, name
        assert wanted.allowed is None or values <= wanted.allowed | {None}, name
    for id_, others in TOGETHER.items():
        for name in others:
            assert table.column(name).is_null().equals(table.column(id_).is_null())


def test_a_column_of_focus_is_there_or_is_known_not_to_be():
    assert not WITHOUT.keys() & FOCUS.keys()
    assert len(WITHOUT) + len(FOCUS) == COLUMNS_OF_FOCUS
    assert sum(column.level == M for column in FOCUS.values()) == MANDATORY_OF_FOCUS


async def test_focus_has_the_values_that_rows_of_usage_must_have(told):
    for row in await rows(told, "focus"):
        assert (row["ChargeCategory"], row["ChargeClass"], row["InvoiceId"]) == ("Usage", None, None)
        # Without unit prices, both have to be what is billed.
        assert row["ListCost"] == row["ContractedCost"] == row["EffectiveCost"] == row["BilledCost"]
        assert row["PricingQuantity"] * PRICED_BY[row["PricingUnit"]] == row["ConsumedQuantity"] > 0
        assert row["PricingUnit"].endswith(row["ConsumedUnit"])


async def test_focus_as_csv_has_times_and_tags_as_the_specification_writes_them(told):
    rows = list(csv.DictReader(io.StringIO((await exported(told, "focus", format="csv")).text)))
    for row in rows:
        assert all(FOCUS_TIME.fullmatch(row[name]) for name, column in FOCUS.items() if column.type == TIME)
    tags = {tuple(one.tags) for one in told.records if one.cost_nanousd is not None}
    assert {row["Tags"] for row in rows} == {
        json.dumps(dict.fromkeys(sorted(some), True), separators=(",", ":")) if some else "" for some in tags
    }


async def test_focus_counts_requests_where_there_are_no_tokens_and_no_charge_where_there_is_no_sku(plane):
    org_id = await plane.organization()
    records = _unusual(org_id)
    land(Path(plane.parts.settings.lake), records)
    told = Told(plane, org_id, await plane.token(org_id), records)
    found = await rows(told, "focus")
    named = ("ProviderName", "SkuId", "SkuMeter", "BilledCost", "ConsumedQuantity", "PricingUnit", "Tags")
    assert [tuple(row[name] for name in named) for row in found] == [
        ("Unknown", None, None, Decimal("0.25"), 1, "Requests", None),
        ("openai", "tts-1", "Model Usage", Decimal("0.5"), 2, "Requests", r'{"a\"b":true,"c":true}'),
    ]


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


async def test_a_signed_export_can_be_verified_and_is_in_the_audit_log(told):
    answer = await exported(told, "cost-by-model", signed="true", range="24h")
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    manifest = json.loads(packed.read("manifest.json"))
    data = packed.read(manifest["manifest"]["file"])
    assert manifest["manifest"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["manifest"]["parameters"] == "signed=true&range=24h"
    assert manifest["manifest"]["estimated"] is False
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


async def test_a_file_of_sums_has_everybody_in_it(plane: ControlPlane) -> None:
    org_id, count = await plane.organization(), 10_050
    records = [replace(one, user_id=f"user-{n}") for n, one in enumerate(varied(org_id, count, NOW_S, span_s=3000))]
    land(Path(plane.parts.settings.lake), records, each=count)
    headers = await plane.token(org_id)
    answer = await plane.client.get("/v1/exports/cost-by-user", headers=headers)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    total, users = rows[0], len(rows) - 1
    assert users == count
    assert sum(Decimal(row["cost_usd"] or 0) for row in rows[1:]) == Decimal(total["cost_usd"])
