from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.reconciliation.lines import DAYS_MAX, LINES_MAX, Line, Tally, Unreadable, account, exact

DAY = date(2026, 11, 24)


def test_numbers_are_exact_as_they_are_written():
    assert exact("0.1", "x") == Fraction(1, 10)
    assert exact(Decimal("1E-7"), "x") == Fraction(1, 10**7)


@pytest.mark.parametrize("text", ["", "a", "nan", "Infinity", "1e999999", "1e-999999", "--1"])
def test_what_is_no_number_is_named_with_its_place(text):
    with pytest.raises(Unreadable, match="line 7: Quantity"):
        exact(text, "line 7: Quantity")


@given(st.lists(st.decimals(min_value=0, max_value=10**6, places=12), min_size=1, max_size=20))
def test_costs_are_summed_exactly_and_rounded_once(amounts):
    tally = Tally("openai")
    for amount in amounts:
        tally.add(DAY, "m", "x", "input", cost_usd=exact(amount, "x"), quantity=1)
    total = sum(Fraction(amount) for amount in amounts)
    assert tally.lines() == (Line(DAY, "openai", "m", "x", "input", len(amounts), round(total * 10**9)),)


def test_what_is_not_said_stays_unknown():
    tally = Tally("openai")
    tally.add(DAY, "m", "x", "input", quantity=0)
    assert tally.lines()[0].cost_nanousd is None
    assert tally.lines()[0].quantity == 0


def test_an_account_is_of_some_days_and_not_of_centuries():
    with pytest.raises(Unreadable, match="no day"):
        account(Tally("openai"), [])
    with pytest.raises(Unreadable, match=f"more than {DAYS_MAX} days"):
        account(Tally("openai"), [date(1970, 1, 1), DAY])


def test_an_account_has_so_many_lines_and_no_more():
    tally = Tally("openai")
    for number in range(LINES_MAX):
        tally.add(DAY, f"m{number}", "x", "input", quantity=1)
    with pytest.raises(Unreadable, match=str(LINES_MAX)):
        tally.add(DAY, "one more", "x", "input", quantity=1)


def test_numbers_that_the_database_does_not_hold_are_refused():
    for amount, said in (({"quantity": 2**62}, "quantity"), ({"cost_usd": Fraction(2**62, 10**9)}, "cost")):
        tally = Tally("openai")
        tally.add(DAY, "a", "x", "input", **amount)
        assert account(tally, [DAY]).lines
        tally.add(DAY, "b", "x", "input", **amount)
        with pytest.raises(Unreadable, match=said):
            account(tally, [DAY])
