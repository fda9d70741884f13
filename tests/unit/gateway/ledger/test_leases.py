"""The arithmetic of leases: claims, slack, statements and what an answer changes."""

import pytest

from gateway.ledger.base import Balance, Hold
from gateway.ledger.leases import Leases, Watch
from gateway.ledger.store import Answer, Statement
from tests.support.holds import hold, holds

MONTH = "budget@2026-11"


def money(amount: int, limit: int | None = 100) -> Hold:
    return hold(MONTH, amount, limit)


def leases(*, keep: bool = False) -> Leases:
    made = Leases("a", 1, keep=keep)
    made.follow(holds(money(1)))
    return made


def answer(said: Statement, granted: int = 0, **change: object) -> Answer:
    """What a store says that knows this node alone."""
    claim = said.claim + granted
    named = {"status": "ok", "version": 1, "run": "run1", "spent": said.spent, "claim": claim}
    return Answer(**{**named, "all_spent": said.spent, "all_claims": claim, "recalled": False, **change})  # type: ignore[arg-type]


def fetch(made: Leases, amount: int, granted: int, **change: object) -> int:
    said = made.statement(MONTH, "run1", need=made.need(money(amount)))
    told = answer(said, granted, **change)
    made.heard(said, told)
    return made.accept(said, told, "run1")


def test_without_a_lease_nothing_may_be_held():
    made = leases()
    assert made.counters.reserve("x", holds(money(1))) is not None


def test_what_was_granted_may_be_held_and_no_more():
    made = leases()
    assert fetch(made, 10, granted=25) == 25
    assert made.counters.reserve("x", holds(money(20))) is None
    assert made.counters.reserve("y", holds(money(6))) is not None
    assert made.need(money(6)) == 1


def test_a_statement_says_what_is_settled_and_what_may_be_spent():
    made = leases()
    fetch(made, 10, granted=25)
    made.counters.reserve("x", holds(money(20)))
    made.counters.settle("x", {MONTH: 7})
    said = made.statement(MONTH, "run1")
    assert (said.seq, said.spent, said.claim, said.gives) == (2, 7, 25, False)


def test_what_is_given_is_not_there_any_more_whoever_hears_of_it():
    made = leases()
    fetch(made, 10, granted=25)
    made.counters.reserve("x", holds(money(20)))
    made.give(MONTH)
    assert made.slack(MONTH) == 0
    said = made.statement(MONTH, "run1")
    assert (said.claim, said.gives) == (20, True)


def test_slack_that_somebody_waits_for_is_kept():
    made = leases()
    fetch(made, 10, granted=25)
    made.wait(1, holds(money(15)))
    made.give(MONTH)
    assert made.slack(MONTH) == 15
    made.wait_no_more(1, holds(money(15)))
    made.give(MONTH)
    assert made.slack(MONTH) == 0


def test_more_is_asked_for_all_who_wait_and_needed_for_one():
    made = leases()
    made.wait(1, holds(money(15)))
    made.wait(2, holds(money(30)))
    said = made.statement(MONTH, "run1", need=made.need(money(15)))
    assert (said.need, said.want) == (15, 45)


@pytest.mark.parametrize(
    ("change", "now"),
    [({"status": "old"}, "run1"), ({"status": "fenced"}, "run1"), ({"run": "run2"}, "run1"), ({}, "run2")],
)
def test_a_grant_that_another_server_or_an_old_statement_brought_is_not_taken(change, now):
    made = leases()
    said = made.statement(MONTH, "run1", need=10)
    told = answer(said, 25, **change)
    made.heard(said, told)
    assert made.accept(said, told, now) == 0
    assert made.slack(MONTH) == 0


def test_a_grant_under_a_limit_that_was_lowered_meanwhile_is_not_taken():
    made = leases()
    said = made.statement(MONTH, "run1", need=10)
    made.follow(holds(money(1, limit=50)))
    told = answer(said, 25)
    made.heard(said, told)
    assert made.accept(said, told, "run1") == 0
    assert MONTH in made.unreported


def test_a_lowered_limit_takes_slack_and_what_calls_give_back_until_all_claims_fit():
    made = leases()
    fetch(made, 80, granted=80)
    made.counters.reserve("x", holds(money(60)))
    made.follow(holds(money(1, limit=50)))
    assert made.slack(MONTH) == 0
    made.counters.settle("x", {MONTH: 0})
    made.follow(holds(money(1, limit=50)))
    assert made.slack(MONTH) == 0
    assert fetch(made, 10, granted=10, all_claims=45) == 10
    made.follow(holds(money(1, limit=50)))
    assert made.slack(MONTH) == 10


def test_what_the_store_knows_to_be_spent_beyond_is_counted_here():
    made = leases(keep=True)
    assert fetch(made, 10, granted=10, spent=40, claim=50) == 10
    assert made.counters.by_name[MONTH].settled == 40
    assert made.slack(MONTH) == 10


def test_more_settled_than_held_is_stated_as_claim():
    made = leases()
    fetch(made, 10, granted=10)
    made.counters.reserve("x", holds(money(10)))
    made.counters.settle("x", {MONTH: 35})
    said = made.statement(MONTH, "run1")
    assert (said.spent, said.claim) == (35, 35)


