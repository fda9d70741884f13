import pytest

from gateway.contract.policy import Quota
from gateway.faults import QuotaHit
from gateway.quota_words import (
    Counted,
    counted_in,
    ran_out,
    too_little,
    too_many_values,
    unbounded,
    unpriced,
    unreachable,
)

NOW_S = 1_800_000_000
USD = 10**9
BUDGET = Counted(Quota("web", "usd", 500 * USD, "month"), {"project": "web"}, 500 * USD, NOW_S + 86_400)


def limit(unit: str, limit: int = 10, resets_in_s: int | None = 7) -> Counted:
    quota = Quota("fast", unit, limit, "minute")  # type: ignore[arg-type]
    return Counted(quota, {}, limit, None if resets_in_s is None else NOW_S + resets_in_s)


def test_a_spent_budget_is_402_and_says_what_when_and_how_much():
    refusal = too_little(BUDGET, wanted=310_000_000, remaining=120_000_000, now_s=NOW_S)
    assert (refusal.code, refusal.status, refusal.retryable, refusal.retry_after_s) == (
        "budget_exceeded",
        402,
        False,
        None,
    )
    assert refusal.message == (
        "The budget 'web' (usd a month, project=web) has 0.12 USD left of 500.00 USD, and the call may cost up to"
        " 0.31 USD; it is full again at 2027-01-16T08:00:00Z. Ask for less output, or have the budget raised"
    )
    assert refusal.hit == QuotaHit(
        "web", "usd", "month", {"project": "web"}, 500 * USD, 310_000_000, 120_000_000, NOW_S + 86_400
    )


def test_it_is_429_where_the_quota_says_so_and_never_to_be_retried():
    quota = Quota("web", "usd", USD, answers_429=True)
    refusal = too_little(Counted(quota, {}, USD, NOW_S + 5), wanted=2, remaining=1, now_s=NOW_S)
    assert (refusal.status, refusal.retryable, refusal.retry_after_s) == (429, False, None)


def test_a_stream_that_runs_out_is_told_in_the_same_words():
    refusal = ran_out(BUDGET, wanted=1, remaining=0)
    assert (refusal.code, refusal.status) == ("budget_exhausted_midstream", 402)
    assert "has 0.00 USD left of 500.00 USD, and the stream needs another 0.000000001 USD;" in refusal.message


@pytest.mark.parametrize("unit", ["tokens", "tokens_out"])
def test_a_stream_that_reaches_a_rate_limit_is_told_of_no_budget(unit: str):
    refusal = ran_out(limit(unit), wanted=3, remaining=1)
    assert (refusal.code, refusal.status, refusal.hit) == (
        "rate_limited",
        429,
        too_little(limit(unit), wanted=3, remaining=1, now_s=NOW_S).hit,
    )
    assert f"has 1 left of {counted_in(unit, 10)}, and the stream needs another 3" in refusal.message
    assert "budget" not in refusal.message


@pytest.mark.parametrize("unit", ["requests", "tokens", "tokens_in", "tokens_out"])
def test_a_rate_limit_says_how_long_to_wait(unit: str):
    refusal = too_little(limit(unit), wanted=3, remaining=1, now_s=NOW_S)
    assert (refusal.code, refusal.status, refusal.retryable, refusal.retry_after_s) == ("rate_limited", 429, True, 7)


def test_calls_at_a_time_are_worth_a_retry_at_once():
    refusal = too_little(limit("concurrent", resets_in_s=None), wanted=1, remaining=0, now_s=NOW_S)
    assert (refusal.retryable, refusal.retry_after_s) == (True, 1)
    assert refusal.message == ("The limit 'fast' (concurrent) allows 10 calls at a time, and 10 are under way")
    one = too_little(limit("concurrent", limit=1, resets_in_s=None), wanted=1, remaining=0, now_s=NOW_S)
    assert one.message.endswith("allows 1 call at a time, and 1 is under way")


