from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import ATTOUSD_PER_NANOUSD, ceil_attousd, nanousd, round_attousd, usd

HALF = ATTOUSD_PER_NANOUSD // 2


@pytest.mark.parametrize(
    ("attousd", "expected"),
    [(0, 0), (HALF - 1, 0), (HALF, 0), (HALF + 1, 1), (3 * HALF, 2), (5 * HALF, 2), (7 * HALF, 4), (-HALF, 0)],
)
def test_rounds_half_to_even(attousd: int, expected: int):
    assert round_attousd(attousd) == expected


def test_a_fraction_is_rounded_by_its_exact_value():
    assert round_attousd(Fraction(3 * HALF * 3 - 1, 3)) == 1
    assert round_attousd(Fraction(HALF) + Fraction(1, 10**30)) == 1


@given(st.integers(-(10**30), 10**30))
def test_rounds_as_decimal_does(attousd: int):
    assert round_attousd(attousd) == int(Decimal(attousd).scaleb(-9).quantize(Decimal(1), ROUND_HALF_EVEN))


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_usd_and_nanousd_are_inverse(amount_nanousd: int):
    assert nanousd(usd(amount_nanousd)) == amount_nanousd


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "0.0000000001"])
def test_what_is_no_whole_amount_of_nanousd_is_refused(amount: str):
    with pytest.raises(ValueError, match=r"not an amount of money|fraction of a nano-USD"):
        nanousd(Decimal(amount))


@pytest.mark.parametrize(
    ("attousd", "expected"),
    [(0, 0), (1, 1), (ATTOUSD_PER_NANOUSD, 1), (ATTOUSD_PER_NANOUSD + 1, 2), (Fraction(1, 3), 1)],
)
def test_a_bound_is_rounded_up(attousd: int | Fraction, expected: int):
    assert ceil_attousd(attousd) == expected
