from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.cardinality import Cardinality
from gateway.contract.policy import Quota
from gateway.examine import Call, examine
from gateway.ledger.base import Balance
from gateway.quotas import Due, QuotaTable
from tests.support.data_plane import upstreams_at
from tests.support.stages import LISTED, NOW_S, caller_of, request_of, route_of, view_of

VIEW = view_of(upstreams_at(1, "openai"))
BODY = b'{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'


class Counted:
    """A ledger that has these counters."""

    def __init__(self, balances: Mapping[str, Balance]) -> None:
        self.balances = balances

    def counters(self) -> Mapping[str, Balance]:
        return self.balances


def table_of(**fields: Any) -> QuotaTable:
    quota = Quota(**{"id": "q", "unit": "usd", "limit": 10**9, "scope": {"user": "*"}, "values_max": 1, **fields})
    return QuotaTable(msgspec.structs.replace(VIEW.policy, quotas=(quota,)), LISTED)


def due_of(table: QuotaTable, user: bytes, at_s: int = NOW_S) -> Due:
    request = request_of("/openai/v1/chat/completions", BODY, b"x-lensai-user: " + user)
    caller, route = caller_of(request, VIEW), route_of(request, VIEW)
    call = examine(request, caller, route, 1 << 20)
    assert isinstance(call, Call)
    return table.due(caller, route, call, at_s).each[0]


def test_values_are_told_from_the_ledger_after_a_restart_and_anew_in_each_window():
    table = table_of(window="minute")
    ann, bob = due_of(table, b"ann"), due_of(table, b"bob")
    cardinality = Cardinality(Counted({ann.counter: Balance(1)}))  # type: ignore[arg-type]

    assert cardinality.without_room([bob]) == [bob]
    assert not cardinality.without_room([ann])
    later = due_of(table, b"bob", NOW_S + 60)
    assert not cardinality.without_room([later])
    cardinality.take([later])
    assert cardinality.without_room([due_of(table, b"ann", NOW_S + 60)])


def test_of_calls_at_a_time_only_those_under_way_count():
    table = table_of(unit="concurrent", window="total")
    ann, bob = due_of(table, b"ann"), due_of(table, b"bob")
    balances = {ann.counter: Balance(0, 1)}
    cardinality = Cardinality(Counted(balances))  # type: ignore[arg-type]

    assert cardinality.without_room([bob]) == [bob]
    balances[ann.counter] = Balance(0, 0)
    assert not cardinality.without_room([bob])
