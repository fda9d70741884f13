"""Owns what was saved: by prompt caches, by cheaper routes and by refusals, with what each number rests on."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from control_plane.keyring import Keyring
from control_plane.lake.calls import over_calls
from control_plane.reconciliation.names import CATALOGS
from control_plane.reconciliation.ours import DAY_S, start_s
from pricing.catalog import Catalog, Price
from pricing.money import AttoUSD, round_attousd
from pricing.rates import BUCKETS

# Refusals that stopped a call which would have been sent; others (an unknown key, a broken request) saved nothing.
CODES = ("budget_exceeded", "rate_limited", "kill_switch", "unbounded_cost", "unpriced_model", "scope_values_exceeded")
ASSUMPTIONS = (
    "Caching: tokens read from a cache at the price of input, less what they cost; what writing to caches cost above"
    " the price of input is taken off. List prices under the organization's overrides, at the standard tier and for"
    " short inputs.",
    "Routing: what was used at the price of the model that was asked for, less the same at the price of the one that"
    " answered, where both have a price and are not the same model.",
    "Blocks: each refused call at the average cost of the calls for the same model that were let through at the time;"
    " unknown where there were none. A caller may have asked again, and then nothing was saved.",
)
_FOLDER = Path(__file__).parent / "sql"
_USED = (
    (_FOLDER / "savings.sql")
    .read_text()
    .format(buckets=", ".join(f"CAST(coalesce(sum({bucket}), 0) AS BIGINT) AS {bucket}" for bucket in BUCKETS))
)
_BLOCKED = (_FOLDER / "blocked.sql").read_text()
_PLACE = {bucket: place for place, bucket in enumerate(BUCKETS)}
_WRITES = tuple(bucket for bucket in BUCKETS if bucket.startswith("cache_write"))
_READS = tuple(bucket for bucket in BUCKETS if bucket.startswith("cache_read"))


class Used(msgspec.Struct, frozen=True):
    """What calls alike used; `buckets` in the order of pricing's."""

    provider: str
    upstream: str
    model_requested: str
    model: str
    calls: int
    cost_nanousd: int
    priced_calls: int
    buckets: tuple[int, ...]


class Blocked(msgspec.Struct, frozen=True):
    refusal_code: str
    provider: str
    model_requested: str
    calls: int


class Caching(msgspec.Struct, frozen=True):
    provider: str
    model: str
    read_tokens: int
    written_tokens: int
    saved_nanousd: int | None


class Routing(msgspec.Struct, frozen=True):
    provider: str
    model_requested: str
    model: str
    calls: int
    saved_nanousd: int | None


class Refusals(msgspec.Struct, frozen=True):
    blocked: Blocked
    average_nanousd: int | None

    @property
    def saved_nanousd(self) -> int | None:
        return None if self.average_nanousd is None else self.average_nanousd * self.blocked.calls


def history(
    lake: str, org_id: str, from_day: date, to_day: date, *, keyring: Keyring | None = None
) -> tuple[Sequence[Used], Sequence[Blocked]]:
    """Both days included; the ring as in over_calls. Raises Unanswered."""
    with over_calls(lake, org_id, start_s(from_day), start_s(to_day) + DAY_S, keyring=keyring) as connection:
        connection.execute("SET VARIABLE codes = $1", [list(CODES)])
        used = [_used(row) for row in connection.execute(_USED).fetchall()]
        return used, [Blocked(*row) for row in connection.execute(_BLOCKED).fetchall()]


def caching(used: Iterable[Used], catalog: Catalog, at_s: int) -> Sequence[Caching]:
    """By provider and model, where anything was read from or written to a cache."""
    found: list[Caching] = []
    for one in used:
        read, written = _count(one, _READS), _count(one, _WRITES)
        if read or written:
            saved = _cached(one, _price(catalog, one, one.model, at_s))
            found.append(Caching(one.provider, one.model, read, written, saved))
    return _summed(found)


def routing(used: Iterable[Used], catalog: Catalog, at_s: int) -> Sequence[Routing]:
    """By what was asked for and what answered, where these are different models."""
    found: list[Routing] = []
    for one in used:
        asked, answered = (_price(catalog, one, name, at_s) for name in (one.model_requested, one.model))
        if one.model_requested == one.model or (asked and answered and asked.model == answered.model):
            continue
        before, after = _whole(one, asked), _whole(one, answered)
        saved = None if before is None or after is None else round_attousd(before - after)
        found.append(Routing(one.provider, one.model_requested, one.model, one.calls, saved))
    return found


def refusals(blocked: Iterable[Blocked], used: Iterable[Used]) -> Sequence[Refusals]:
    """Each with the average cost of its like, in nano-USD."""
    costs: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in used:
        sums = costs[one.provider, one.model_requested]
        sums[0], sums[1] = sums[0] + one.cost_nanousd, sums[1] + one.priced_calls
    found: list[Refusals] = []
    for one in blocked:
        cost, calls = costs.get((one.provider, one.model_requested), (0, 0))
        found.append(Refusals(one, cost // calls if calls else None))
    return found


def _used(row: Sequence[Any]) -> Used:
    return Used(*row[:7], buckets=tuple(row[7:]))


def _price(catalog: Catalog, used: Used, model: str, at_s: int) -> Price | None:
    found = catalog.find(CATALOGS.get(used.provider, used.provider), model, at_s, scope=used.upstream)
    return found if isinstance(found, Price) else None


def _count(used: Used, buckets: Iterable[str]) -> int:
    return sum(used.buckets[_PLACE[bucket]] for bucket in buckets)


def _cached(used: Used, price: Price | None) -> int | None:
    """What caches saved of it; None where a rate is missing."""
    if price is None:
        return None
    saved: AttoUSD = 0
    for bucket in (*_READS, *_WRITES):
        count = used.buckets[_PLACE[bucket]]
        plain = bucket.replace("cache_read_", "input_") if bucket in _READS else "input_text"
        rate, full = price.rates[_PLACE[bucket]], price.rates[_PLACE[plain]]
        if count and (rate is None or full is None):
            return None
        saved += count * ((full or 0) - (rate or 0)) if count else 0
    return round_attousd(saved)


def _whole(used: Used, price: Price | None) -> AttoUSD | None:
    """What it costs at a price, in atto-USD; None where a rate is missing."""
    if price is None:
        return None
    total: AttoUSD = used.calls * price.per_call_attousd
    for count, rate in zip(used.buckets, price.rates, strict=True):
        if count and rate is None:
            return None
        total += count * (rate or 0)
    return total


def _summed(found: Iterable[Caching]) -> Sequence[Caching]:
    """One for each provider and model, whatever was asked for."""
    by_model: Mapping[tuple[str, str], list[Caching]] = defaultdict(list)
    for one in found:
        by_model[one.provider, one.model].append(one)
    return [
        Caching(
            provider,
            model,
            sum(one.read_tokens for one in group),
            sum(one.written_tokens for one in group),
            _sum_or_none([one.saved_nanousd for one in group]),
        )
        for (provider, model), group in sorted(by_model.items())
    ]


def _sum_or_none(amounts: Sequence[int | None]) -> int | None:
    return None if None in amounts else sum(one for one in amounts if one is not None)
