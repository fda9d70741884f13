"""Owns what callers are told about budgets: the refusal for each way in which one stands in a call's way. Pure.

Money that is spent is 402, for that is retried by no SDK; a throughput limit that soon has room again is 429 with the
seconds to wait. Either names the quota, what is left of it and when it is full again. A stream that either ends is told
so in the same words.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from gateway.contract.policy import Quota
from gateway.faults import QuotaHit, Refusal, rfc3339
from pricing.money import usd

# Clients wait at most this long by themselves: anthropic-python would sleep through any `retry-after`.
RETRY_AFTER_S_MAX = 60
# A call at a time ends at any moment.
CONCURRENT_RETRY_AFTER_S = 1

# One of each, and several.
_UNITS: Mapping[str, tuple[str, str]] = {
    "tokens_in": ("input token", "input tokens"),
    "tokens_out": ("output token", "output tokens"),
    "tokens": ("token", "tokens"),
    "requests": ("request", "requests"),
    "concurrent": ("call at a time", "calls at a time"),
}


class Counted(NamedTuple):
    """One counter of a quota as a call met it."""

    quota: Quota
    scope: Mapping[str, str] = {}  # dimension -> value; those of "*" as they were counted
    limit: int | None = None  # in force now, an override included
    resets_at_s: int | None = None  # None: never
    remaining: int | None = None  # what is left by what is known here, where nothing else says it


def counted_in(unit: str, amount: int) -> str:
    """`1 request`, `1,000 tokens`: of any unit but money."""
    return f"{amount:,} {_UNITS[unit][amount != 1]}"


def too_little(counted: Counted, *, wanted: int, remaining: int, now_s: int, ceiling: bool = False) -> Refusal:
    """The call needs more than is left. `wanted` and `remaining` are in the quota's unit; `ceiling`: what is wanted is
    one, for the call's own cost is not known.
    """
    if counted.quota.unit == "usd":
        return _spent("budget_exceeded", counted, wanted, remaining, ceiling=ceiling)
    wait_s = _wait_s(counted, wanted, now_s)
    if counted.quota.unit == "concurrent":
        busy = (counted.limit or 0) - remaining
        limit, verb = _amount(counted, counted.limit), "is" if busy == 1 else "are"
        says = f"The limit {_of(counted)} allows {limit}, and {busy:,} {verb} under way"
        return _throttled(says, counted, wanted, remaining, wait_s)
    return _throttled(_lacks(counted, f"the call needs {wanted:,}", remaining), counted, wanted, remaining, wait_s)


def ran_out(counted: Counted, *, wanted: int, remaining: int) -> Refusal:
    """A stream needs more than is left: it ends here."""
    if counted.quota.unit == "usd":
        return _spent("budget_exhausted_midstream", counted, wanted, remaining)
    return _throttled(
        _lacks(counted, f"the stream needs another {wanted:,}", remaining), counted, wanted, remaining, None
    )


def unbounded(counted: Counted, reason: str) -> Refusal:
    """Nothing bounds what the call costs or uses; `reason` says what: "the body names no output limit"."""
    if counted.quota.unit == "usd":
        message = (
            f"The cost of this call has no bound ({reason}), and the budget {_of(counted)} blocks: bound it, or have a"
            " ceiling_usd set for that quota in the gateway's policy"
        )
    else:  # only money has a ceiling
        message = f"What this call uses has no bound ({reason}), and the limit {_of(counted)} blocks: bound it"
    return _refusal("unbounded_cost", counted, message)


def unpriced(counted: Counted, reason: str) -> Refusal:
    """The call's price is not known; `reason` says what has none, and where one is stated."""
    message = (
        f"What this call costs is not known ({reason}), and the budget {_of(counted)} blocks: use a model with a list"
        " price, or have one stated in [[price_overrides]], or a ceiling_usd for that quota, in the gateway's policy"
    )
    return _refusal("unpriced_model", counted, message)


def too_many_values(counted: Counted) -> Refusal:
    """The call would need a further counter of a scope with "*", and there are `values_max` of them."""
    message = (
        f"The quota {_of(counted)} counts {counted.quota.values_max} values in this window already: use one of those,"
        " or have values_max raised in the gateway's policy"
    )
    return _refusal("scope_values_exceeded", counted, message)


def unreachable(counted: Counted) -> Refusal:
    message = f"The ledger of the quota {_of(counted)} cannot be asked: try again"
    return replace(_refusal("ledger_unavailable", counted, message), retry_after_s=CONCURRENT_RETRY_AFTER_S)


def _spent(code: str, counted: Counted, wanted: int, remaining: int, *, ceiling: bool = False) -> Refusal:
    needs, advice = "the call may cost up to", "Ask for less output, or have the budget raised"
    if code == "budget_exhausted_midstream":
        needs = "the stream needs another"
    elif ceiling:
        needs = "the call, whose cost has no bound or no price, would hold the ceiling_usd of"
        advice = "Less output would not change that: send what has a bound and a price, or have the budget raised"
    message = (
        f"The budget {_of(counted)} has {_amount(counted, remaining)} left of {_amount(counted, counted.limit)}, and"
        f" {needs} {_amount(counted, wanted)}{_until(counted)}. {advice}"
    )
    return replace(_refusal(code, counted, message, wanted, remaining), as_429=counted.quota.answers_429)


def _lacks(counted: Counted, needs: str, remaining: int) -> str:
    left = f"has {remaining:,} left of {_amount(counted, counted.limit)}"
    return f"The limit {_of(counted)} {left}, and {needs}{_until(counted)}"


def _throttled(says: str, counted: Counted, wanted: int, remaining: int, wait_s: int | None) -> Refusal:
    refusal = _refusal("rate_limited", counted, says, wanted, remaining)
    return replace(refusal, retry_after_s=wait_s, retry=wait_s is not None)


def _wait_s(counted: Counted, wanted: int, now_s: int) -> int | None:
    """After how many seconds a retry may pass; None where waiting does not help, or not soon."""
    if counted.limit is not None and wanted > counted.limit:
        return None
    if counted.quota.unit == "concurrent":
        return CONCURRENT_RETRY_AFTER_S
    if counted.resets_at_s is None or counted.resets_at_s - now_s > RETRY_AFTER_S_MAX:
        return None
    return max(counted.resets_at_s - now_s, 1)


def _refusal(
    code: str, counted: Counted, message: str, wanted: int | None = None, remaining: int | None = None
) -> Refusal:
    """The refusal, and its words for the record: those without the values of the scope, which may name people."""
    quota, remaining = counted.quota, counted.remaining if remaining is None else remaining
    hit = QuotaHit(
        quota.id, quota.unit, quota.window, counted.scope, counted.limit, wanted, remaining, counted.resets_at_s
    )
    return Refusal(code, message, hit=hit, reason=message.replace(_of(counted), _of(counted._replace(scope={}))))


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
        return counted_in(counted.quota.unit, amount)
    whole, _, fraction = f"{usd(amount):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')} USD"
