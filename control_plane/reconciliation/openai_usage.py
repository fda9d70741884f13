"""Owns reading OpenAI's usage API: pages of `GET /v1/organization/usage/{completions,embeddings,moderations}`.

Source: platform.openai.com/docs/api-reference/usage and its OpenAPI document (2.3.0): `input_tokens` includes cached
and cache-write tokens, of text, audio and images; `model` is null unless the report was grouped by it. Buckets begin at
UTC midnights with `bucket_width=1d`.
"""

from datetime import date
from typing import Annotated

import msgspec

from control_plane.reconciliation.lines import Account, Measure, Tally, Unreadable, account
from control_plane.reconciliation.pages import day_of, decoded, following

PROVIDER = "openai"
_KINDS = ("completions", "embeddings", "moderations")
_OBJECTS = {f"organization.usage.{kind}.result": kind for kind in _KINDS}

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Result(msgspec.Struct, frozen=True):
    object: str
    input_tokens: _Count
    num_model_requests: _Count
    output_tokens: _Count = 0
    input_cached_tokens: _Count | None = None
    input_cache_write_tokens: _Count | None = None
    model: str | None = None


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
            _add(tally, day, result, f"data[{number}].results[{place}]")
    return account(tally, days, following([(page.has_more, page.next_page) for page in pages]))


def _add(tally: Tally, day: date, result: _Result, where: str) -> None:
    kind = _OBJECTS.get(result.object)
    if kind is None:
        raise Unreadable(f"{where}.object: {result.object!r} has no tokens; export {', '.join(_KINDS)}")
    if result.model is None:
        raise Unreadable(f"{where}.model: is null; ask for group_by=model")
    cached, written = result.input_cached_tokens or 0, result.input_cache_write_tokens or 0
    if cached + written > result.input_tokens:
        raise Unreadable(f"{where}.input_cached_tokens: more than input_tokens, of which they are a part")
    counts: dict[Measure, int] = {
        "input": result.input_tokens - cached - written,
        "cache_read": cached,
        "cache_write": written,
        "output": result.output_tokens,
        "requests": result.num_model_requests,
    }
    for measure, count in counts.items():
        tally.add(day, result.model, kind, measure, quantity=count)
