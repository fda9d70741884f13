"""Owns how the state of every quota is told to people and programs: the page /budgets of the admin listener.

Pure: the policy, the counters and the moment go in. Money is decimal USD in a text, everything else a whole number.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import msgspec

from gateway.contract.counter_names import values_in
from gateway.contract.policy import Dimension, Policy, Quota
from gateway.faults import rfc3339
from gateway.ledger.base import Balance
from gateway.ledger.window import NEVER_S, period
from gateway.quota_rules import EACH
from pricing.money import usd

# A page that a person reads, and a second of the listener's thread at the very most.
ROWS_MAX = 10_000
# Calls at a time belong to no period.
CONCURRENT_PERIOD = "now"

Amount = str | int


class BudgetRow(msgspec.Struct, frozen=True):
    """One counter. `limit` None: nothing is refused; `leased` None: nobody else may spend of it."""

    quota: str
    unit: str
    window: str
    action: Literal["block", "alert"]
    period: str
    scope: dict[str, str]  # "*" where no value has been counted yet
    limit: Amount | None
    spent: Amount
    held: Amount
    leased: Amount | None
    resets_at: str | None  # None: never


class BudgetsPage(msgspec.Struct, frozen=True):
    """The counters of the windows of now; `more` were left out."""

    at: str
    counters: list[BudgetRow]
    more: int = 0


def budgets_page(policy: Policy, counters: Mapping[str, Balance], now_s: int) -> bytes:
    """The page as JSON: quotas in the order of the policy, and of each those counters first that have spent most."""
    rows = [row for quota in policy.quotas for row in _rows(quota, limit_now(policy, quota, now_s), counters, now_s)]
    page = BudgetsPage(rfc3339(now_s), rows[:ROWS_MAX], max(len(rows) - ROWS_MAX, 0))
    return msgspec.json.encode(page) + b"\n"


def limit_now(policy: Policy, quota: Quota, now_s: int) -> int | None:
    """The limit in force: the quota's own, or that of an override."""
    for override in policy.quota_overrides:
        if override.quota_id == quota.id and now_s < override.until_s:
            return override.limit
    return quota.limit


def _rows(quota: Quota, limit: int | None, counters: Mapping[str, Balance], now_s: int) -> Iterator[BudgetRow]:
    name, ends_at_s = CONCURRENT_PERIOD, NEVER_S
    if quota.unit != "concurrent":
        now = period(quota.window, quota.time_zone, now_s)
        name, ends_at_s = now.name, now.ends_at_s
    counter = f"{quota.id}@{name}"
    each = [dimension for dimension in get_args(Dimension) if quota.scope.get(dimension) == EACH]
    found = {key: balance for key, balance in counters.items() if key == counter or key.startswith(f"{counter}|")}
    for key, balance in sorted(found.items(), key=_by_spent) or [(counter, Balance())]:
        scope: dict[str, str] = {**quota.scope, **values_in(key, each)}
        yield BudgetRow(
            quota.id,
            quota.unit,
            quota.window,
            quota.action,
            name,
            scope,
            _amount(quota, limit),
            _amount(quota, balance.settled) or 0,
            _amount(quota, balance.held) or 0,
            _amount(quota, balance.leased),
            None if ends_at_s == NEVER_S else rfc3339(ends_at_s),
        )


def _by_spent(item: tuple[str, Balance]) -> tuple[int, str]:
    return -item[1].settled - item[1].held, item[0]


def _amount(quota: Quota, amount: int | None) -> Amount | None:
    return f"{usd(amount):f}" if amount is not None and quota.unit == "usd" else amount
