import io
import weakref
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.lake.identity import identities, identities_of, once, without
from gateway.lake.batch import to_table
from tests.support.lakes import call

ROWS = to_table([call(1), call(1, org_id="org_b"), call(2), call(1, 5.0), call(2, org_id="org_b")])


def pairs(table: pa.Table) -> list[tuple[str, str]]:
    return [(row["org_id"], row["request_id"][-1]) for row in table.select(["org_id", "request_id"]).to_pylist()]


def test_one_id_of_two_organizations_is_two_calls() -> None:
    assert len(set(identities(ROWS).to_pylist())) == 4
    assert sorted(pairs(once(ROWS))) == [("org_a", "1"), ("org_a", "2"), ("org_b", "1"), ("org_b", "2")]


def test_the_first_row_of_a_call_stays_and_the_order_does() -> None:
    kept = once(ROWS)
    assert kept.column("ts").to_pylist() == [
        row["ts"] for number, row in enumerate(ROWS.to_pylist()) if number in first_places()
    ]
    assert once(kept) is kept


def first_places() -> set[int]:
    found: dict[tuple[str, str], int] = {}
    for number, pair in enumerate(pairs(ROWS)):
        found.setdefault(pair, number)
    return set(found.values())


def test_known_calls_are_left_out_by_their_organization_too() -> None:
    known = ROWS.slice(0, 1)
    sink = io.BytesIO()
    pq.write_table(known, sink)
    stored = identities_of(io.BytesIO(sink.getvalue()))
    assert stored.to_pylist() == identities(known).to_pylist()
    assert ("org_a", "1") not in pairs(without(ROWS, [stored]))
    assert len(without(ROWS, [stored])) == 3
    assert without(ROWS, []) is ROWS


def test_known_calls_are_looked_at_one_array_at_a_time() -> None:
    seen: list[weakref.ref[Any]] = []

    def known() -> Iterator[Any]:
        for number in range(ROWS.num_rows):
            assert sum(one() is not None for one in seen) <= 1
            column = identities(ROWS.slice(number, 1))
            seen.append(weakref.ref(column))
            yield column
            del column

    assert len(without(ROWS, known())) == 0
    assert len(seen) == ROWS.num_rows


def test_rows_that_name_no_organization_are_of_one() -> None:
    table = pa.table({"org_id": pa.array([None, "", "x"], pa.string()), "request_id": ["a", "a", "a"]})
    assert len(set(identities(table).to_pylist())) == 2
