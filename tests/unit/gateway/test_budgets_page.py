import msgspec

from gateway import budgets_page
from gateway.budgets_page import BudgetRow, BudgetsPage, limit_now
from gateway.contract.policy import Policy, Quota, QuotaOverride
from gateway.ledger.base import Balance

NOW_S = 1_800_000_000  # 2027-01-15T08:00:00Z
USD = 10**9
WEB = Quota("web", "usd", 25 * USD, scope={"project": "web"})
USERS = Quota("users", "tokens", 100, "day", {"team": "red", "user": "*", "tag": "*"}, action="alert")
AT_ONCE = Quota("at-once", "concurrent", 8, "total")


def page(*quotas: Quota, overrides: tuple[QuotaOverride, ...] = (), **counters: Balance) -> BudgetsPage:
    named = {name.replace("__", "|"): balance for name, balance in counters.items()}
    policy = Policy(quotas=quotas, quota_overrides=overrides)
    return msgspec.json.decode(budgets_page.budgets_page(policy, named, NOW_S), type=BudgetsPage)


def test_a_quota_nobody_has_used_is_shown_with_nothing_spent():
    assert page(WEB) == BudgetsPage("2027-01-15T08:00:00Z", [
        BudgetRow(
            "web", "usd", "month", "block", "2027-01", {"project": "web"}, "25.000000000", "0.000000000",
            "0.000000000", None, "2027-02-01T00:00:00Z",
        )
    ])  # fmt: skip


def test_money_is_exact_and_counts_are_whole():
    (row,) = page(WEB, **{"web@2027-01": Balance(1, 2 * USD, 3 * USD)}).counters
    assert (row.spent, row.held, row.leased) == ("0.000000001", "2.000000000", "3.000000000")
    (row,) = page(AT_ONCE, **{"at-once@now": Balance(0, 3)}).counters
    assert (row.limit, row.spent, row.held, row.period, row.resets_at) == (8, 0, 3, "now", None)


def test_each_value_has_a_row_and_the_highest_comes_first():
    rows = page(
        USERS,
        **{
            "users@2027-01-15|user=zoe|tag=a": Balance(5),
            "users@2027-01-15|user=a|b=c|tag=": Balance(6, 1),
            "users@2027-01-14|user=old|tag=a": Balance(99),
            "users-2@2027-01-15|user=other|tag=a": Balance(99),
        },
    ).counters
    assert [(row.scope, row.spent) for row in rows] == [
        ({"team": "red", "user": "a|b=c", "tag": ""}, 6),
        ({"team": "red", "user": "zoe", "tag": "a"}, 5),
    ]
    assert page(USERS).counters[0].scope == {"team": "red", "user": "*", "tag": "*"}


def test_an_override_is_the_limit_until_it_ends():
    override = QuotaOverride("web", NOW_S + 1, 30 * USD)
    assert page(WEB, overrides=(override,)).counters[0].limit == "30.000000000"
    policy = Policy(quotas=(WEB,), quota_overrides=(override,))
    assert limit_now(policy, WEB, NOW_S + 1) == 25 * USD
    assert page(WEB, overrides=(QuotaOverride("web", NOW_S + 1),)).counters[0].limit is None


def test_the_page_is_bounded_and_says_what_it_left_out(monkeypatch):
    monkeypatch.setattr(budgets_page, "ROWS_MAX", 1)
    told = page(WEB, AT_ONCE)
    assert ([row.quota for row in told.counters], told.more) == (["web"], 1)
