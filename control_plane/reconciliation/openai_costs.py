"""Owns reading OpenAI's costs API: pages of `GET /v1/organization/costs`, best grouped by `line_item`.

Source: platform.openai.com/docs/api-reference/usage/costs. `amount.value` is a JSON number (in recordings also a text)
of `amount.currency`; a line item is a model and what was billed of it, "gpt-4o-2024-08-06, cached input".
"""

import re
from datetime import date
from decimal import Decimal

import msgspec

from control_plane.reconciliation.lines import Account, Measure, Tally, account, exact
from control_plane.reconciliation.pages import day_of, decoded, following

PROVIDER = "openai"

# What follows the model's name, and the modality before it: "gpt-image-1 image, cached input".
_ITEM = re.compile(r"(?P<model>\S+?)(?: (?P<modality>text|image|audio))?, (?P<kind>[a-z ]+)")
_CLASSES: dict[str, Measure] = {
    "input": "input",
    "cached input": "cache_read",
    "cache write": "cache_write",
    "input cache write": "cache_write",
    "output": "output",
}


class _Amount(msgspec.Struct, frozen=True):
    value: Decimal
    currency: str


class _Result(msgspec.Struct, frozen=True):
    amount: _Amount
    line_item: str | None = None


class _Bucket(msgspec.Struct, frozen=True):
    start_time: int
    end_time: int
    results: list[_Result]


class _Page(msgspec.Struct, frozen=True):
    data: list[_Bucket]
    has_more: bool = False
    next_page: str | None = None


def read(data: bytes) -> Account:
    """What one or several pages say. Raises Unreadable."""
    pages = decoded(data, _Page)
    tally, days = Tally(PROVIDER), list[date]()
    buckets = [bucket for page in pages for bucket in page.data]
    for number, bucket in enumerate(buckets):
        day = day_of(bucket.start_time, bucket.end_time, f"data[{number}]")
        days.append(day)
        for place, result in enumerate(bucket.results):
            where = f"data[{number}].results[{place}].amount.value"
            model, measure = split(result.line_item or "")
            cost, currency = exact(result.amount.value, where), result.amount.currency.upper()
            usd = cost if currency == "USD" else None
            tally.add(day, model, result.line_item or "", measure, cost_usd=usd, currency=currency)
    return account(tally, days, following([(page.has_more, page.next_page) for page in pages]))


def split(line_item: str) -> tuple[str, Measure]:
    """The model of a line item and what of it was billed; no model where the item is of another kind."""
    found = _ITEM.fullmatch(line_item)
    if found is None:
        return "", "other"
    return found["model"], _CLASSES.get(found["kind"], "other")
