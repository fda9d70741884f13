"""Owns the numbers that tell how quotas are doing: what they refused, what they let through, and where they stand."""

from collections import Counter
from collections.abc import Callable, Mapping

from gateway.budgets_page import limit_now
from gateway.contract.policy import Policy, Quota
from gateway.faults import QuotaHit, Refusal
from gateway.ledger.base import Balance, Crossed
from gateway.ledger.window import Period, period
from pricing.money import usd

_Labels = tuple[str, ...]
_Numbers = Mapping[_Labels, float]
_NOW = Period("now", 0, 0)


class QuotaNumbers:
    """Counts of one process, from its start."""

    def __init__(self) -> None:
        self.denials: Counter[_Labels] = Counter()
        self.thresholds: Counter[_Labels] = Counter()
        self.soft_failures: Counter[_Labels] = Counter()

    def denied(self, refusal: Refusal) -> None:
        """A quota refused a call, or ended a stream."""
        if isinstance(refusal.hit, QuotaHit):
            self.denials[refusal.hit.quota, refusal.code] += 1

    def told(self, crossed: Crossed) -> None:
        """A threshold was reached."""
        self.thresholds[crossed.counter.partition("@")[0], str(crossed.percent)] += 1

    def let_through(self, quota_id: str, reason: str) -> None:
        """A call passed that a quota could not stop, or does not mean to."""
        self.soft_failures[quota_id, reason] += 1

    def probes(
        self, policy: Callable[[], Policy], counters: Callable[[], Mapping[str, Balance]], now_s: Callable[[], int]
    ) -> dict[str, Callable[[], _Numbers | None]]:
        """By metric. Called from the thread that is scraped: `counters` is safe there, and may raise TimeoutError."""

        def shown(read: Callable[[Quota, Balance], int | None]) -> Callable[[], _Numbers | None]:
            def numbers() -> _Numbers | None:
                now = policy()
                if not now.quotas:
                    return {}
                try:
                    standing = counters()
                except TimeoutError:
                    return None  # what is not known now is not shown, and all else is
                return _shown(now, standing, now_s(), read)

            return numbers

        return {
            "lensai_quota_limit": lambda: _limits(policy(), now_s()),
            "lensai_quota_settled": shown(lambda _, balance: balance.settled),
            "lensai_quota_held": shown(lambda _, balance: balance.held),
            "lensai_quota_leased": shown(lambda _, balance: balance.leased),
            "lensai_quota_denials_total": lambda: dict(self.denials),
            "lensai_quota_thresholds_total": lambda: dict(self.thresholds),
            "lensai_quota_soft_failures_total": lambda: dict(self.soft_failures),
        }


def _limits(policy: Policy, now_s: int) -> _Numbers:
    limits = ((quota, limit_now(policy, quota, now_s)) for quota in policy.quotas)
    return {(quota.id, quota.unit): _amount(quota, limit) for quota, limit in limits if limit is not None}


def _shown(
    policy: Policy, counters: Mapping[str, Balance], now_s: int, read: Callable[[Quota, Balance], int | None]
) -> _Numbers:
    """Of each quota, in the period of now, that counter which has consumed most."""
    most: dict[str, Balance] = {}
    for name, balance in counters.items():
        stem = name.partition("|")[0]
        if stem not in most or balance.settled + balance.held > most[stem].settled + most[stem].held:
            most[stem] = balance
    numbers: dict[_Labels, float] = {}
    for quota in policy.quotas:
        now = _NOW if quota.unit == "concurrent" else period(quota.window, quota.time_zone, now_s)
        number = read(quota, most.get(f"{quota.id}@{now.name}", Balance()))
        if number is not None:
            numbers[quota.id, quota.unit] = _amount(quota, number)
    return numbers


def _amount(quota: Quota, amount: int) -> float:
    return float(usd(amount)) if quota.unit == "usd" else amount
