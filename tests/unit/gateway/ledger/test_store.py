"""What a node and the store say to each other."""

import msgspec
import pytest

from gateway.ledger.store import Statement

REPORT = Statement("budget@2026-11", "a", 1, 1, "run1", 10, 20)


@pytest.mark.parametrize(
    ("change", "asks"), [({}, False), ({"need": 1, "want": 1}, True), ({"more": True}, True), ({"gives": True}, False)]
)
def test_a_statement_asks_where_it_needs_wants_or_fetches_ahead(change, asks):
    assert msgspec.structs.replace(REPORT, **change).asks is asks
