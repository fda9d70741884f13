"""Owns the files of reported events in the lake: signed NDJSON, written by the landing, read by whoever curates.

The first line is the header, `{"lensai_events":1,"count":2,"signature":"<key id>.<base64url of HMAC-SHA256>"}`; what is
signed is all bytes behind it. Each other line is one record: a JSON object with the fields of a Record
(gateway/contract/record.py) by name; a field that has its default is left out.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, fields

from control_plane.keyring import Keyring
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.schema import SCHEMA

VERSION = 1
PURPOSE = "ingest-file"


class BatchFault(ValueError):
    """A file that is not what it says it is; it is not read in part."""


class _Header(msgspec.Struct, frozen=True):
    lensai_events: int
    count: int
    signature: str


def _line_type() -> type[Any]:
    """A Record as an object: the same fields and types, by name."""
    declared = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in fields(Record)
    ]
    return msgspec.defstruct("Line", declared, kw_only=True, frozen=True, omit_defaults=True)


_Line = _line_type()
_encoder = msgspec.json.Encoder()
_header_decoder = msgspec.json.Decoder(_Header)
_line_decoder: Any = msgspec.json.Decoder(_Line)


def encode_batch(records: Sequence[Record], keyring: Keyring) -> bytes:
    """A whole file; the same bytes for the same records and key."""
    lines = _encoder.encode_lines([_Line(**asdict(record)) for record in records])
    header = _Header(VERSION, len(records), keyring.sign(lines, PURPOSE))
    return _encoder.encode(header) + b"\n" + lines


def read_records(data: bytes, keyring: Keyring | None) -> list[Record]:
    """The records of a file. Raises BatchFault unless a key of the ring signed it; without a ring nothing is checked.

    Another format is refused; fields that this version does not know are passed over.
    """
    head, _, lines = data.partition(b"\n")
    try:
        header = _header_decoder.decode(head)
        if header.lensai_events != VERSION:
            raise BatchFault(f"is of format {header.lensai_events}; {VERSION} is the one that is read here")
        if keyring is not None and not _is_signed(lines, header.signature, keyring):
            raise BatchFault("no key of the ring signed this")
        records = [Record(**asdict(line)) for line in _line_decoder.decode_lines(lines)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BatchFault(f"is no file of reported events: {type(error).__name__}") from None
    if len(records) != header.count:
        raise BatchFault(f"holds {len(records)} events and says {header.count}")
    return records


def _is_signed(lines: bytes, signature: str, keyring: Keyring) -> bool:
    # Text beyond ASCII cannot be compared in constant time, and is no signature.
    return signature.isascii() and keyring.is_signed(lines, signature, PURPOSE)


def read_batch(data: bytes, keyring: Keyring | None = None) -> Any:
    """The same as a pyarrow Table in the schema of gateway/lake/schema.py, sorted by project, time and request."""
    records = read_records(data, keyring)
    return to_table(records) if records else SCHEMA.empty_table()


def holds_the_same(existing: bytes, data: bytes) -> bool:
    """Whether two files hold the same lines, whichever key signed them."""
    return _lines(existing) == _lines(data)


def _lines(data: bytes) -> bytes:
    return data.partition(b"\n")[2]
