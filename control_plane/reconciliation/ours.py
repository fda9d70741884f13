"""Owns what the gateways counted, by UTC day, provider and model: one SQL over the lake's calls."""

# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec

from control_plane.keyring import Keyring
from control_plane.lake.calls import over_calls
from control_plane.reconciliation.lines import Measure

EPOCH = date(1970, 1, 1)
DAY_S = 86_400
ONE_DAY = timedelta(days=1)
TOKEN_MEASURES: tuple[Measure, ...] = ("input", "cache_read", "cache_write", "output", "web_searches")

_SQL = (Path(__file__).parent / "sql" / "daily_usage.sql").read_text()


class Count(msgspec.Struct, frozen=True, gc=False):
    """A sum; how much of it is no word of the provider's, and how much may be counted on the next day."""

    total: int = 0
    unsure: int = 0
    across: int = 0


class Day(msgspec.Struct, frozen=True):
    """What went through the gateways to one model on one UTC day. `cost_nanousd` None: none of it has a price."""

    day: date
    provider: str
    model: str
    calls: int
    silent_calls: int  # sent, and nobody knows what they used
    unpriced_calls: int
    counts: Mapping[Measure, Count]
    cost_nanousd: int | None
    cost_unsure: int = 0
    cost_across: int = 0


def days(
    lake: str,
    org_id: str,
    from_day: date,
    to_day: date,
    project_id: str | None = None,
    *,
    keyring: Keyring | None = None,
) -> Sequence[Day]:
    """Both days included; the ring as in over_calls. Raises Unanswered."""
    from_s, to_s = start_s(from_day), start_s(to_day) + DAY_S
    with over_calls(lake, org_id, from_s, to_s, project_id, keyring=keyring) as connection:
        found = connection.execute(_SQL)
        names = [column[0] for column in found.description or ()]
        return [_day(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def start_s(day: date) -> int:
    """A UTC day's first second."""
    return (day - EPOCH).days * DAY_S


def _day(row: Mapping[str, object]) -> Day:
    def number(name: str) -> int:
        value = row[name]
        assert isinstance(value, int)
        return value

    counts: dict[Measure, Count] = {
        measure: Count(number(measure), number(f"{measure}_unsure"), number(f"{measure}_across"))
        for measure in TOKEN_MEASURES
    }
    counts["requests"] = Count(number("calls"), number("unsure_calls"), number("across_calls"))
    return Day(
        day=EPOCH + timedelta(days=number("day")),
        provider=str(row["provider"] or ""),
        model=str(row["model"] or ""),
        calls=number("calls"),
        silent_calls=number("silent_calls"),
        unpriced_calls=number("unpriced_calls"),
        counts=counts,
        cost_nanousd=None if row["cost"] is None else number("cost"),
        cost_unsure=number("cost_unsure"),
        cost_across=number("cost_across"),
    )
