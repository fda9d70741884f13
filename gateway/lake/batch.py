"""Owns the way from records to an Arrow table. Knows no files."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa

from gateway.contract.record import Record
from gateway.lake.schema import COLUMNS, SCHEMA, Column

_FIELDS = Record.__struct_fields__
_values_of = attrgetter(*_FIELDS)


class Unrepresentable(Exception):
    """A value that no column can hold: a cost of a billion dollars, a count beyond 63 bits."""


def to_table(records: Sequence[Record]) -> Any:
    """A pyarrow Table with one row a record, sorted by project, then time, then request. Raises Unrepresentable."""
    ordered = sorted(records, key=attrgetter("project_id", "ts_ns", "request_id"))
    by_field: dict[str, Sequence[Any]] = dict.fromkeys(_FIELDS, ())
    by_field.update(zip(_FIELDS, zip(*map(_values_of, ordered), strict=True), strict=False))
    try:
        return pa.Table.from_arrays([_array(column, by_field[column.field]) for column in COLUMNS], schema=SCHEMA)
    except (pa.ArrowException, OverflowError) as error:
        raise Unrepresentable(type(error).__name__) from None


def representable(records: Sequence[Record]) -> list[Record]:
    """Those that the columns have room for, in their order."""
    try:
        to_table(records)
    except Unrepresentable:
        half = len(records) // 2
        return [*representable(records[:half]), *representable(records[half:])] if half else []
    return list(records)


def _array(column: Column, values: Sequence[Any]) -> Any:
    return pa.array(column.convert(values) if column.convert else values, column.type)
