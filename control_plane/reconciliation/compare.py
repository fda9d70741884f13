"""Owns the comparison: what the gateways counted against what the provider says, by day, model and measure. Pure.

A row's error bar is how far our own number may be off: all of what is no word of the provider's (estimated, partial,
held), the average of its like for each call that nobody knows anything of, and calls across midnight, which the
provider may count on the other day. More than that at the provider is traffic that did not pass the gateway.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from control_plane.reconciliation.lines import Line, Measure
from control_plane.reconciliation.names import CATALOGS, Found, Named, Names
from control_plane.reconciliation.ours import Count, Day, start_s
from pricing.catalog import Catalog

Compared = Literal["input", "cache_read", "cache_write", "output", "requests", "web_searches", "cost"]
# `incomplete`: the provider has less than we, and may still be counting. `no_export`: nothing was imported of the day.
Verdict = Literal[
    "matches", "within_error", "bypass_suspected", "overcounted", "incomplete", "unpriced", "no_export"
]  # fmt: skip
Says = Literal["usage", "cost"]

_TOKENS: tuple[Measure, ...] = ("input", "cache_read", "cache_write", "output")
# Compared where the provider's account has them.
_IF_SAID: tuple[Measure, ...] = ("requests", "web_searches")
# Endpoints of one bill.
_BILLED_AS: Mapping[str, str] = {"bedrock-mantle": "bedrock"}
# The model of a row that is of all models: where the provider bills something of no one model.
ALL = "*"


class Covered(msgspec.Struct, frozen=True):
    """A day that an import is of. `complete`: it was taken so late that the day grows no more."""

    complete: bool


Coverage = Mapping[tuple[str, Says, date], Covered]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, or nano-USD where it is a cost. `delta` is theirs less ours; `error` None: nobody can tell it."""

    day: date
    provider: str
    model: str
    compared: Compared
    ours: int | None
    theirs: int | None
    delta: int | None
    error: int | None
    verdict: Verdict
    calls: int
    named: Found  # how the model of the provider's bill was found
    billed: tuple[str, ...] = ()  # its names there


class Total(msgspec.Struct, frozen=True):
    """Sums of the rows that both sides have."""

    provider: str
    compared: Compared
    ours: int
    theirs: int
    delta: int
    error: int | None


class Comparison(msgspec.Struct, frozen=True):
    """`unsupported`: providers that calls went to and whose accounts cannot be imported. `currencies`: of costs that
    are stated in no dollars, and so are not compared.
    """

    rows: tuple[Row, ...]
    totals: tuple[Total, ...]
    unsupported: tuple[str, ...]
    currencies: tuple[str, ...]


class _Ours(msgspec.Struct):
    """The calls to one model on one day, under however many names."""

    calls: int = 0
    silent: int = 0
    unpriced: int = 0
    counts: dict[Measure, Count] = msgspec.field(default_factory=dict[Measure, Count])
    cost: int | None = None
    cost_unsure: int = 0
    cost_across: int = 0

    def add(self, day: Day) -> None:
        self.calls += day.calls
        self.silent += day.silent_calls
        self.unpriced += day.unpriced_calls
        for measure, count in day.counts.items():
            before = self.counts.get(measure, Count())
            self.counts[measure] = Count(
                before.total + count.total, before.unsure + count.unsure, before.across + count.across
            )
        if day.cost_nanousd is not None:
            self.cost = (self.cost or 0) + day.cost_nanousd
        self.cost_unsure += day.cost_unsure
        self.cost_across += day.cost_across


class _Theirs(msgspec.Struct):
    counts: dict[Measure, int] = msgspec.field(default_factory=dict[Measure, int])
    cost: int | None = None
    lines: int = 0
    named: Found = "none"
    billed: set[str] = msgspec.field(default_factory=set[str])


_Key = tuple[date, str, str]
_NONE_OURS = _Ours()
_NONE_THEIRS = _Theirs()
_DAY = timedelta(days=1)


