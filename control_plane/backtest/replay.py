"""Owns the replay of calls one by one, for limits whose counters touch each other. Pure.

A call is taken by all of its counters or by none, and one that is refused spends nothing: what the ledger does.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import msgspec


class Call(msgspec.Struct, frozen=True, gc=False):
    """`values` are those that it has of each dimension that varies, in their order; none of one: it is not touched."""

    number: int
    period: int
    values: tuple[Sequence[str], ...]
    amount: int


def refused(calls: Iterable[Call], limit: int, values_max: int) -> Iterator[int]:
    """The numbers of the calls that a limit refuses, which come in time order. Remembers one window at a time."""
    now, spent = -1, dict[tuple[str, ...], int]()
    for call in calls:
        if call.period != now:
            now, spent = call.period, {}
        counters = list(product(*call.values))
        fits = _known(spent, counters, values_max) and (
            not call.amount or all(spent[counter] + call.amount <= limit for counter in counters)
        )
        if not fits:
            yield call.number
            continue
        for counter in counters:
            spent[counter] += call.amount


def _known(spent: dict[tuple[str, ...], int], counters: Iterable[tuple[str, ...]], values_max: int) -> bool:
    """Whether there is room for every counter, each of which then takes its own."""
    known = True
    for counter in counters:
        if counter in spent:
            continue
        if len(spent) >= values_max:
            known = False
        else:
            spent[counter] = 0
    return known


def squeezed(rows: Iterable[tuple[int, int, str, int, int]], /) -> Iterator[int]:
    """The numbers of those that are let through after a limit was first hit: what is left only shrinks.

    Rows are (number, period, counter, left when it was hit, amount), by counter and then in time order.
    """
    at: tuple[int, str] | None = None
    left = 0
    for number, period, counter, left_then, amount in rows:
        if at != (period, counter):
            at, left = (period, counter), left_then
        if amount <= left:
            left -= amount
            yield number
