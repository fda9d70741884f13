import pytest

from control_plane.api.money import nanousd, usd
from control_plane.api.problems import Problem


@pytest.mark.parametrize(
    ("text", "amount", "shown"),
    [("100", 100 * 10**9, "100.00"), (0.1, 10**8, "0.10"), ("0.000000125", 125, "0.000000125"), (0, 0, "0.00"),
     ("1e2", 100 * 10**9, "100.00"), ("9007199.254740992", 2**53, "9007199.254740992")],
)  # fmt: skip
def test_dollars_become_nano_dollars_and_back(text, amount, shown):
    assert nanousd(text, "data/limit_usd") == amount
    assert usd(amount) == shown


def test_what_is_owed_has_a_sign():
    assert usd(-1_500_000_000) == "-1.50"


@pytest.mark.parametrize("text", ["", "x", "-1", "0.0000000001", "NaN", "Infinity", "1e999", "9007199.3", float("inf")])
def test_no_amount_is_told_where_it_stands(text):
    with pytest.raises(Problem) as fault:
        nanousd(text, "data/limit_usd")
    assert (fault.value.status, fault.value.errors[0].pointer) == (400, "data/limit_usd")
