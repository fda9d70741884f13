from control_plane.backtest.history import Outcome, Who, WindowOutcome
from control_plane.backtest.proposal import Proposal
from control_plane.backtest.rendered import WINDOWS_MAX, as_text, rendered
from gateway.ledger.window import NEVER_S, Period

SPENT = {"calls": 2, "amount": 3 * 10**9, "cost_nanousd": 3 * 10**9, "users": 1, "keys": 0}
REFUSED = {"refused_calls": 1, "refused_amount": 10**9, "refused_nanousd": 10**9, "first_refused_us": 5_000}


def outcome(*windows: WindowOutcome) -> Outcome:
    return Outcome(
        calls=2, users=1, keys=0, unbounded_calls=0, unknown_calls=4, refused_then=0, windows=windows, **REFUSED,
        by_user=(Who("u", 1, 10**9),), by_key=(), by_counter=(),
    )  # fmt: skip


def window(number: int, refused: int = 1) -> WindowOutcome:
    return WindowOutcome(
        period=Period(str(number), number, number + 1), **SPENT, **(REFUSED | {"refused_calls": refused})
    )


USD = Proposal(unit="usd", limit=2 * 10**9)


def test_amounts_are_dollars_where_the_unit_is_and_windows_say_what_was_let_through():
    out = rendered(outcome(window(0)), USD, 0, 9)
    assert (out.limit, out.spent, out.refused, out.first_refused_at_ms) == ("2.00", "3.00", "1.00", 5)
    assert (out.windows[0].let_through, out.windows[0].ends_at_s) == ("2.00", 1)
    assert out.by_user[0].refused == "1.00"
    assert rendered(outcome(window(0)), Proposal(unit="tokens", limit=5), 0, 9).spent == 3 * 10**9


def test_a_window_without_an_end_says_so():
    endless = WindowOutcome(period=Period("total", 0, NEVER_S), **SPENT, **REFUSED)
    out = rendered(outcome(endless), Proposal(unit="usd", limit=1, window="total"), 0, 9)
    assert out.windows[0].ends_at_s is None
    assert "from the beginning of the time" in out.assumptions[-1]


def test_of_many_windows_the_newest_and_the_worst_are_shown():
    worst = 3
    out = rendered(outcome(*(window(number, 99 * (number == worst)) for number in range(WINDOWS_MAX + 50))), USD, 0, 9)
    names = [one.name for one in out.windows]
    assert (len(names), out.windows_more) == (WINDOWS_MAX, 50)
    assert str(worst) in names
    assert names[-1] == str(WINDOWS_MAX + 49)
    assert names == sorted(names, key=int)


def test_a_terminal_is_told_the_sums_and_what_is_unknown():
    text = as_text(rendered(outcome(window(0)), USD, 0, 9))
    assert "2 calls spent 3.00 USD" in text
    assert "refused: 1 calls of 1 users and 0 keys, 1.00 USD" in text
    assert "4 calls are of unknown amount" in text
