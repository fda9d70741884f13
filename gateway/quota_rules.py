"""Owns what quotas, their overrides and kill switches must satisfy before they are served, whoever wrote them.

Limits are bounded because a ledger's store may count in doubles: beyond 2**53 an amount is no longer exact.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.contract.policy import Dimension, KillSwitch, Policy, Quota, QuotaOverride
from gateway.problems import Fields, Problem, missing, name_faults
from gateway.providers import PROVIDERS

# What a double holds exactly; in nano-USD about nine million dollars, for each counter.
LIMIT_MAX = 2**53
LIMIT_USD_MAX = LIMIT_MAX // 10**9
# A budget that only alerts may be overrun; ten times over, one more alert says nothing.
THRESHOLD_PERCENT_MAX = 1000
# A counter is some 300 bytes in memory and one line in the list of budgets.
VALUES_MAX_MAX = 1_000_000
# What a request may say of itself has up to 128 characters (identify.py); models' names are longer.
_VALUE = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
# Callers are told it in one line.
_REASON = re.compile(r"[^\x00-\x1f\x7f]{0,500}")

EACH = "*"  # in a scope: a counter of its own for each value


class _Known(NamedTuple):
    """A table, and the values it has: what a scope may name in a dimension."""

    table: str
    values: frozenset[str]


_Names = dict[Dimension, _Known]
_PROVIDERS: _Names = {"provider": _Known("the table of providers", frozenset(PROVIDERS))}


def problems(policy: Policy) -> Iterator[Problem]:
    """Every reason not to serve the policy's quotas, overrides and kill switches."""
    names = _names(policy)
    units = {quota.id: quota.unit for quota in policy.quotas}
    rows: tuple[tuple[str, str, Iterable[tuple[str, Fields]]], ...] = (
        ("quotas", "id", ((quota.id, _quota(quota, names)) for quota in policy.quotas)),
        ("quota_overrides", "quota_id", ((row.quota_id, _override(row, units)) for row in policy.quota_overrides)),
        ("kill_switches", "id", ((switch.id, _switch(switch, names)) for switch in policy.kill_switches)),
    )
    for table, id_field, found in rows:
        seen: set[str] = set()
        for index, (id, fields) in enumerate(found):
            for field, message in fields:
                yield (table, index, field), message
            if id in seen:
                yield (table, index, id_field), f"another row of {table} has the same; keep one"
            seen.add(id)


def changed_units(before: Iterable[Quota], after: Iterable[Quota]) -> Iterator[Problem]:
    """Quotas that go on under their id with another unit: their counters would, and hold amounts of the one before."""
    units = {quota.id: quota.unit for quota in before}
    for index, quota in enumerate(after):
        if (unit := units.get(quota.id, quota.unit)) != quota.unit:
            yield (
                ("quotas", index, "unit"),
                f"was {unit} until now, as what is counted under this id; write another id",
            )


def faults_alone(row: Quota | QuotaOverride | KillSwitch) -> Fields:
    """What is wrong with a row, whomever its scope names: one that names nobody touches nobody."""
    match row:
        case Quota():
            yield from _quota(row, _PROVIDERS)
        case QuotaOverride():
            yield from _override(row, {row.quota_id: ""})
        case KillSwitch():
            yield from _switch(row, _PROVIDERS)


def _names(policy: Policy) -> _Names:
    tables: tuple[tuple[Dimension, str, Iterable[str]], ...] = (
        ("org", "the org_id of projects", (project.org_id for project in policy.projects)),
        ("project", "projects", (project.id for project in policy.projects)),
        ("key", "keys", (id for key in policy.keys for id in (key.id, *key.replaces))),
        ("provider", "the table of providers", PROVIDERS),
        ("upstream", "upstreams", (upstream.name for upstream in policy.upstreams)),
    )
    return {dimension: _Known(table, frozenset(values)) for dimension, table, values in tables}


def _quota(quota: Quota, names: _Names) -> Fields:
    yield from name_faults("id", quota.id)
    if quota.limit is not None:
        yield from _limit("limit", quota.limit)
    if quota.unit == "concurrent" and quota.window != "total":
        yield "window", f'calls at a time have no {quota.window}; write "total", or remove it'
    if quota.ceiling is not None:
        yield from _ceiling(quota, quota.ceiling)
    thresholds = (0, *quota.thresholds, THRESHOLD_PERCENT_MAX + 1)
    if any(low >= high for low, high in itertools.pairwise(thresholds)):
        yield "thresholds", f"must rise from 1 to at most {THRESHOLD_PERCENT_MAX} per cent, such as [50, 80, 100]"
    if not 1 <= quota.values_max <= VALUES_MAX_MAX:
        yield "values_max", f"{quota.values_max} is out of bounds; use 1 to {VALUES_MAX_MAX}"
    if not _is_time_zone(quota.time_zone):
        yield "time_zone", f"there is no {quota.time_zone!r}; use a name of the IANA list, such as Europe/Berlin or UTC"
    yield from _scope(quota.scope, names)


def _limit(field: str, limit: int) -> Fields:
    if limit < 0:
        yield field, "is negative; use 0 to refuse every call, or more"
    elif limit > LIMIT_MAX:
        yield field, f"is over {LIMIT_MAX} ({LIMIT_USD_MAX} USD), the most that is counted exactly; lower it"


def _ceiling(quota: Quota, ceiling: int) -> Fields:
    if quota.unit != "usd":
        yield "ceiling", f"is the price of a call whose cost has no bound; a quota of {quota.unit} has none: remove it"
    elif ceiling < 1:
        yield "ceiling", "would hold nothing for a call whose cost has no bound; use more, or remove it to refuse those"
    else:
        yield from _limit("ceiling", ceiling)


def _override(override: QuotaOverride, units: dict[str, str]) -> Fields:
    if override.quota_id not in units:
        yield "quota_id", missing("quotas", override.quota_id, units)
    if override.limit is not None:
        yield from _limit("limit", override.limit)


def _switch(switch: KillSwitch, names: _Names) -> Fields:
    yield from name_faults("id", switch.id)
    if not _REASON.fullmatch(switch.reason):
        yield "reason", "is longer than 500 characters or holds control characters; callers are told it: shorten it"
    for name in switch.allow:
        if not _VALUE.fullmatch(name):
            yield "allow", f"{name!r} is no endpoint's name; correct it"
    if EACH in switch.scope.values():
        yield "scope", '"*" has no meaning here; leave the dimension out to end the calls of all its values'
    else:
        yield from _scope(switch.scope, names)


def _scope(scope: dict[Dimension, str], names: _Names) -> Fields:
    for dimension, value in scope.items():
        known = names.get(dimension)
        if not _VALUE.fullmatch(value):
            yield "scope", f"{dimension} is empty, or no text of up to 256 characters; name one"
        elif known and value != EACH and value not in known.values:
            yield "scope", f"{dimension}: {missing(known.table, value, known.values)}"


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, or a folder of names
        return False
    return True
