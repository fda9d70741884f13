from datetime import date

import pytest

from control_plane.reconciliation.azure_costs import read, split
from control_plane.reconciliation.lines import Line, Unreadable

# Some of the columns of cost-usage-details-ea, in its order.
EA = (
    "SubscriptionName,ResourceGroup,Date,ProductName,MeterCategory,MeterSubCategory,MeterName,MeterRegion,"
    "UnitOfMeasure,Quantity,EffectivePrice,CostInBillingCurrency,BillingCurrency\r\n"
)
LINE = 'Prod,rg,{day},Azure OpenAI,{category},Azure OpenAI,"{meter}",,{unit},{quantity},0.0025,{cost},{currency}\r\n'


def csv(
    meter: str = "gpt 4o 0806 Inp glbl Tokens",
    quantity: str = "1234.567",
    cost: str = "3.0864175",
    *,
    unit: str = "1K",
    day: str = "11/24/2026",
    category: str = "Foundry Models",
    currency: str = "USD",
) -> bytes:
    line = LINE.format(
        meter=meter, quantity=quantity, cost=cost, unit=unit, day=day, category=category, currency=currency
    )
    return (EA + line).encode()


def test_quantities_are_in_units_and_costs_exact():
    meter = "gpt 4o 0806 Inp glbl Tokens"
    assert read(csv()).lines == (
        Line(date(2026, 11, 24), "azure", "gpt 4o 0806", meter, "input", 1_234_567, 3_086_417_500),
    )


@pytest.mark.parametrize(
    ("meter", "expected"),
    [
        ("gpt 4o 0806 cached Inp glbl Tokens", ("gpt 4o 0806", "cache_read")),
        ("gpt-4o-mini-0718-Outp-regnl Tokens", ("", "other")),
        ("gpt 4.1 mini Outp regnl Tokens", ("gpt 4.1 mini", "output")),
        ("o3 0416 Inp Data Zone Tokens", ("o3 0416", "input")),
        ("V4 Pro Outp DZ Tokens", ("V4 Pro", "output")),
        ("GPT 5 cchd Inpt Glbl 1M Tokens", ("GPT 5", "cache_read")),
        ("Provisioned Managed Global Unit", ("", "other")),
    ],
)
def test_a_meters_name_is_a_model_and_what_is_counted(meter, expected):
    assert split(meter) == expected


def test_a_meter_without_its_family_takes_it_from_the_sub_category():
    assert split("5.4 opt Gl 1M Tokens", "Azure OpenAI GPT5") == ("gpt 5.4", "output")


def test_other_services_are_passed_over_and_their_days_are_covered():
    account = read(csv(category="Storage"))
    assert account.lines == ()
    assert account.from_day == date(2026, 11, 24)


def test_a_customer_agreements_columns_are_the_same():
    header = (
        "date,meterCategory,meterSubCategory,meterName,unitOfMeasure,quantity,costInBillingCurrency,costInUsd,"
        "billingCurrency"
    )
    line = "2026-11-24,Azure OpenAI,,gpt 4o Outp glbl Tokens,1M,0.5,4.6,5,EUR"
    [found] = read(f"{header}\r\n{line}\r\n".encode()).lines
    assert (found.quantity, found.cost_nanousd, found.currency) == (500_000, 5 * 10**9, "EUR")


def test_a_cost_in_another_currency_alone_is_no_dollars():
    [line] = read(csv(currency="EUR")).lines
    assert (line.cost_nanousd, line.currency, line.quantity) == (None, "EUR", 1_234_567)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (csv(day="24.11.2026"), "line 2: Date"),
        (csv(quantity="many"), "line 2: Quantity"),
        (csv(cost=""), "line 2: CostInBillingCurrency"),
        (csv(cost="1.2.3"), "line 2: CostInBillingCurrency"),
        (csv(unit="Hours"), "line 2: UnitOfMeasure"),
        (b"Date,Quantity\r\n2026-11-24,1\r\n", "line 1: the columns meter_category"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(data, place):
    with pytest.raises(Unreadable, match=place):
        read(data)