def compare(
    ours: Sequence[Day],
    lines: Sequence[Line],
    covered: Coverage,
    from_day: date,
    to_day: date,
    catalog: Catalog,
    mapped: Mapping[str, str] | None = None,
    stored: Mapping[str, Mapping[str, str]] | None = None,
) -> Comparison:
    """Rows of the days, both included. `ours` may begin a day earlier: its calls across midnight count then.

    Names on the bill mean what is `mapped`, at whichever provider, or else what is `stored`, by provider.
    """
    names = _names(ours, lines, catalog, start_s(to_day), mapped or {}, stored or {})
    own, theirs = _own(ours, names), _theirs(lines, names)
    said: set[tuple[str, Measure]] = {(line.provider, line.measure) for line in lines if line.quantity is not None}
    keys = sorted(key for key in own.keys() | theirs.keys() if from_day <= key[0] <= to_day and key[1] in CATALOGS)
    rows = [row for key in keys for row in _usage_rows(key, own, theirs, covered, said)]
    rows += _cost_rows(keys, own, theirs, covered)
    rows.sort(key=lambda row: (row.day, row.provider, row.model, row.compared))
    unsupported = sorted({billed_as(day.provider) for day in ours} - CATALOGS.keys())
    foreign = {line.currency for line in lines if line.currency != "USD" and line.cost_nanousd is None}
    return Comparison(tuple(rows), tuple(_totals(rows)), tuple(unsupported), tuple(sorted(foreign)))


def billed_as(provider: str) -> str:
    """The provider whose bill a call is on."""
    return _BILLED_AS.get(provider, provider)


def _names(
    ours: Sequence[Day],
    lines: Sequence[Line],
    catalog: Catalog,
    at_s: int,
    mapped: Mapping[str, str],
    stored: Mapping[str, Mapping[str, str]],
) -> Mapping[str, Names]:
    used: dict[str, set[str]] = {line.provider: set() for line in lines}
    for day in ours:
        used.setdefault(billed_as(day.provider), set()).add(day.model)
    return {
        provider: Names(provider, sorted(models), catalog, at_s, {**stored.get(provider, {}), **mapped})
        for provider, models in used.items()
    }


def _own(ours: Sequence[Day], names: Mapping[str, Names]) -> Mapping[_Key, _Ours]:
    found: dict[_Key, _Ours] = defaultdict(_Ours)
    for day in ours:
        provider = billed_as(day.provider)
        found[day.day, provider, names[provider].canonical(day.model)].add(day)
    return dict(found)


def _theirs(lines: Sequence[Line], names: Mapping[str, Names]) -> Mapping[_Key, _Theirs]:
    found: dict[_Key, _Theirs] = defaultdict(_Theirs)
    known: dict[tuple[str, str], Named] = {}
    for line in lines:
        billed = (line.provider, line.model)
        if billed not in known:
            known[billed] = names[line.provider].find(line.model)
        one = found[line.day, line.provider, known[billed].model]
        one.named = known[billed].found
        if line.model:
            one.billed.add(line.model)
        if line.quantity is not None:
            one.counts[line.measure] = one.counts.get(line.measure, 0) + line.quantity
        if line.cost_nanousd is not None:
            one.cost = (one.cost or 0) + line.cost_nanousd
            one.lines += 1
    return dict(found)


def _usage_rows(
    key: _Key,
    own: Mapping[_Key, _Ours],
    theirs: Mapping[_Key, _Theirs],
    covered: Coverage,
    said: set[tuple[str, Measure]],
) -> Iterator[Row]:
    day, provider, model = key
    mine, other = own.get(key, _NONE_OURS), theirs.get(key, _NONE_THEIRS)
    before = own.get((day - _DAY, provider, model), _NONE_OURS)
    cover = covered.get((provider, "usage", day))
    if not model and not other.counts:
        return
    compared: list[Measure] = [*_TOKENS, *(measure for measure in _IF_SAID if (provider, measure) in said)]
    for measure in compared:
        count, seen = mine.counts.get(measure, Count()), other.counts.get(measure, 0)
        if not count.total and not seen and not mine.silent:
            continue
        error = _error(
            count.total,
            count.unsure + count.across + before.counts.get(measure, Count()).across,
            0 if measure == "requests" else mine.silent,
            mine.calls - mine.silent,
        )
        theirs_or_none = None if cover is None else seen
        assert measure != "other"
        yield _row(key, measure, count.total, theirs_or_none, error, 0, cover, mine.calls, other)


