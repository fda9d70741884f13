"""Owns which files hold a sample of their calls, and who the calls are that are not in it.

A sampled file has the column `weight`: for how many calls a row stands. Beside it, outside the table, lie the
identities of those that were dropped: one that is sent again is known by them.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.lake.identity import COLUMNS, identities
from control_plane.lake.table import File
from gateway.lake.store import Missing, Shelf, StoreFault

SAMPLED = "sampled-"
# Of the lake; each `<folder>/<path of the sampled file in its table>`.
FOLDER = "sampled_out"


def is_sampled(file: File) -> bool:
    return is_sampled_path(file.path)


def is_sampled_path(path: str) -> bool:
    return path.rpartition("/")[2].startswith(SAMPLED)


def dropped_key(path: str) -> str:
    """Where the identities of those are that a sampled file of that path stands for and does not hold."""
    return f"{FOLDER}/{path}"


def dropped_of(store: Shelf, file: File) -> Any:
    """Their identities. Raises StoreFault."""
    rows = _dropped(store, file)
    return pa.chunked_array([], pa.string()) if rows is None else identities(rows)


def carry_dropped(store: Shelf, old: Sequence[File], new: File) -> None:
    """Has a file that takes the place of others know what they knew. Raises StoreFault."""
    known = [rows for file in old if (rows := _dropped(store, file)) is not None]
    if known:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.concat_tables(known), sink, compression="zstd", store_schema=False)
        store.create(dropped_key(new.path), sink.getvalue().to_pybytes())


def _dropped(store: Shelf, file: File) -> Any | None:
    """None if nothing was dropped: every stratum had one call."""
    try:
        with store.open(dropped_key(file.path)) as opened:
            return pq.read_table(opened, columns=list(COLUMNS))
    except Missing:
        return None
    except (pa.ArrowException, OSError) as error:
        raise StoreFault(f"{dropped_key(file.path)} cannot be read ({type(error).__name__})") from None
