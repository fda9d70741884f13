"""Owns reading Azure's cost and usage details (actual cost, CSV) of Enterprise and Microsoft Customer Agreements.

Source: learn.microsoft.com/azure/cost-management-billing/dataset-schema/cost-usage-details-ea and -mca: `Date` is the
usage's day, `Quantity` is in units of `UnitOfMeasure`, `CostInBillingCurrency` in `BillingCurrency` (in older exports
`BillingCurrencyCode`); MCA has `costInUsd` beside it. Meters of models are named by hand there: "gpt 4o 0806 cached Inp
glbl Tokens" per 1K, "5.4 opt Gl 1M Tokens" per 1M (prices.azure.com, serviceName "Foundry Models").
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction

from control_plane.reconciliation.lines import Account, Measure, Tally, Unreadable, account, exact
from control_plane.reconciliation.table import rows

PROVIDER = "azure"
_NEEDED = ("date", "meter_category", "meter_name", "quantity", "unit_of_measure")
# Both spellings of a column come to the same name but for these, which are written in small letters throughout.
_ALSO = {
    "metercategory": "meter_category", "metersubcategory": "meter_sub_category", "metername": "meter_name",
    "unitofmeasure": "unit_of_measure", "costinbillingcurrency": "cost_in_billing_currency",
    "billingcurrency": "billing_currency", "billingcurrencycode": "billing_currency_code",
    "cost_in_usd": "cost_in_usd", "costinusd": "cost_in_usd",
}  # fmt: skip
_CATEGORIES = frozenset({"cognitive services", "azure openai", "azure openai service", "foundry models", "ai services"})
_DAYS = ("%Y-%m-%d", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d")

_INPUT = frozenset({"inp", "inpt", "input", "in"})
_OUTPUT = frozenset({"outp", "outpt", "output", "opt", "out"})
_CACHED = frozenset({"cached", "cchd", "cd", "cache"})
_WRITTEN = frozenset({"write", "wr", "wrt"})
# How it was served; no part of the model's name.
_SERVED = frozenset(
    {
        "glbl", "gl", "global", "regnl", "rgnl", "regional", "dz", "dzone", "data", "zone", "datazone", "batch", "bat",
        "pp", "priority", "std", "standard", "tokens", "token", "shortco", "longco", "1k", "1m",
    }
)  # fmt: skip
_UNIT = re.compile(r"(\d+)\s*([KM]?)\b", re.IGNORECASE)
_TIMES = {"": 1, "k": 10**3, "m": 10**6}


def read(data: bytes) -> Account:
    """What an export says of models that are billed by tokens; other services are passed over. Raises Unreadable."""
    tally, days = Tally(PROVIDER), set[date]()
    for number, cells in rows(data, ()):
        row = {_ALSO.get(name, name): value for name, value in cells.items()}
        if missing := [name for name in _NEEDED if name not in row]:
            raise Unreadable(f"line 1: the columns {', '.join(missing)} are missing; export cost and usage details")
        day = _day(row["date"], number)
        days.add(day)
        if row["meter_category"].strip().lower() in _CATEGORIES:
            _add(tally, day, row, number)
    return account(tally, sorted(days))


def _add(tally: Tally, day: date, row: Mapping[str, str], number: int) -> None:
    meter = row["meter_name"].strip()
    model, measure = split(meter, row.get("meter_sub_category", ""))
    quantity: Fraction | None = None
    if measure != "other":
        quantity = exact(row["quantity"], f"line {number}: Quantity") * _unit(row["unit_of_measure"], number)
    currency = (row.get("billing_currency") or row.get("billing_currency_code") or "USD").strip().upper()
    tally.add(day, model, meter, measure, quantity=quantity, cost_usd=_usd(row, currency, number), currency=currency)


def _usd(row: Mapping[str, str], currency: str, number: int) -> Fraction | None:
    """The cost in dollars, where the export says it in dollars."""
    if stated := row.get("cost_in_usd", "").strip():
        return exact(stated, f"line {number}: CostInUsd")
    billed = row.get("cost_in_billing_currency", "").strip()
    if not billed:
        raise Unreadable(f"line {number}: CostInBillingCurrency is missing; export the actual cost")
    cost = exact(billed, f"line {number}: CostInBillingCurrency")
    return cost if currency == "USD" else None


def split(meter: str, sub_category: str = "") -> tuple[str, Measure]:
    """The model's name as a meter spells it, and what of it is counted; `other` where it is no meter of tokens."""
    words = meter.split()
    lower = [word.lower() for word in words]
    if "tokens" not in lower and "token" not in lower:
        return "", "other"
    places = [place for place, word in enumerate(lower) if word in _INPUT | _OUTPUT]
    if not places:
        return "", "other"
    named = " ".join(
        word
        for word, small in zip(words, lower, strict=True)
        if small not in _SERVED | _INPUT | _OUTPUT | _CACHED | _WRITTEN
    )
    if named[:1].isdigit() and "gpt" in sub_category.lower():
        named = f"gpt {named}"
    if lower[places[0]] in _OUTPUT:
        return named, "output"
    if _CACHED & set(lower):
        return named, "cache_write" if _WRITTEN & set(lower) else "cache_read"
    return named, "input"


def _unit(text: str, number: int) -> int:
    found = _UNIT.match(text.strip())
    if found is None:
        raise Unreadable(f"line {number}: UnitOfMeasure: {text[:40]!r} is not a number of tokens, such as 1K or 1M")
    return int(found[1]) * _TIMES[found[2].lower()]


def _day(text: str, number: int) -> date:
    for form in _DAYS:
        try:
            return datetime.strptime(text.strip(), form).date()
        except ValueError:
            continue
    raise Unreadable(f"line {number}: Date: {text[:40]!r} is not a day such as 2026-11-25 or 11/25/2026")
