"""Owns the bytes of a Parquet file, and what in it says which segment it came from."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.lake.schema import SCHEMA, SCHEMA_VERSION

_DIGEST = b"lensai.content_sha256"
_VERSION = b"lensai.schema_version"

# zstd's own default; beyond it files shrink by a few per cent for twice the CPU.
_ZSTD_LEVEL = 3


def encode_parquet(table: Any, content_sha256: str) -> bytes:
    """A whole file of a pyarrow Table; the same bytes for the same table and pyarrow version."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        write_statistics=True,
        # A landing file holds about a second: dictionaries, and Arrow's own copy of the schema, would be most of it.
        use_dictionary=False,
        store_schema=False,
        sorting_columns=pq.SortingColumn.from_ordering(SCHEMA, [("project_id", "ascending"), ("ts", "ascending")]),
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_DIGEST: content_sha256, _VERSION: str(SCHEMA_VERSION)})
    return sink.getvalue().to_pybytes()


def source_digest(data: bytes) -> str | None:
    """The digest a file was written with; None if it has no footer of ours."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(data)).metadata
    except (pa.ArrowException, OSError):
        return None
    digest = (metadata or {}).get(_DIGEST)
    return digest.decode("ascii", "replace") if digest else None
