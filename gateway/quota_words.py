"""Owns what callers are told about budgets: the refusal for each way in which one stands in a call's way. Pure.

Money that is spent is 402, for that is retried by no SDK; a throughput limit that soon has room again is 429 with the
seconds to wait. Either names the quota, what is left of it and when it is full again. A stream that either ends is told
so in the same words.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.contract.policy import Quota
from gateway.faults import QuotaHit, Refusal, rfc3339
from pricing.money import usd

# Clients wait at most this long by themselves: anthropic-python would sleep through any `retry-after`.
RETRY_AFTER_S_MAX = 60
# A call at a time ends at any moment.
CONCURRENT_RETRY_AFTER_S = 1

_UNITS = {
    "tokens_in": "input tokens",
    "tokens_out": "output tokens",
    "tokens": "tokens",
    "requests": "requests",
    "concurrent": "calls at a time",
}


class Counted(NamedTuple):
    """One counter of a quota as a call met it."""

    quota: Quota
    scope: Mapping[str, str] = {}  # dimension -> value; those of "*" as they were counted
    limit: int | None = None  # in force now, an override included
    resets_at_s: int | None = None  # None: never


def too_little(counted: Counted, *, wanted: int, remaining: int, now_s: int) -> Refusal:
    """The call needs more than is left. `wanted` and `remaining` are in the quota's unit."""
    if counted.quota.unit == "usd":
        return _spent("budget_exceeded", counted, wanted, remaining)
    wait_s = _wait_s(counted, wanted, now_s)
    return _throttled(f"the call needs {_amount(counted, wanted)}", counted, wanted, remaining, wait_s)


def ran_out(counted: Counted, *, wanted: int, remaining: int) -> Refusal:
    """A stream needs more than is left: it ends here."""
    if counted.quota.unit == "usd":
        return _spent("budget_exhausted_midstream", counted, wanted, remaining)
    return _throttled(f"the stream needs another {_amount(counted, wanted)}", counted, wanted, remaining, None)


def unbounded(counted: Counted, reason: str) -> Refusal:
    """Nothing bounds the call's cost; `reason` says what: "the body names no output limit"."""
    message = (
        f"The cost of this call has no bound ({reason}), and the budget {_of(counted)} blocks: bound it, or have a"
        " ceiling_usd set for that quota in the gateway's policy"
    )
    return Refusal("unbounded_cost", message, hit=_hit(counted))


def unpriced(counted: Counted, model: str) -> Refusal:
    message = (
        f"The model {model!r} has no price, and the budget {_of(counted)} blocks: use a model with a list price, or"
        " have one set in [[price_overrides]], or a ceiling_usd for that quota, in the gateway's policy"
    )
    return Refusal("unpriced_model", message, hit=_hit(counted))


def too_many_values(counted: Counted) -> Refusal:
    """The call would need a further counter of a scope with "*", and there are `values_max` of them."""
    message = (
        f"The quota {_of(counted)} counts {counted.quota.values_max} values in this window already: use one of those,"
        " or have values_max raised in the gateway's policy"
    )
    return Refusal("scope_values_exceeded", message, hit=_hit(counted))


def unreachable(counted: Counted) -> Refusal:
    message = f"The ledger of the quota {_of(counted)} cannot be asked: try again"
    return Refusal("ledger_unavailable", message, CONCURRENT_RETRY_AFTER_S, _hit(counted))


def _spent(code: str, counted: Counted, wanted: int, remaining: int) -> Refusal:
    ended = code == "budget_exhausted_midstream"
    needs = "the stream needs another" if ended else "the call may cost up to"
    message = (
        f"The budget {_of(counted)} has {_amount(counted, remaining)} left of {_amount(counted, counted.limit)}, and"
        f" {needs} {_amount(counted, wanted)}{_until(counted)}. Ask for less output, or have the budget raised"
    )
    return Refusal(code, message, hit=_hit(counted, wanted, remaining), as_429=counted.quota.answers_429)


def _throttled(needs: str, counted: Counted, wanted: int, remaining: int, wait_s: int | None) -> Refusal:
    message = (
        f"The limit {_of(counted)} has {_amount(counted, remaining)} left of {_amount(counted, counted.limit)},"
        f" and {needs}{_until(counted)}"
    )
    return Refusal("rate_limited", message, wait_s, _hit(counted, wanted, remaining), retry=wait_s is not None)


def _wait_s(counted: Counted, wanted: int, now_s: int) -> int | None:
    """After how many seconds a retry may pass; None where waiting does not help, or not soon."""
    if counted.limit is not None and wanted > counted.limit:
        return None
    if counted.quota.unit == "concurrent":
        return CONCURRENT_RETRY_AFTER_S
    if counted.resets_at_s is None or counted.resets_at_s - now_s > RETRY_AFTER_S_MAX:
        return None
    return max(counted.resets_at_s - now_s, 1)


def _hit(counted: Counted, wanted: int | None = None, remaining: int | None = None) -> QuotaHit:
    quota = counted.quota
    return QuotaHit(
        quota.id, quota.unit, quota.window, counted.scope, counted.limit, wanted, remaining, counted.resets_at_s
    )


def _of(counted: Counted) -> str:
    """`'users' (usd a day, user=zoe)`."""
    window = "in all" if counted.quota.window == "total" else f"a {counted.quota.window}"
    scope = "".join(f", {name}={value}" for name, value in counted.scope.items())
    what = "concurrent" if counted.quota.unit == "concurrent" else f"{counted.quota.unit} {window}"
    return f"{counted.quota.id!r} ({what}{scope})"


def _until(counted: Counted) -> str:
    return "" if counted.resets_at_s is None else f"; it is full again at {rfc3339(counted.resets_at_s)}"


def _amount(counted: Counted, amount: int | None) -> str:
    if amount is None:
        return "no limit"
    if counted.quota.unit != "usd":
        return f"{amount} {_UNITS[counted.quota.unit]}"
    whole, _, fraction = f"{usd(amount):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')} USD"
