from gateway.contract.policy import Policy, Quota, QuotaOverride
from gateway.faults import QuotaHit, Refusal
from gateway.ledger.base import Balance, Crossed
from gateway.quota_numbers import QuotaNumbers

NOW_S = 1_800_000_000
POLICY = Policy(
    quotas=(
        Quota("month", "usd", 25 * 10**9),
        Quota("each", "requests", 5, window="total", scope={"user": "*"}),
        Quota("calls", "concurrent", 3, window="total"),
        Quota("open", "tokens", None, window="total"),
    ),
    quota_overrides=(QuotaOverride("each", NOW_S + 60, 50),),
)
COUNTERS = {
    "month@2027-01": Balance(5 * 10**8, 10**9, 2 * 10**9),
    "month@2026-12": Balance(24 * 10**9),
    "each@total|user=ann": Balance(2),
    "each@total|user=bob": Balance(4, 1),
    "calls@now": Balance(0, 2),
}


def shown(numbers: QuotaNumbers, name: str) -> object:
    return numbers.probes(lambda: POLICY, lambda: COUNTERS, lambda: NOW_S)[f"lensai_quota_{name}"]()


def test_where_quotas_stand_is_told_in_their_units():
    numbers = QuotaNumbers()

    assert shown(numbers, "limit") == {("month", "usd"): 25.0, ("each", "requests"): 50, ("calls", "concurrent"): 3}
    assert shown(numbers, "settled") == {
        ("month", "usd"): 0.5,
        ("each", "requests"): 4,
        ("calls", "concurrent"): 0,
        ("open", "tokens"): 0,
    }
    assert shown(numbers, "held") == {
        ("month", "usd"): 1.0,
        ("each", "requests"): 1,
        ("calls", "concurrent"): 2,
        ("open", "tokens"): 0,
    }
    assert shown(numbers, "leased") == {("month", "usd"): 2.0}


def test_what_happened_is_counted_from_the_start():
    numbers = QuotaNumbers()
    numbers.denied(Refusal("budget_exceeded", "no", hit=QuotaHit("month", "usd", "month")))
    numbers.denied(Refusal("key_scope", "another matter"))
    numbers.told(Crossed("each@total|user=ann", 80, 4, 5))
    numbers.let_through("month", "over_alert")
    numbers.let_through("month", "over_alert")

    assert shown(numbers, "denials_total") == {("month", "budget_exceeded"): 1}
    assert shown(numbers, "thresholds_total") == {("each", "80"): 1}
    assert shown(numbers, "soft_failures_total") == {("month", "over_alert"): 2}


def test_counters_that_cannot_be_told_in_time_are_left_out_and_the_rest_is_told():
    def too_late() -> dict[str, Balance]:
        raise TimeoutError

    probes = QuotaNumbers().probes(lambda: POLICY, too_late, lambda: NOW_S)
    assert probes["lensai_quota_settled"]() is None
    assert probes["lensai_quota_limit"]()
    assert QuotaNumbers().probes(Policy, too_late, lambda: NOW_S)["lensai_quota_settled"]() == {}
