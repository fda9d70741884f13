"""Owns fetching a provider's reports page by page, with an organization's admin key. Bounded, and patient when refused.

Sources: platform.openai.com/docs/api-reference/usage (`page`, `has_more`, `next_page`; 31 daily buckets a page, costs
180) and platform.claude.com/docs/en/api/admin-api/usage-cost (the same, RFC 3339 times, `group_by[]`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import httpx
import msgspec

from control_plane.reconciliation.ours import start_s
from control_plane.reconciliation.sources import SourceName

# A year by day, several times over.
PAGES_MAX = 60
PAGE_BYTES_MAX = 16 * 1024 * 1024
TIMEOUT_S = 30.0
# How often a page is asked for again after 429 or 5xx, and how long at most between two.
TRIES_MAX = 5
WAIT_S_MAX = 60.0

Sleep = Callable[[float], Awaitable[None]]
Query = list[tuple[str, str]]


class FetchFailed(Exception):
    """The provider did not give its report; the message says what to do and holds no key."""


class _Report(NamedTuple):
    paths: Sequence[str]
    query: Callable[[date, date], Query]
    headers: Callable[[str], Mapping[str, str]]


def _openai(group_by: str, limit: int) -> Callable[[date, date], Query]:
    def query(from_day: date, to_day: date) -> Query:
        until_s = start_s(to_day + timedelta(days=1))
        return [
            ("start_time", str(start_s(from_day))), ("end_time", str(until_s)), ("bucket_width", "1d"),
            ("group_by", group_by), ("limit", str(limit)),
        ]  # fmt: skip

    return query


def _anthropic(group_by: str) -> Callable[[date, date], Query]:
    def query(from_day: date, to_day: date) -> Query:
        until = to_day + timedelta(days=1)
        return [
            ("starting_at", f"{from_day}T00:00:00Z"), ("ending_at", f"{until}T00:00:00Z"), ("bucket_width", "1d"),
            ("group_by[]", group_by), ("limit", "31"),
        ]  # fmt: skip

    return query


def _bearer(key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {key}"}


def _x_api_key(key: str) -> Mapping[str, str]:
    return {"x-api-key": key, "anthropic-version": "2023-06-01"}


_OPENAI = "/v1/organization/usage/"
REPORTS: Mapping[SourceName, _Report] = {
    "openai_usage": _Report(
        [_OPENAI + "completions", _OPENAI + "embeddings", _OPENAI + "moderations"], _openai("model", 31), _bearer
    ),
    "openai_costs": _Report(["/v1/organization/costs"], _openai("line_item", 180), _bearer),
    "anthropic_usage": _Report(["/v1/organizations/usage_report/messages"], _anthropic("model"), _x_api_key),
    "anthropic_costs": _Report(["/v1/organizations/cost_report"], _anthropic("description"), _x_api_key),
}


class _Cursor(msgspec.Struct, frozen=True):
    has_more: bool = False
    next_page: str | None = None


async def fetch(
    client: httpx.AsyncClient, source: SourceName, key: str, from_day: date, to_day: date, sleep: Sleep
) -> bytes:
    """All pages of a report as one JSON list, of the UTC days, both included. Raises FetchFailed."""
    report = REPORTS[source]
    pages: list[bytes] = []
    for path in report.paths:
        query = report.query(from_day, to_day)
        cursor: str | None = ""
        while cursor is not None:
            if len(pages) >= PAGES_MAX:
                raise FetchFailed(f"more than {PAGES_MAX} pages; ask for fewer days")
            parameters = [*query, ("page", cursor)] if cursor else query
            page = await _page(client, path, parameters, report.headers(key), sleep)
            pages.append(page)
            cursor = _following(page)
    return b"[" + b",".join(pages) + b"]"


def _following(page: bytes) -> str | None:
    try:
        cursor = msgspec.json.decode(page, type=_Cursor)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise FetchFailed(f"the answer is not a page of a report: {fault}") from None
    return cursor.next_page if cursor.has_more else None


async def _page(client: httpx.AsyncClient, path: str, query: Query, headers: Mapping[str, str], sleep: Sleep) -> bytes:
    status = 0
    for tried in range(1, TRIES_MAX + 1):
        try:
            status, told, body = await _ask(client, path, query, headers)
        except httpx.HTTPError as fault:
            raise FetchFailed(f"the provider was not reached ({type(fault).__name__})") from None
        if status == 200:
            return body
        if status in (401, 403):
            raise FetchFailed(f"HTTP {status}: take a credential that holds an admin key of the organization")
        if status != 429 and status < 500:
            raise FetchFailed(f"HTTP {status} from {path}")
        if tried < TRIES_MAX:
            await sleep(_wait_s(told, tried))
    raise FetchFailed(f"HTTP {status} from {path}, {TRIES_MAX} times; try again later")


async def _ask(
    client: httpx.AsyncClient, path: str, query: Query, headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str], bytes]:
    body = bytearray()
    async with client.stream("GET", path, params=httpx.QueryParams(tuple(query)), headers=headers) as answer:
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > PAGE_BYTES_MAX:
                raise FetchFailed(f"a page of more than {PAGE_BYTES_MAX} bytes; ask for fewer days")
    return answer.status_code, answer.headers, bytes(body)


def _wait_s(headers: Mapping[str, str], tried: int) -> float:
    """As long as the provider says, within bounds; else twice as long each time."""
    said = headers.get("retry-after", "")
    return min(WAIT_S_MAX, float(said) if said.isdigit() else 2.0**tried)