def _cost_rows(
    keys: Sequence[_Key], own: Mapping[_Key, _Ours], theirs: Mapping[_Key, _Theirs], covered: Coverage
) -> Iterator[Row]:
    by_day: dict[tuple[date, str], list[_Key]] = defaultdict(list)
    for key in keys:
        by_day[key[0], key[1]].append(key)
    for (day, provider), group in by_day.items():
        cover = covered.get((provider, "cost", day))
        of_none = theirs.get((day, provider, ""), _NONE_THEIRS)
        sets = [group] if of_none.cost else [[key] for key in group]
        for one in sets:
            model = ALL if of_none.cost else one[0][2]
            row = _cost_row((day, provider, model), one, own, theirs, cover)
            if row is not None:
                yield row


def _cost_row(
    key: _Key,
    group: Sequence[_Key],
    own: Mapping[_Key, _Ours],
    theirs: Mapping[_Key, _Theirs],
    cover: Covered | None,
) -> Row | None:
    mine = [own.get(one, _NONE_OURS) for one in group]
    before = [own.get((day - _DAY, provider, model), _NONE_OURS) for day, provider, model in group]
    other = [theirs.get(one, _NONE_THEIRS) for one in group]
    calls, unpriced = sum(one.calls for one in mine), sum(one.unpriced for one in mine)
    stated = [one.cost for one in other if one.cost is not None]
    if not calls and not stated:
        return None
    priced = [one.cost for one in mine if one.cost is not None]
    ours = sum(priced) if priced or not calls else None
    seen = None if cover is None or (not stated and not _says_zero(other)) else sum(stated)
    unsure = sum(one.cost_unsure + one.cost_across for one in mine) + sum(one.cost_across for one in before)
    error = None if ours is None else _error(ours, unsure, unpriced, calls - unpriced)
    # Each line of theirs and each call of ours was rounded to a nano-dollar once.
    rounding = calls + sum(one.lines for one in other)
    return _row(key, "cost", ours, seen, error, rounding, cover, calls, other[0] if len(other) == 1 else _NONE_THEIRS)


def _says_zero(theirs: Iterable[_Theirs]) -> bool:
    """Whether silence about a cost means that there was none: not where it is stated in another currency."""
    return not any(one.counts and one.cost is None for one in theirs)


def _error(total: int, unsure: int, unknown_calls: int, known_calls: int) -> int | None:
    """How far our number may be off; None where there are calls of which nothing is known, and none like them."""
    if not unknown_calls:
        return unsure
    if not known_calls:
        return None
    return unsure + -(-total // known_calls) * unknown_calls


def _row(
    key: _Key,
    compared: Compared,
    ours: int | None,
    theirs: int | None,
    error: int | None,
    rounding: int,
    cover: Covered | None,
    calls: int,
    bill: _Theirs,
) -> Row:
    delta = None if ours is None or theirs is None else theirs - ours
    verdict = _verdict(ours, theirs, error, rounding, complete=cover is not None and cover.complete)
    return Row(
        day=key[0],
        provider=key[1],
        model=key[2],
        compared=compared,
        ours=ours,
        theirs=theirs,
        delta=delta,
        error=error,
        verdict=verdict,
        calls=calls,
        named=bill.named,
        billed=tuple(sorted(bill.billed)),
    )


def _verdict(ours: int | None, theirs: int | None, error: int | None, rounding: int, *, complete: bool) -> Verdict:
    if theirs is None:
        return "no_export"
    if ours is None:
        return "unpriced"
    delta = theirs - ours
    if abs(delta) <= rounding:
        return "matches"
    if error is None or abs(delta) <= error + rounding:
        return "within_error"
    if delta > 0:
        return "bypass_suspected"
    return "overcounted" if complete else "incomplete"


def _totals(rows: Sequence[Row]) -> Iterator[Total]:
    grouped: dict[tuple[str, Compared], list[Row]] = defaultdict(list)
    for row in rows:
        if row.delta is not None:
            grouped[row.provider, row.compared].append(row)
    for (provider, compared), group in sorted(grouped.items()):
        ours, theirs = sum(row.ours or 0 for row in group), sum(row.theirs or 0 for row in group)
        errors = [row.error for row in group]
        error = None if None in errors else sum(one for one in errors if one is not None)
        yield Total(provider, compared, ours, theirs, theirs - ours, error)