def test_a_count_is_told_with_its_unit_once():
    refusal = too_little(limit("requests", resets_in_s=None), wanted=1, remaining=0, now_s=NOW_S)
    assert refusal.message == "The limit 'fast' (requests a minute) has 0 left of 10 requests, and the call needs 1"


@pytest.mark.parametrize(
    ("resets_in_s", "wait_s"), [(0, 1), (1, 1), (60, 60), (61, None), (86_400, None), (None, None)]
)
def test_nobody_is_told_to_wait_longer_than_a_minute(resets_in_s: int | None, wait_s: int | None):
    refusal = too_little(limit("requests", resets_in_s=resets_in_s), wanted=1, remaining=0, now_s=NOW_S)
    assert (refusal.retry_after_s, refusal.retryable) == (wait_s, wait_s is not None)


def test_a_call_that_is_larger_than_the_limit_is_not_worth_a_retry():
    assert not too_little(limit("tokens"), wanted=11, remaining=10, now_s=NOW_S).retryable
    assert not too_little(limit("concurrent", limit=0), wanted=1, remaining=0, now_s=NOW_S).retryable


def test_a_call_that_holds_a_ceiling_is_not_told_to_ask_for_less():
    refusal = too_little(BUDGET, wanted=3 * USD, remaining=USD, now_s=NOW_S, ceiling=True)
    assert "the call, whose cost has no bound or no price, would hold the ceiling_usd of 3.00 USD;" in refusal.message
    assert "Ask for less output" not in refusal.message


def test_what_is_left_is_told_also_where_the_refusal_is_about_something_else():
    counted = BUDGET._replace(remaining=7)
    for refusal in (
        unbounded(counted, "why"),
        unpriced(counted, "why"),
        too_many_values(counted),
        unreachable(counted),
    ):
        assert isinstance(refusal.hit, QuotaHit)
        assert refusal.hit.remaining == 7


def test_what_cannot_be_bounded_names_the_cure():
    refusal = unbounded(BUDGET, "a file whose size is not known")
    assert (refusal.code, refusal.status) == ("unbounded_cost", 403)
    assert "(a file whose size is not known)" in refusal.message
    assert "ceiling_usd" in refusal.message
    refusal = unpriced(BUDGET, "'mystery-1' has no price")
    assert (refusal.code, refusal.status, refusal.retryable) == ("unpriced_model", 403, False)
    assert "'mystery-1' has no price" in refusal.message
    assert "[[price_overrides]]" in refusal.message


def test_no_ceiling_is_advised_where_there_can_be_none():
    refusal = unbounded(limit("tokens"), "cap its output tokens")
    assert refusal.message == (
        "What this call uses has no bound (cap its output tokens), and the limit 'fast' (tokens a minute) blocks:"
        " bound it"
    )


def test_values_beyond_the_bound_are_refused():
    refusal = too_many_values(Counted(Quota("users", "usd", USD, scope={"user": "*"}, values_max=7), {"user": "zoe"}))
    assert (refusal.code, refusal.status, refusal.retryable) == ("scope_values_exceeded", 403, False)
    assert "'users' (usd a month, user=zoe) counts 7 values" in refusal.message


def test_what_a_record_keeps_of_a_refusal_names_no_value_of_a_scope():
    counted = Counted(Quota("users", "usd", USD, scope={"user": "*"}), {"user": "zoe"}, USD)
    refusal = too_little(counted, wanted=2 * USD, remaining=USD, now_s=NOW_S)
    assert "user=zoe" in refusal.message
    assert refusal.why == (
        "The budget 'users' (usd a month) has 1.00 USD left of 1.00 USD, and the call may cost up to 2.00 USD. Ask for"
        " less output, or have the budget raised"
    )


def test_a_ledger_that_cannot_be_asked_is_worth_a_retry():
    refusal = unreachable(Counted(Quota("all", "usd", USD, "total")))
    assert (refusal.code, refusal.status, refusal.retryable) == ("ledger_unavailable", 503, True)
    assert "'all' (usd in all)" in refusal.message
