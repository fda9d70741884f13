"""Owns rows of sums as the API shows them. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from control_plane.analytics.schema import Change, Totals
from control_plane.api.money import usd
from control_plane.lake.query import Row

_COUNTED = ("calls", "ok", "refused", "left_early", "priced_calls", "unpriced_calls")
_KNOWN_OR_NOT = ("tokens_in", "tokens_out", "cache_read_tokens", "unmetered_calls", "cost_usd")


def nanousd(amount_usd: Decimal | None) -> int:
    """Of a sum, exactly; 0 where there is none."""
    return 0 if amount_usd is None else int(amount_usd.scaleb(9))


def totals(row: Row) -> Totals:
    """The sums of a row. A cost is unknown only where there were calls and none of them has one."""
    calls, refused = row["calls"] or 0, row["refused"] or 0
    known = row["priced_calls"] > 0 or row["unpriced_calls"] == 0
    return Totals(
        calls=calls,
        ok=row["ok"],
        refused=refused,
        errors=calls - row["ok"] - refused - row["left_early"],
        left=row["left_early"],
        cost_usd=usd(nanousd(row["cost_usd"])) if known else None,
        tokens_in=_tokens(row, "tokens_in"),
        tokens_out=_tokens(row, "tokens_out"),
        cache_read_tokens=_tokens(row, "cache_read_tokens"),
        unpriced_calls=row["unpriced_calls"],
        unmetered_calls=row.get("unmetered_calls"),
    )


def added(rows: Sequence[Row]) -> Row:
    """The sums of several rows."""
    return {
        **{name: sum(row[name] for row in rows) for name in _COUNTED},
        **{name: _sum(rows, name) for name in _KNOWN_OR_NOT},
    }


def less(whole: Row, parts: Sequence[Row]) -> Row:
    """What is left of a row without some of its parts."""
    part = added(parts)
    rest: Row = {name: (whole[name] or 0) - part[name] for name in _COUNTED}
    for name in _KNOWN_OR_NOT:
        of_whole, of_part = whole.get(name), part[name]
        rest[name] = None if of_whole is None else of_whole - (of_part or 0)
    return rest


NOTHING: Row = dict.fromkeys(_COUNTED, 0) | dict.fromkeys(_KNOWN_OR_NOT) | {"unmetered_calls": 0}


def change(now: Row, before: Row) -> Change:
    cost, cost_before = nanousd(now["cost_usd"]), nanousd(before["cost_usd"])
    return Change(
        calls=(now["calls"] or 0) - (before["calls"] or 0),
        cost_usd=usd(cost - cost_before),
        calls_share=share((now["calls"] or 0) - (before["calls"] or 0), before["calls"] or 0),
        cost_share=share(cost - cost_before, cost_before),
    )


def share(part: int, whole: int) -> float | None:
    """Of the whole; None where that is nothing."""
    return part / whole if whole else None


def _tokens(row: Row, name: str) -> int | None:
    """Nothing was used where nothing was called; else what is not known of any call is unknown."""
    if row.get(name) is None and name in row and (row.get("unmetered_calls") == 0 or row["calls"] == row["refused"]):
        return 0
    return row.get(name)


def _sum(rows: Sequence[Row], name: str) -> Any:
    known = [row[name] for row in rows if row.get(name) is not None]
    return sum(known) if known else None
