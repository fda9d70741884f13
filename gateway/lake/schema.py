"""Owns the columns of an event: their names, order and types, and which field of a Record each one shows.

The names are what dashboards, SQL and other tools are written against: a column is added at the end and never
renamed or retyped. Buckets have a column each, not a map: sums over one read that column alone, its statistics
prune, and one that is nothing but zeros takes no room.
"""
# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa

# Written into every file; a reader that finds a greater one than it knows may find columns it does not.
SCHEMA_VERSION = 1

# Buckets of pricing.usage.Usage. One that is missing here still lands, in `buckets_more`.
BUCKETS = (
    "input_text",
    "input_audio",
    "input_image",
    "input_video",
    "cache_read_text",
    "cache_read_audio",
    "cache_read_image",
    "cache_read_video",
    "cache_write",
    "cache_write_5m",
    "cache_write_30m",
    "cache_write_1h",
    "cache_write_12h",
    "output_text",
    "output_reasoning",
    "output_audio",
    "output_image",
    "output_video",
    "output_citation",
    "output_audio_ms",
    "web_searches",
    "file_searches",
    "input_characters",
    "input_audio_ms",
    "input_pages",
    "input_annotated_pages",
    "input_messages",
    "rerank_searches",
    "input_images",
    "input_pixels",
    "output_images",
    "trained_tokens",
)


Values = Sequence[Any]


class Column(NamedTuple):
    """One column. `convert` turns a field's values into what Arrow takes for the type; None takes them as they are."""

    name: str
    type: Any
    field: str
    convert: Callable[[Values], Values] | None = None


def _us(times_ns: Values) -> Values:
    # Microseconds: the finest that Delta Lake, Spark and DuckDB's time zone type share.
    return [time_ns // 1000 for time_ns in times_ns]


def _ms(durations_us: Values) -> Values:
    return [None if duration_us is None else duration_us / 1000 for duration_us in durations_us]


def _usd(amounts_nanousd: Values) -> Values:
    return [None if amount is None else Decimal(amount).scaleb(-9) for amount in amounts_nanousd]


def _or_none(values: Values) -> Values:
    """Null for an empty text or a zero that stands for "there is none"."""
    return [value or None for value in values]


def _bucket(name: str) -> Callable[[Values], Values]:
    # A Record leaves out the buckets that are zero; a usage that is unknown as a whole stays unknown.
    return lambda usages: [None if usage is None else usage.get(name, 0) for usage in usages]


def _more(usages: Values) -> Values:
    known = frozenset(BUCKETS)
    return [
        None if usage is None or usage.keys() <= known else [row for row in usage.items() if row[0] not in known]
        for usage in usages
    ]


def _rows(maps: Values) -> Values:
    return [None if one is None else list(one.items()) for one in maps]


_TEXT, _COUNT, _LIST = pa.string(), pa.int64(), pa.list_(pa.string())

COLUMNS: tuple[Column, ...] = (
    Column("ts", pa.timestamp("us", tz="UTC"), "ts_ns", _us),
    Column("project_id", _TEXT, "project_id"),
    Column("request_id", _TEXT, "request_id"),
    Column("user_id", _TEXT, "user_id"),
    Column("route", _TEXT, "route"),
    Column("provider", _TEXT, "provider"),
    Column("model", _TEXT, "model"),
    Column("tokens_in", _COUNT, "tokens_in"),
    Column("tokens_out", _COUNT, "tokens_out"),
    Column("cost_usd", pa.decimal128(18, 9), "cost_nanousd", _usd),
    Column("latency_ms", pa.float64(), "latency_us", _ms),
    Column("status", pa.int16(), "status", _or_none),
    Column("metadata", _TEXT, "metadata", _or_none),  # JSON text, so never empty
    Column("org_id", _TEXT, "org_id"),
    Column("key_id", _TEXT, "key_id"),
    Column("team", _TEXT, "team"),
    Column("tags", _LIST, "tags"),
    Column("upstream", _TEXT, "upstream"),
    Column("endpoint", _TEXT, "endpoint"),
    Column("model_requested", _TEXT, "model_requested"),
    Column("mode", _TEXT, "mode"),
    Column("stream", pa.bool_(), "stream"),
    Column("outcome", _TEXT, "outcome"),
    Column("refusal_code", _TEXT, "refusal_code"),
    Column("provenance", _TEXT, "provenance"),
    Column("price_match", _TEXT, "price_match"),
    Column("price_version", _TEXT, "price_version"),
    Column("service_tier", _TEXT, "service_tier"),
    Column("ttft_ms", pa.float64(), "ttft_us", _ms),
    Column("bytes_in", _COUNT, "bytes_in"),
    Column("bytes_out", _COUNT, "bytes_out"),
    Column("upstream_status", pa.int16(), "upstream_status", _or_none),
    Column("upstream_request_id", _TEXT, "upstream_request_id"),
    Column("flags", _LIST, "flags"),
    Column("record_version", pa.int16(), "version"),
    Column("work_id", _TEXT, "work_id", _or_none),
    *(Column(name, _COUNT, "buckets", _bucket(name)) for name in BUCKETS),
    Column("buckets_more", pa.map_(_TEXT, _COUNT), "buckets", _more),
    Column("counters", pa.map_(_TEXT, _COUNT), "counters", _rows),
    Column("ledger_seq", _COUNT, "ledger_seq", _or_none),
    Column("refusal_reason", _TEXT, "refusal_reason", _or_none),
)

SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])
