"""Owns which call a row is: its organization and the request's id together, for reporters choose ids themselves."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

from collections.abc import Iterable
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

COLUMNS = ("org_id", "request_id")
# In no organization's id, so that two pairs never make one text.
_BETWEEN = "\0"


def identities(table: Any) -> Any:
    """A text for each row of a table that has COLUMNS; rows of one call have the same."""
    org_ids, request_ids = (pc.fill_null(table.column(name).cast(pa.string()), "") for name in COLUMNS)
    return pc.binary_join_element_wise(org_ids, request_ids, _BETWEEN)


def identities_of(file: BinaryIO) -> Any:
    """The same of a Parquet file. Raises ArrowException, OSError."""
    return identities(pq.read_table(file, columns=list(COLUMNS)))


def once(rows: Any) -> Any:
    """Each call's first row, in their order; the table itself, not a copy, where each has one."""
    ids = identities(rows)
    if len(pc.unique(ids)) == rows.num_rows:
        return rows
    numbered = pa.table({"id": ids, "at": pa.array(range(rows.num_rows), pa.int64())})
    first = numbered.group_by("id").aggregate([("at", "min")]).column("at_min")
    return rows.take(first.take(pc.sort_indices(first)))


def without(rows: Any, known: Iterable[Any]) -> Any:
    """The rows of calls that are in none of some arrays of identities; the table itself where that is all of them.

    Looks at one array at a time: rows of a month may meet all files of it.
    """
    ids = identities(rows)
    found = [chunk for column in known for chunk in column.filter(pc.is_in(column, value_set=ids)).chunks if len(chunk)]
    if not found:
        return rows
    return rows.filter(pc.invert(pc.is_in(ids, value_set=pa.chunked_array(found, pa.string()))))