def test_what_was_forfeited_covers_what_the_journal_finds():
    made = Leases("a", 2, keep=True)
    made.restore(MONTH, 10, 30, back=0)
    made.restore_more({MONTH: 15, "other@2026-11": 3})
    assert made.counters.by_name[MONTH].settled == 30
    made.restore_more({MONTH: 15})
    assert made.counters.by_name[MONTH].settled == 40
    assert sorted(made.unstated()) == [MONTH, "other@2026-11"]


def test_what_is_given_back_is_stated_apart_and_is_nobodys_slack_here():
    made = leases()
    fetch(made, 20, granted=20)
    made.reserve("x", holds(money(20)))
    made.settle("x", {MONTH: 20})
    made.reserve("told", holds())
    assert made.settle_later("told", {MONTH: -15}) == 2
    assert made.slack(MONTH) == 0
    said = made.statement(MONTH, "run1")
    assert (said.spent, said.claim, said.back) == (20, 20, 15)
    made.heard(said, answer(said, back=15, all_spent=5, all_claims=5))
    assert made.balance(MONTH) == Balance(5, 0, 0)
    assert (made.claims(), made.backs()) == ({MONTH: (5, 5)}, {MONTH: 15})


def test_what_was_given_back_of_another_nodes_spending_is_told_of_too():
    made = leases()
    made.reserve("told", holds())
    made.settle_later("told", {MONTH: -15})
    said = made.statement(MONTH, "run1")
    assert (said.spent, said.claim, said.back) == (0, 0, 15)
    made.heard(said, answer(said, back=15, all_spent=85, all_claims=85))
    assert made.balance(MONTH).settled == 85
    assert (
        made.hopeless(money(16)) is False
    )  # the others stand at 100: this may be known before or after the store does
    made.by_name[MONTH].others_spent = 0
    assert made.hopeless(money(116)) is True
    assert MONTH in made.unreported


def test_a_start_counts_what_was_given_back_before_it_and_after():
    made = Leases("a", 2, keep=False)
    made.restore(MONTH, 5, 5, back=15)
    made.restore_more({MONTH: 10})
    made.restore_more({MONTH: -4})
    said = made.statement(MONTH, "run1")
    assert (said.spent, said.claim, said.back) == (30, 30, 19)
    assert made.heard(said, answer(said, back=19)) == ()
    assert made.counters.by_name[MONTH].settled == 11


def test_a_limit_after_none_was_lowered():
    made = leases()
    fetch(made, 20, granted=20)
    made.follow(holds(money(1, limit=None)))
    assert made.slack(MONTH) == 20
    made.follow(holds(money(1)))
    assert made.slack(MONTH) == 0


def test_a_threshold_is_exact_and_passed_on_once():
    made = leases()
    said = made.statement(MONTH, "run1", watch=Watch(101, (50, 100)))
    assert said.marks == ((50, 51), (100, 101))
    assert made.heard(said, answer(said, marks=(50,))) == (50,)
    again = made.statement(MONTH, "run1")
    assert again.heard == (50,)
    assert made.heard(again, answer(again, marks=(50,))) == ()


def test_a_balance_shows_what_others_spent_and_may_spend():
    made = leases()
    fetch(made, 10, granted=10, all_spent=20, all_claims=55)
    made.counters.reserve("x", holds(money(4)))
    assert made.balance(MONTH) == Balance(20, 4, 25)
    assert made.balance("never seen@2026-11") == Balance(0, 0, 0)


def test_what_is_held_waited_for_or_not_reported_is_not_forgotten():
    made = leases()
    fetch(made, 10, granted=10)
    made.counters.reserve("x", holds(money(4)))
    assert made.forget(MONTH) is False
    made.settle("x", {MONTH: 4})
    assert made.forget(MONTH) is False
    made.idle(0.0, 1.0)
    assert made.forget(MONTH) is False
    said = made.statement(MONTH, "run1")
    made.heard(said, answer(said))
    assert made.forget(MONTH) is True
    assert made.by_name == {}


def test_the_disk_is_told_of_a_grant_before_it_may_be_spent():
    made = leases()
    said = made.statement(MONTH, "run1", need=10)
    told = answer(said, 25)
    made.heard(said, told)
    assert made.claims() == {MONTH: (0, 25)}
    assert made.slack(MONTH) == 0


def test_what_is_held_waited_for_or_was_settled_lately_is_not_idle():
    made = leases()
    fetch(made, 10, granted=10)
    assert made.idle(2.0, 12.0) == [MONTH]
    made.reserve("x", holds(money(4)))
    assert made.idle(3.0, 13.0) == []
    made.settle("x", {MONTH: 4})
    assert made.idle(4.0, 14.0) == []
    assert made.idle(13.0, 23.0) == []
    assert made.idle(14.0, 24.0) == [MONTH]
    made.wait(1, holds(money(15)))
    assert made.idle(15.0, 25.0) == []


def test_a_slice_is_fetched_ahead_for_what_is_in_use_and_runs_low():
    made = leases()
    fetch(made, 20, granted=20)
    assert made.low(1.0) == []
    made.reserve("x", holds(money(11)))
    assert made.low(1.0) == [MONTH]
    made.settle("x", {MONTH: 11})
    assert made.low(1.0) == [MONTH]
    made.idle(0.0, 1.0)
    assert made.low(1.0) == [MONTH]
    assert made.low(1.1) == []
