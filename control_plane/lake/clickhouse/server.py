"""Owns the way to a ClickHouse server: statements over its HTTP interface, answers as Arrow. Knows no table.

https://clickhouse.com/docs/interfaces/http. What a server says of a failure quotes the statement with its parameters:
only the failure's name and number are told.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pyarrow as pa

# A day of calls is loaded and summed in less.
STATEMENT_S = 600.0
# "Code: 60. DB::Exception: … (UNKNOWN_TABLE) (version …)"
_CODE, _NAME = re.compile(r"Code: (\d{1,5})\."), re.compile(r"\(([A-Z][A-Z_]{2,60})\)")

Value = str | int | float | Sequence[str] | Sequence[int] | Sequence[float] | None


class ServerFault(Exception):
    """The server did not do it, or could not be reached. The message names no password."""


class Server:
    """A database of a server: `http[s]://[user:password@]host[:port]/database`. Raises ValueError for anything else."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write http://user:password@host:8123/database")
        self._database = parts.path.strip("/") or "default"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        address = f"{parts.scheme}://{host}:{parts.port or (8443 if parts.scheme == 'https' else 8123)}"
        user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._client = httpx.Client(base_url=address, auth=user, timeout=httpx.Timeout(STATEMENT_S, connect=10.0))

    def execute(self, statement: str) -> None:
        """Does it. Raises ServerFault."""
        self._send({}, statement.encode())

    def insert(self, table: str, parquet: bytes) -> None:
        """Adds the rows of a Parquet file, whose columns have the table's names. Raises ServerFault."""
        self._send({"query": f"INSERT INTO {table} FORMAT Parquet"}, parquet)

    def ask(self, statement: str, parameters: Mapping[str, Value]) -> Any:
        """The rows as a pyarrow Table; `{name:Type}` in the statement is a parameter. Raises ServerFault."""
        given = {f"param_{name}": written(value) for name, value in parameters.items()}
        answer = self._send(given, f"{statement}\nFORMAT ArrowStream".encode())
        if not answer:
            return pa.table({})
        return pa.ipc.open_stream(answer).read_all()

    def close(self) -> None:
        self._client.close()

    def _send(self, query: Mapping[str, str], body: bytes) -> bytes:
        settings = {"database": self._database, "output_format_arrow_low_cardinality_as_dictionary": "0"}
        try:
            answer = self._client.post("/", params={**settings, **query}, content=body)
        except httpx.HTTPError as error:
            raise ServerFault(f"ClickHouse cannot be reached: {type(error).__name__}") from None
        if not answer.is_success:
            raise ServerFault(f"ClickHouse answers {answer.status_code}: {_named(answer.text)}")
        return answer.content


def written(value: Value) -> str:
    r"""A parameter as the interface reads it: text as in tab-separated lines, `\N` for null, a list in brackets."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Sequence):
        return f"[{','.join(_literal(one) for one in value)}]"
    return str(value)


def _named(fault: str) -> str:
    code, names = _CODE.search(fault), _NAME.findall(fault)
    return f"{names[-1] if names else 'no reason'} ({code[1] if code else 'no code'})"


def _literal(value: str | int | float) -> str:
    return f"'{_escaped(value)}'" if isinstance(value, str) else str(value)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b"})
