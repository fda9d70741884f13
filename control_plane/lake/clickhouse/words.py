"""Owns ClickHouse's words for the lake's SQL: statements are written once, for DuckDB, in what both engines understand.

What ClickHouse calls by another name is here. A test puts every question to both engines, over the same calls.
"""

import re
from collections.abc import Mapping

# Functions and words of the same meaning, with the same arguments.
_WORDS: Mapping[str, str] = {
    "EXCLUDE": "EXCEPT",
    "TIMESTAMPTZ": "DateTime64(6, 'UTC')",
    "TRY_CAST": "CAST",
    "array_to_string": "arrayStringConcat",
    "cardinality": "length",
    "epoch": "toUnixTimestamp",
    "epoch_us": "toUnixTimestamp64Micro",
    "len": "length",
    "list_contains": "has",
    "list_distinct": "arrayDistinct",
    "list_has_any": "hasAny",
    "list_resize": "arrayResize",
    "list_sort": "arraySort",
    "make_timestamptz": "fromUnixTimestamp64Micro",
    "map": "mapFromArrays",
    "to_json": "toJSONString",
    "unnest": "arrayJoin",
}
# Every parameter that a statement may have ($name), and every variable of a scope.
_TYPES: Mapping[str, str] = {
    "before_id": "Nullable(String)",
    "before_us": "Nullable(Int64)",
    "by": "Nullable(String)",
    "edge_us": "Int64",
    "edges": "Array(Int64)",
    "ended_us": "Int64",
    "first": "Array(String)",
    "limit": "UInt32",
    "measure": "String",
    "percents": "Array(Float64)",
    "request_id": "String",
    "sort": "String",
    "org_id": "String",
    "project_id": "String",
    "from_us": "Int64",
    "to_us": "Int64",
    **dict.fromkeys(
        ("key_id", "user_id", "team", "tag", "route", "provider", "model", "status", "outcome"), "Array(String)"
    ),
}
# What makes ClickHouse read them as DuckDB does: sums of nothing are null, casts of null too, and a name is a column's
# before it is what a SELECT calls its results.
_SETTINGS: Mapping[str, int] = {
    "aggregate_functions_null_for_empty": 1,
    "cast_keep_nullable": 1,
    "group_by_use_nulls": 1,
    "join_use_nulls": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "prefer_column_name_to_alias": 1,
}
SETTINGS = "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())

_REMARK = re.compile(r"^\s*--[^\n]*\n", re.MULTILINE)
_BUCKET = re.compile(r"time_bucket\((INTERVAL \d+ \w+), (\w+)\)")
_PARAMETER = re.compile(r"\$(\w+)|getvariable\('(\w+)'\)")
# A text in quotes stands as it is.
_WORD = re.compile(rf"'[^']*'|\b(?:{'|'.join(_WORDS)})\b")


def without_remarks(sql: str) -> str:
    return _REMARK.sub("", sql).strip()


def in_clickhouse(sql: str) -> str:
    """The statement, without its remarks. Raises KeyError for a parameter that has no type here."""
    text = _BUCKET.sub(r"toStartOfInterval(\2, \1)", without_remarks(sql))
    text = _WORD.sub(lambda found: _WORDS.get(found[0], found[0]), text)
    return _PARAMETER.sub(_parameter, text)


def _parameter(found: re.Match[str]) -> str:
    name = found[1] or found[2]
    return f"{{{name}:{_TYPES[name]}}}"
