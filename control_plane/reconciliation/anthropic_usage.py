"""Owns reading Anthropic's usage report: pages of `GET /v1/organizations/usage_report/messages`.

Source: platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report. Both caches are beside
`uncached_input_tokens`; `model` is null unless the report was grouped by it. Buckets are UTC; their ends are exclusive.
"""

from datetime import date, datetime
from typing import Annotated

import msgspec

from control_plane.reconciliation.lines import Account, Measure, Tally, Unreadable, account
from control_plane.reconciliation.pages import day_of, decoded, following

PROVIDER = "anthropic"

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_1h_input_tokens: _Count = 0
    ephemeral_5m_input_tokens: _Count = 0


class _ServerToolUse(msgspec.Struct, frozen=True):
    web_search_requests: _Count = 0


class _Result(msgspec.Struct, frozen=True):
    uncached_input_tokens: _Count
    cache_read_input_tokens: _Count
    output_tokens: _Count
    cache_creation: _CacheCreation
    server_tool_use: _ServerToolUse | None = None
    model: str | None = None


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
            _add(tally, day, result, f"data[{number}].results[{place}]")
    return account(tally, days, following([(page.has_more, page.next_page) for page in pages]))


def _add(tally: Tally, day: date, result: _Result, where: str) -> None:
    if result.model is None:
        raise Unreadable(f"{where}.model: is null; ask for group_by[]=model")
    written, tools = result.cache_creation, result.server_tool_use
    counts: dict[Measure, int] = {
        "input": result.uncached_input_tokens,
        "cache_read": result.cache_read_input_tokens,
        "cache_write": written.ephemeral_1h_input_tokens + written.ephemeral_5m_input_tokens,
        "output": result.output_tokens,
        "web_searches": 0 if tools is None else tools.web_search_requests,
    }
    for measure, count in counts.items():
        tally.add(day, result.model, "messages", measure, quantity=count)
