"""Owns files of what the lake holds: CSV and Parquet, written as rows come, and a signed manifest beside them.

A signed export is a ZIP of the file and `manifest.json`, which names the file's digest, its rows and what was asked.
The manifest comes last, since nobody knows a digest before the end; a file without it was cut off. Both say whether
the figures are an estimate: the manifest once, the file in each row.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportMissingParameterType=false
# pyright: reportAttributeAccessIssue=false

import hashlib
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from control_plane.api.cells import FORMULA, MARK, NUMBER
from control_plane.keyring import Keyring
from control_plane.lake.query import Lake, Part, Question

Format = Literal["csv", "parquet"]
MEDIA_TYPES: Mapping[Format, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
ZIP = "application/zip"
# A group of Parquet rows is held until it is whole: some ten megabytes of calls.
GROUP_ROWS = 20_000
_PURPOSE = "usage-export"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file holds. `parameters` is the query as it was asked.

    `estimated`: of some of the calls only a sample was left to answer from. Not there: an older program wrote it.
    """

    org_id: str
    file: str
    sha256: str
    bytes: int
    rows: int
    parameters: str
    from_ms: int
    to_ms: int
    exported_at_ms: int
    estimated: bool | None = None


class Exported(NamedTuple):
    """A question as a file: its rows, and in the last column whether they are an estimate, if there is to be one."""

    question: Question
    format: Format
    estimate_column: str | None = None


class Sealed(msgspec.Struct, frozen=True):
    """manifest.json. What is signed is the manifest as this program writes it: its fields in their order."""

    manifest: Manifest
    signature: str


def seal(manifest: Manifest, keyring: Keyring) -> bytes:
    return msgspec.json.encode(Sealed(manifest, keyring.sign(msgspec.json.encode(manifest), _PURPOSE)))


def is_sealed(sealed: Sealed, keyring: Keyring) -> bool:
    """Whether a key of the ring signed the manifest as it is."""
    return keyring.is_signed(msgspec.json.encode(sealed.manifest), sealed.signature, _PURPOSE)


async def file(lake: Lake, exported: Exported) -> AsyncIterator[bytes]:
    """The file as it comes to be. Raises Unanswered, before the first bytes if the question cannot be asked."""
    async for piece in _pieces(lake, exported.question, _File(exported)):
        yield piece


async def archive(lake: Lake, exported: Exported, manifest: Manifest, keyring: Keyring) -> AsyncIterator[bytes]:
    """A ZIP of the file, named by the manifest, and of the manifest with what is known at its end."""
    sink, digest, size, written = _Sink(), hashlib.sha256(), 0, _File(exported)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as whole:
        with whole.open(manifest.file, "w", force_zip64=True) as member:
            async for piece in _pieces(lake, exported.question, written):
                digest.update(piece)
                size += len(piece)
                member.write(piece)
                for some in sink.take():
                    yield some
        known = msgspec.structs.replace(
            manifest, sha256=digest.hexdigest(), bytes=size, rows=written.rows, estimated=written.estimated
        )
        whole.writestr("manifest.json", seal(known, keyring))
    for some in sink.take():
        yield some


async def _pieces(lake: Lake, question: Question, written: "_File") -> AsyncIterator[bytes]:
    async for part in lake.parts(question):
        for piece in written.add(part):
            yield piece
    for piece in written.end():
        yield piece


class _Writer(Protocol):
    def write_table(self, table: Any) -> None: ...
    def close(self) -> None: ...


class _Sink:
    """Takes what is written, until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written is there to be taken."""

    def take(self) -> Iterator[bytes]:
        parts, self._parts = self._parts, []
        return iter(parts)


class _File:
    """One file of parts that come one after the other; the first, which may be empty, tells the columns."""

    def __init__(self, exported: Exported) -> None:
        self.rows = 0
        self.estimated = False
        self._format, self._estimate_column = exported.format, exported.estimate_column
        self._sink = _Sink()
        self._writer: _Writer | None = None
        self._held: list[Any] = []

    def add(self, part: Part) -> Iterator[bytes]:
        self.rows += part.rows.num_rows
        self.estimated = part.estimated
        batch = _saying(part, self._estimate_column)
        if self._writer is None:
            self._writer = self._begin(batch.schema)
        self._held.append(batch)
        if sum(held.num_rows for held in self._held) >= (GROUP_ROWS if self._format == "parquet" else 1):
            self._write()
        return self._sink.take()

    def end(self) -> Iterator[bytes]:
        self._write()
        if self._writer is not None:
            self._writer.close()
        return self._sink.take()

    def _begin(self, schema: Any) -> _Writer:
        into = pa.PythonFile(self._sink, mode="w")
        if self._format == "csv":
            return csv.CSVWriter(into, _in_cells(schema.empty_table()).schema)
        return pq.ParquetWriter(into, schema, compression="zstd")

    def _write(self) -> None:
        if self._writer is not None and self._held:
            table = pa.Table.from_batches(self._held)
            self._writer.write_table(_in_cells(table) if self._format == "csv" else table)
            self._held.clear()


def _saying(part: Part, column: str | None) -> Any:
    if column is None:
        return part.rows
    return part.rows.append_column(column, pa.array([part.estimated] * part.rows.num_rows, pa.bool_()))


def _in_cells(table: Any) -> Any:
    """The same as CSV has it: moments in RFC 3339, and every text that a spreadsheet would compute marked as text."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, _rfc3339(column))
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(place, field, _without_formulas(column, field.type))
    return table


def _rfc3339(column: Any) -> Any:
    """In UTC with `Z`; without fractions of a second where there are none."""
    text = column.cast(pa.timestamp("us")).cast(pa.string())
    return pc.replace_substring_regex(text, r"^(\S+) ([^.]+)(\.0+)?(\.\d+)?$", r"\1T\2\4Z")


def _without_formulas(column: Any, type_: Any) -> Any:
    computed = pc.and_not(pc.match_substring_regex(column, FORMULA), pc.match_substring_regex(column, NUMBER))
    marked = pc.binary_join_element_wise(pa.scalar(MARK, type_), column, pa.scalar("", type_))
    return pc.if_else(computed, marked, column)
