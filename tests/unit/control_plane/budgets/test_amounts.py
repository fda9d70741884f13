import pytest

from control_plane.api.problems import Problem
from control_plane.budgets.amounts import dollars_or_none, dollars_shown, read, shown, shown_or_none


def test_dollars_are_text_and_counts_are_numbers():
    assert shown("usd", 12_500_000_000) == "12.50"
    assert shown("requests", 12) == 12
    assert (shown_or_none("tokens", None), shown_or_none("tokens", 0)) == (None, 0)
    assert (dollars_shown(None), dollars_shown(1)) == (None, "0.000000001")


@pytest.mark.parametrize(
    ("unit", "said", "amount"),
    [
        ("usd", "0.25", 250_000_000),
        ("usd", 0.1, 100_000_000),
        ("usd", None, None),
        ("requests", 7, 7),
        ("concurrent", None, None),
    ],
)
def test_an_amount_is_read_in_its_unit(unit, said, amount):
    assert read(unit, said, "body/limit") == amount


@pytest.mark.parametrize(("unit", "said"), [("requests", "7"), ("tokens", 7.0), ("usd", "seven"), ("usd", "-1")])
def test_another_form_of_an_amount_is_refused_by_name(unit, said):
    with pytest.raises(Problem) as refused:
        read(unit, said, "body/limit")
    assert [error.pointer for error in refused.value.errors] == ["body/limit"]


def test_no_dollars_are_none():
    assert dollars_or_none(None, "body/ceiling_usd") is None
    assert dollars_or_none("0", "body/ceiling_usd") == 0
