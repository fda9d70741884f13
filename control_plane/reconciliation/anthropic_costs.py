"""Owns reading Anthropic's cost report: pages of `GET /v1/organizations/cost_report`, best grouped by `description`.

Source: platform.claude.com/docs/en/api/admin-api/usage-cost/get-cost-report. `amount` is a decimal text in cents:
"123.45" in "USD" is $1.2345. Costs of the priority tier are not in it.
"""

from datetime import date, datetime
from fractions import Fraction
from typing import Annotated

import msgspec

from control_plane.reconciliation.lines import Account, Measure, Tally, account, exact
from control_plane.reconciliation.pages import day_of, decoded, following

PROVIDER = "anthropic"
_PER_UNIT = 100  # cents of a dollar
_CLASSES: dict[str, Measure] = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "output_tokens": "output",
}

_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Result(msgspec.Struct, frozen=True):
    amount: str
    currency: str
    cost_type: str | None = None
    description: str | None = None
    model: str | None = None
    token_type: str | None = None


class _Bucket(msgspec.Struct, frozen=True):
    starting_at: _Time
    ending_at: _Time
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
        start_s, end_s = int(bucket.starting_at.timestamp()), int(bucket.ending_at.timestamp())
        day = day_of(start_s, end_s, f"data[{number}]")
        days.append(day)
        for place, result in enumerate(bucket.results):
            cost: Fraction = exact(result.amount, f"data[{number}].results[{place}].amount") / _PER_UNIT
            currency = result.currency.upper()
            usd = cost if currency == "USD" else None
            meter = result.description or result.cost_type or ""
            tally.add(day, result.model or "", meter, _class(result), cost_usd=usd, currency=currency)
    return account(tally, days, following([(page.has_more, page.next_page) for page in pages]))


def _class(result: _Result) -> Measure:
    if result.cost_type == "web_search":
        return "web_searches"
    return _CLASSES.get(result.token_type or "", "other")
