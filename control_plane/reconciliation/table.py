"""Owns reading exports that are tables: CSV by the names of its columns, packed with gzip or not. Pure."""

import csv
import io
import re
import zlib
from collections.abc import Iterator, Mapping

from control_plane.reconciliation.lines import Unreadable

# A month of a busy account; packed exports are a tenth of it.
TEXT_BYTES_MAX = 512 * 1024 * 1024
# Tags make long cells; nothing that is read here has more.
CELL_CHARS_MAX = 1024 * 1024
_GZIP = b"\x1f\x8b"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def unpacked(data: bytes) -> bytes:
    """The text of a file that may be packed, in one member or several (RFC 1952, 2.2). Raises Unreadable."""
    if data[:2] != _GZIP:
        return data
    text, rest = bytearray(), data
    while rest.strip(b"\0"):  # some writers fill a block with zeros
        unpacker = zlib.decompressobj(wbits=31)
        try:
            text += unpacker.decompress(rest, TEXT_BYTES_MAX - len(text) + 1)
        except zlib.error as fault:
            raise Unreadable(f"the gzip file is damaged: {fault}") from None
        if len(text) > TEXT_BYTES_MAX:
            raise Unreadable(f"unpacked it has more than {TEXT_BYTES_MAX} bytes; export fewer days at a time")
        if not unpacker.eof:
            raise Unreadable("the gzip file is cut short")
        rest = unpacker.unused_data
    return bytes(text)


def column(name: str) -> str:
    """One spelling for the names of a column: "lineItem/UsageType" and "line_item_usage_type" are the same."""
    return _CAMEL.sub("_", name.strip()).replace("/", "_").replace(" ", "_").replace(":", "_").lower()


def rows(data: bytes, needed: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each line's number in the file and its cells by `column` names. Raises Unreadable, also while it is read."""
    try:
        text = unpacked(data).decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Unreadable(f"byte {fault.start} is not UTF-8; export it as UTF-8") from None
    csv.field_size_limit(CELL_CHARS_MAX)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [column(name) for name in next(reader, list[str]())]
        missing = [name for name in needed if name not in names]
        if missing:
            raise Unreadable(f"line 1: the columns {', '.join(missing)} are missing")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise Unreadable(f"line {reader.line_num}: {len(cells)} cells, and {len(names)} columns")
            yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as fault:
        raise Unreadable(f"line {reader.line_num}: {fault}") from None
