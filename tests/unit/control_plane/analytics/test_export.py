import contextlib
import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import msgspec
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from control_plane.analytics import export
from control_plane.analytics.export import Exported, Manifest, Sealed, archive, file, is_sealed, seal
from control_plane.lake.curated import open_tables
from control_plane.lake.query import Lake, Question, Unanswered
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.scope import Scope
from tests.support.control_plane import ring
from tests.support.lake_calls import land, varied
from tests.support.lakes import cure

NOON_S = 1_790_000_000 // 86_400 * 86_400 + 43_200
SCOPE = Scope("org_a", NOON_S - 4 * 86_400, NOON_S)
QUESTION = Question("SELECT request_id, tokens_in, cost_usd, tags[1] AS tag FROM events", "events", SCOPE)
READ = {"csv": pyarrow.csv.read_csv, "parquet": pq.read_table}
MANIFEST = Manifest(
    org_id="org_a",
    file="a.csv",
    sha256="",
    bytes=0,
    rows=0,
    parameters="range=7d",
    from_ms=1,
    to_ms=2,
    exported_at_ms=3,
)


@pytest.fixture
def records():
    return varied("org_a", 250, NOON_S)


@pytest.fixture
def lake(tmp_path: Path, records):
    land(tmp_path, records)
    with contextlib.closing(Lake(str(tmp_path))) as lake:
        yield lake


async def whole(pieces) -> bytes:
    return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("format", ["csv", "parquet"])
async def test_a_file_has_every_row_exactly(lake, records, format, monkeypatch):
    monkeypatch.setattr(export, "GROUP_ROWS", 100)
    table = READ[format](io.BytesIO(await whole(file(lake, Exported(QUESTION, format)))))
    assert table.column_names == ["request_id", "tokens_in", "cost_usd", "tag"]
    shown = {row["request_id"]: row for row in table.to_pylist()}
    assert len(shown) == table.num_rows == len(records)
    for record in records:
        row = shown[record.request_id]
        assert row["tokens_in"] == record.tokens_in
        cost = row["cost_usd"]
        assert (None if cost is None else round(float(cost) * 10**9)) == record.cost_nanousd


COMPUTED = ("=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "\r=1")


async def test_c17_a_caller_s_words_are_no_formulas_in_a_csv_file(lake):
    shown = ", ".join(f"'{text}'" for text in (*COMPUTED, "gpt-4o", "-1.5"))
    question = Question(f"SELECT unnest([{shown}]) AS said, -1 AS less FROM events LIMIT 8", "events", SCOPE)
    rows = list(csv.DictReader(io.StringIO((await whole(file(lake, Exported(question, "csv")))).decode(), newline="")))
    assert [row["said"] for row in rows] == [*("'" + text for text in COMPUTED), "gpt-4o", "-1.5"]
    assert {row["less"] for row in rows} == {"-1"}
    table = pq.read_table(io.BytesIO(await whole(file(lake, Exported(question, "parquet")))))
    assert table.column("said").to_pylist() == [*COMPUTED, "gpt-4o", "-1.5"]


@pytest.mark.parametrize("format", ["csv", "parquet"])
async def test_a_file_of_no_rows_has_its_columns(lake, format):
    nobodys = of_nobody(QUESTION)
    table = READ[format](io.BytesIO(await whole(file(lake, Exported(nobodys, format, "estimated")))))
    assert (table.num_rows, table.column_names[0], table.column_names[-1]) == (0, "request_id", "estimated")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake whose days are rolled up, and of whose calls one of ten is left."""
    root = tmp_path_factory.mktemp("sampled")
    land(root, varied("org_a", 200, NOON_S))
    later_ms = (NOON_S + 6 * 86_400) * 1000
    cure(root, later_ms)
    retain(open_tables(str(root)), Policy(Tier(one_of=10)), later_ms)
    return str(root)


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize(("filters", "estimated"), [({}, False), ({"user_id": ("ada",)}, True)])
async def test_a_sum_of_sampled_days_says_whether_it_is_an_estimate(sampled, format, filters, estimated):
    scope = Scope("org_a", SCOPE.from_s, SCOPE.to_s, filters=filters)
    question = Question("SELECT model, sum(calls) AS calls FROM hourly GROUP BY model", "hourly", scope)
    with contextlib.closing(Lake(sampled)) as lake:
        exported = Exported(question, format, "estimated")
        packed = zipfile.ZipFile(io.BytesIO(await whole(archive(lake, exported, MANIFEST, ring("a")))))
    table = READ[format](io.BytesIO(packed.read("a.csv")))
    assert table.column_names == ["model", "calls", "estimated"]
    assert set(table.column("estimated").to_pylist()) == {estimated}
    sealed = msgspec.json.decode(packed.read("manifest.json"), type=Sealed)
    assert sealed.manifest.estimated is estimated
    assert is_sealed(sealed, ring("a"))


def of_nobody(question: Question) -> Question:
    """The same question of an organization that has no calls."""
    return Question(question.sql, question.relation, Scope("org_none", SCOPE.from_s, SCOPE.to_s))


async def test_a_signed_export_holds_the_file_and_a_manifest_of_it(lake, records):
    packed = zipfile.ZipFile(io.BytesIO(await whole(archive(lake, Exported(QUESTION, "csv"), MANIFEST, ring("a")))))
    assert packed.testzip() is None
    data = packed.read("a.csv")
    sealed = msgspec.json.decode(packed.read("manifest.json"), type=Sealed)
    assert is_sealed(sealed, ring("a"))
    assert (sealed.manifest.rows, sealed.manifest.bytes) == (len(records), len(data))
    assert sealed.manifest.sha256 == hashlib.sha256(data).hexdigest()
    assert data == await whole(file(lake, Exported(QUESTION, "csv")))


def test_a_manifest_that_was_changed_or_that_another_signed_is_none():
    body = json.loads(seal(MANIFEST, ring("a")))
    for manifest, keys, authentic in (
        (body["manifest"], "a", True),
        (body["manifest"] | {"rows": 1}, "a", False),
        (body["manifest"], "b", False),
    ):
        sealed = msgspec.convert(body | {"manifest": manifest}, Sealed)
        assert is_sealed(sealed, ring(keys)) == authentic


def test_a_manifest_of_before_estimates_were_told_is_still_ours():
    assert "estimated" not in json.loads(seal(MANIFEST, ring("a")))["manifest"]
    older = msgspec.json.decode(seal(MANIFEST, ring("a")), type=Sealed)
    assert older.manifest.estimated is None
    assert is_sealed(older, ring("a"))


async def test_a_question_that_cannot_be_asked_writes_nothing(lake):
    broken = Question("SELECT nothing FROM events", "events", SCOPE)
    with pytest.raises(Unanswered):
        await whole(file(lake, Exported(broken, "csv")))
