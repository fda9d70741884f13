"""Owns Line: one number of a provider's own account, and how the text of an export becomes exact numbers. Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal

import msgspec

from pricing.money import ATTOUSD_PER_USD, round_attousd

# What is counted: tokens by how they are billed, calls, searches; `other` is a cost that is of none of these.
Measure = Literal["input", "cache_read", "cache_write", "output", "requests", "web_searches", "other"]

# A month of every model, meter and currency of one provider comes to a few thousand.
LINES_MAX = 20_000
DAYS_MAX = 400
# What the database holds: nine billion dollars, in nano-USD.
SUM_MAX = 2**63 - 1
# A name of a model or a meter; AWS's longest have some 90 characters.
NAME_CHARS_MAX = 256
# No export states more digits, and an exponent must not become a number of any size.
_EXPONENT_MIN, _MAGNITUDE_MAX = -60, 18


class Line(msgspec.Struct, frozen=True, gc=False):
    """What a provider counted of one model on one UTC day under one meter. None: it does not say.

    `cost_nanousd` is None also where the export states the cost in another `currency` alone.
    """

    day: date
    provider: str  # as the gateway names it
    model: str  # as the provider names it; empty where the line is of no one model
    meter: str  # as the provider names it
    measure: Measure
    quantity: int | None = None
    cost_nanousd: int | None = None
    currency: str = "USD"


class Account(msgspec.Struct, frozen=True):
    """What an export says of the UTC days `from_day` to `to_day`, both included. `next_page`: there is more of it."""

    lines: tuple[Line, ...]
    from_day: date
    to_day: date
    next_page: str | None = None


class Unreadable(ValueError):
    """An export that cannot be taken; the message names the line and the field, and what is expected there."""


class Tally:
    """Sums what an export says by day, model and meter: exactly, and rounded once at the end."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._sums: dict[tuple[date, str, str, Measure, str], tuple[Fraction | None, Fraction | None]] = {}

    def add(
        self,
        day: date,
        model: str,
        meter: str,
        measure: Measure,
        *,
        quantity: Fraction | int | None = None,
        cost_usd: Fraction | None = None,
        currency: str = "USD",
    ) -> None:
        """Raises Unreadable where there are more lines than any account has."""
        place = (day, model[:NAME_CHARS_MAX], meter[:NAME_CHARS_MAX], measure, currency.upper()[:8])
        counted, costs = self._sums.get(place, (None, None))
        self._sums[place] = (_plus(counted, quantity), _plus(costs, cost_usd))
        if len(self._sums) > LINES_MAX:
            raise Unreadable(f"more than {LINES_MAX} lines after summing; export fewer days at a time")

    def lines(self) -> tuple[Line, ...]:
        """By day, model and meter."""
        return tuple(
            Line(
                day,
                self._provider,
                model,
                meter,
                measure,
                None if quantity is None else round(quantity),
                None if cost is None else round_attousd(cost * ATTOUSD_PER_USD),
                currency,
            )
            for (day, model, meter, measure, currency), (quantity, cost) in sorted(self._sums.items(), key=_place)
        )


def _place(item: tuple[tuple[date, str, str, Measure, str], object]) -> tuple[date, str, str, Measure, str]:
    return item[0]


def _plus(total: Fraction | None, more: Fraction | int | None) -> Fraction | None:
    if more is None:
        return total
    return Fraction(more) if total is None else total + more


def exact(text: str | Decimal, where: str) -> Fraction:
    """A decimal number as it is written. Raises Unreadable."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unreadable(f"{where}: {str(text)[:40]!r} is not a decimal number") from None
    if not number.is_finite():
        raise Unreadable(f"{where}: {number} is not an amount")
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if number and (number.adjusted() > _MAGNITUDE_MAX or exponent < _EXPONENT_MIN):
        raise Unreadable(f"{where}: {str(text)[:40]!r} is out of bounds")
    return Fraction(number)


def account(tally: Tally, days: Sequence[date], next_page: str | None = None) -> Account:
    """The account of the days an export covers. Raises Unreadable where it covers none, or comes to too much."""
    if not days:
        raise Unreadable("it holds no day: export a time in which there was some usage")
    first, last = min(days), max(days)
    if (last - first).days >= DAYS_MAX:
        raise Unreadable(f"from {first} to {last} are more than {DAYS_MAX} days; import them one after the other")
    lines = tally.lines()
    for what, said in (
        ("quantity", [line.quantity for line in lines]),
        ("cost", [line.cost_nanousd for line in lines]),
    ):
        if sum(abs(one) for one in said if one is not None) > SUM_MAX:
            raise Unreadable(f"each {what} together is more than anybody is billed; look at the unit of the column")
    return Account(lines, first, last, next_page)
