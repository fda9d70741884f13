"""Owns Proposal: a limit, or a table of prices, that history is held against. Pure."""

from collections.abc import Mapping

import msgspec

from gateway.contract.policy import Dimension, Quota, Unit, Window
from gateway.quota_rules import EACH, faults_alone
from pricing.overrides import Override

VALUES_MAX = 10_000
# So much time is replayed at once: a minute's windows are many.
DAYS_MAX: Mapping[Window, int] = {"minute": 31, "hour": 366, "day": 366, "week": 366, "month": 366, "total": 366}


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` is nano-USD where the unit is usd, else a count; None refuses nothing and shows what was spent.

    `prices` lie over those that hold; with any, costs are computed anew from what calls used.
    """

    unit: Unit
    limit: int | None
    window: Window = "month"
    time_zone: str = "UTC"
    project_id: str | None = None
    scope: Mapping[Dimension, str] = {}
    ceiling: int | None = None
    values_max: int = VALUES_MAX
    prices: tuple[Override, ...] = ()

    @property
    def fixed(self) -> Mapping[Dimension, str]:
        """Dimensions that have one value."""
        return {name: value for name, value in self.scope.items() if value != EACH}

    @property
    def varying(self) -> tuple[Dimension, ...]:
        """Dimensions of which each value is counted apart."""
        return tuple(name for name, value in self.scope.items() if value == EACH)


def faults(proposal: Proposal) -> list[tuple[str, str]]:
    """(field, what it should be) of what a gateway would not obey."""
    found = [(field, message) for field, message in faults_alone(_quota(proposal)) if field != "thresholds"]
    if proposal.unit == "concurrent":
        found.append(("unit", "calls at a time depend on how long each one takes under the limit: not replayed"))
    return found


def _quota(proposal: Proposal) -> Quota:
    window: Window = "total" if proposal.unit == "concurrent" else proposal.window
    return Quota(
        id="proposed",
        unit=proposal.unit,
        limit=proposal.limit,
        window=window,
        scope=dict(proposal.scope),
        time_zone=proposal.time_zone,
        values_max=proposal.values_max,
        ceiling=proposal.ceiling,
    )
