"""Owns the reading of Bedrock's Converse: a whole answer, or the `metadata` event of a stream.

Input excludes both caches, and the total is all four (provider_facts section 1: 19 of 19). No answer names its
model: Bedrock bills the one in the path, whose prefix is part of its price.
"""

from typing import cast

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, draw, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# Where a cache write of a stated time to live is counted; the API knows these two (botocore 1.44, CacheTTL).
_WRITES = {"5m": "cache_write_5m", "1h": "cache_write_1h"}


class _CacheDetail(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    ttl: object = None
    input_tokens: Count | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    # The same, as Nova spells it in answers of InvokeModel.
    cache_read_input_token_count: Count | None = None
    cache_write_input_token_count: Count | None = None
    cache_details: list[_CacheDetail] | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    usage: msgspec.Raw = msgspec.Raw()
    service_tier: object = None
    performance_config: object = None
    message: object = None  # an error's


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)


def read(payload: bytes, provider: str) -> Reading:
    """One answer, or one event. Raises NotJson or msgspec.ValidationError for what is neither."""
    answer = jsontext.decode(_answers, payload)
    usage, flags = read_usage(answer.usage)
    if isinstance(answer.message, str):
        flags += (PROVIDER_ERROR,)
    latency = _member(answer.performance_config, "latency")
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        service_tier=_member(answer.service_tier, "type"),
        context=(("latency", latency),) if latency else (),
        flags=flags,
    )


def read_usage(stated: msgspec.Raw) -> tuple[Usage | None, tuple[str, ...]]:
    """The buckets of a `usage` in Converse's words, and flags; None where it states nothing or makes no sense.

    Raises NotJson for a text that is not UTF-8.
    """
    try:
        usage = jsontext.decode(_usages, bytes(stated)) if is_stated(stated) else _Usage()
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)
    if usage.input_tokens is None and usage.output_tokens is None:
        return None, ()
    buckets = _buckets(usage)
    total = usage.total_tokens
    return (buckets, ()) if total in (None, buckets.tokens_in + buckets.tokens_out) else (None, (INCONSISTENT,))


def _buckets(usage: _Usage) -> Usage:
    written = [usage.cache_write_input_tokens or usage.cache_write_input_token_count or 0]
    writes = dict.fromkeys(_WRITES.values(), 0)
    for detail in usage.cache_details or ():
        if bucket := _WRITES.get(str(detail.ttl)):
            writes[bucket] += draw(written, detail.input_tokens or 0)[0]
    return Usage(
        input_text=usage.input_tokens or 0,
        cache_read_text=usage.cache_read_input_tokens or usage.cache_read_input_token_count or 0,
        cache_write=written[0],
        **writes,
        output_text=usage.output_tokens or 0,
    )


def _member(value: object, name: str) -> str | None:
    return text_or_none(cast("dict[str, object]", value).get(name)) if isinstance(value, dict) else None
