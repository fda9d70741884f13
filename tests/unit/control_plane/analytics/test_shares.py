from collections import Counter

import pytest

from tests.support.lake_calls import by, sums
from tests.unit.control_plane.analytics.test_service import nanousd, same


async def test_calls_that_did_not_end_well_are_counted_by_why(told):
    answer = await told.ask("errors", limit=100)
    expected = Counter(
        (one.outcome, one.status or None, one.refusal_code, one.provider) for one in told.records if one.outcome != "ok"
    )
    shown = {
        (row["outcome"], row["status"], row["refusal_code"], row["provider"]): row["calls"] for row in answer["rows"]
    }
    assert shown == expected
    assert same(answer["total"], told.records)
    assert sum(row["share"] for row in answer["rows"]) == pytest.approx(sum(expected.values()) / len(told.records))
    assert len((await told.ask("errors", limit=2))["rows"]) == 2


async def test_what_was_measured_and_what_is_an_estimate_are_told_apart(told):
    answer = await told.ask("provenance")
    expected = by(told.records, lambda one: one.provenance)
    rows = {row["provenance"]: row for row in answer["rows"]}
    assert {name: row["calls"] for name, row in rows.items()} == {name: len(some) for name, some in expected.items()}
    for name, some in expected.items():
        assert nanousd(rows[name]["cost_usd"]) == sums(some).cost_nanousd
    measured = [*expected["reported"], *expected["partial"]]
    assert answer["measured_cost_share"] == pytest.approx(sums(measured).cost_nanousd / sums(told.records).cost_nanousd)
    used = len(told.records) - len(expected["none"])
    assert answer["measured_calls_share"] == pytest.approx(len(measured) / used)
    assert rows["unknown"]["cost_share"] is None
