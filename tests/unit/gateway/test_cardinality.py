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
        self.looked = 0

    def counters(self) -> Mapping[str, Balance]:
        self.looked += 1
        return self.balances

    def balance(self, counter: str) -> Balance:
        return self.balances.get(counter, Balance())


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


def test_a_call_of_the_window_before_makes_no_room_in_that_of_now():
    """A body that comes slowly is of the window in which its head came."""
    table = table_of(window="minute")
    ledger = Counted({})
    cardinality = Cardinality(ledger)  # type: ignore[arg-type]

    for minute, user in ((0, b"ann"), (1, b"bob")):
        due = due_of(table, user, NOW_S + 60 * minute)
        assert not cardinality.without_room([due])
        cardinality.take([due])
    late, now = due_of(table, b"late"), due_of(table, b"now", NOW_S + 60)
    for _ in range(3):
        assert cardinality.without_room([late]) == [late]
        assert cardinality.without_room([now]) == [now]
    assert ledger.looked == 1


def test_calls_that_find_no_room_at_a_time_do_not_look_through_the_whole_ledger():
    table = table_of(unit="concurrent", window="total")
    ann, bob = due_of(table, b"ann"), due_of(table, b"bob")
    ledger = Counted({ann.counter: Balance(0, 1)})
    cardinality = Cardinality(ledger)  # type: ignore[arg-type]

    for _ in range(3):
        assert cardinality.without_room([bob]) == [bob]
    assert ledger.looked == 1


def test_counters_of_the_scope_before_take_no_room_from_those_of_another():
    users, teams = table_of(window="total"), table_of(window="total", scope={"team": "*"})
    ann, nobody = due_of(users, b"ann"), due_of(teams, b"ann")
    cardinality = Cardinality(Counted({ann.counter: Balance(1)}))  # type: ignore[arg-type]

    assert not cardinality.without_room([ann])
    assert not cardinality.without_room([nobody])
