"""Owns reading AWS's Cost and Usage Report (CUR 2.0 and the legacy one; CSV, gzip or Parquet): Bedrock's lines of it.

Source: docs.aws.amazon.com/bedrock/latest/userguide/cost-mgmt-understanding-cur-data.html: a line for each token type,
usage types `USE1-Claude4.6Sonnet-input-tokens`, `…-output-tokens`, `…-cache-read-input-token-count`,
`…-cache-write-input-token-count`, `…-mantle-input-tokens-standard`, then the tier and `-cross-region-global`;
docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2-line-item.html for the columns. Models sold through AWS
Marketplace ("… (Amazon Bedrock Edition)") have usage types such as `USE1-MP:USE1_InputTokenCount-Units` and the unit in
their description.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import io
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.reconciliation.lines import Account, Measure, Tally, Unreadable, account, exact
from control_plane.reconciliation.table import column, rows

PROVIDER = "bedrock"

_TYPE, _PRODUCT = "line_item_line_item_type", "line_item_product_code"
_START, _USAGE = "line_item_usage_start_date", "line_item_usage_type"
_AMOUNT, _COST = "line_item_usage_amount", "line_item_unblended_cost"
_CURRENCY, _DESCRIPTION = "line_item_currency_code", "line_item_line_item_description"
_UNIT = "pricing_unit"
_NEEDED = (_TYPE, _PRODUCT, _START, _USAGE, _AMOUNT, _COST)
_COLUMNS = (*_NEEDED, _CURRENCY, _DESCRIPTION, _UNIT, "product_product_name", "product")

# Taxes, credits, refunds and fees are on the bill and are no usage.
_USED = frozenset({"usage", "discountedusage", "savingsplancoveredusage"})
_EDITION = " (Amazon Bedrock Edition)"
_NAMED = re.compile(r"(?:[A-Z]{2,4}\d?-)?(?P<model>.+?)-(?:mantle-)?(?P<kind>" + "|".join((
    "cache-read-input-token-count", "cache-write-input-token-count", "cache-read-input-tokens",
    "cache-write-input-tokens", "input-tokens", "output-tokens", "input-token-count", "output-token-count",
)) + r")(?:-.*)?")  # fmt: skip
_SOLD = re.compile(r"(CacheRead|CacheWrite|Input|Output)(?:Input)?TokenCount", re.IGNORECASE)
_KINDS: tuple[tuple[str, Measure], ...] = (
    ("cacheread", "cache_read"), ("cachewrite", "cache_write"), ("input", "input"), ("output", "output"),
)  # fmt: skip
_TIMES = ((re.compile(r"million|\b1m\b", re.IGNORECASE), 10**6), (re.compile(r"thousand|1k\b", re.IGNORECASE), 10**3),
          (re.compile(r"^\s*(?:input |output )?tokens?\b|^count$", re.IGNORECASE), 1))  # fmt: skip
_PARQUET = b"PAR1"
_ROWS_A_BATCH = 20_000


def read(data: bytes) -> Account:
    """What a report says of Bedrock; everything else is passed over. Raises Unreadable."""
    tally, days = Tally(PROVIDER), set[date]()
    for number, row in _parquet(data) if data[:4] == _PARQUET else rows(data, _NEEDED):
        if row[_TYPE].lower() not in _USED:
            continue
        day = _day(row[_START], number)
        days.add(day)
        if row[_PRODUCT] == "AmazonBedrock" or _edition(row):
            _add(tally, day, row, number)
    return account(tally, sorted(days))


def _add(tally: Tally, day: date, row: Mapping[str, str], number: int) -> None:
    usage = row[_USAGE]
    model, measure = split(usage, _edition(row))
    factor = None if measure == "other" else _factor(row, number)
    quantity = None if factor is None else exact(row[_AMOUNT], f"line {number}: {_AMOUNT}") * factor
    currency = (row.get(_CURRENCY) or "USD").upper()
    cost = exact(row[_COST] or "0", f"line {number}: {_COST}")
    usd = cost if currency == "USD" else None
    tally.add(day, model, usage, measure, quantity=quantity, cost_usd=usd, currency=currency)


def split(usage_type: str, edition: str = "") -> tuple[str, Measure]:
    """The model as AWS's bill spells it, and what of it is counted. `edition`: the product sold through Marketplace."""
    if (named := _NAMED.fullmatch(usage_type)) is not None:
        return named["model"], _kind(named["kind"])
    if edition and (sold := _SOLD.search(usage_type)) is not None:
        return edition, _kind(sold[1])
    return edition, "other"


def _kind(text: str) -> Measure:
    plain = text.replace("-", "").lower()
    return next(measure for name, measure in _KINDS if plain.startswith(name))


def _factor(row: Mapping[str, str], number: int) -> int:
    """Tokens for one of the amount: the unit is the price's, or stands in the description."""
    for said in (row.get(_UNIT, ""), row.get(_DESCRIPTION, "")):
        for pattern, times in _TIMES:
            if pattern.search(said):
                return times
    raise Unreadable(f"line {number}: {_UNIT}: neither it nor the description says of how many tokens it is")


def _edition(row: Mapping[str, str]) -> str:
    for said in (row.get("product_product_name", ""), row.get(_DESCRIPTION, ""), row.get("product", "")):
        before, edition, _ = said.partition(_EDITION)
        if edition:
            return re.split(r"[|\"':{]\s*", before)[-1].strip()
    return ""


def _day(text: str, number: int) -> date:
    try:
        return datetime.fromisoformat(text[:10]).date()
    except ValueError:
        raise Unreadable(f"line {number}: {_START}: {text[:40]!r} is not a time such as 2026-11-25T00:00:00Z") from None


def _parquet(data: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    """A Parquet report's rows, as its CSV would have them."""
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        there = {column(name): name for name in file.schema_arrow.names}
        if missing := [name for name in _NEEDED if name not in there]:
            raise Unreadable(f"the columns {', '.join(missing)} are missing")
        wanted = {name: there[name] for name in _COLUMNS if name in there}
        number = 0
        for batch in file.iter_batches(_ROWS_A_BATCH, columns=list(wanted.values())):
            for cells in batch.to_pylist():
                number += 1
                yield number, {name: _text(cells[theirs]) for name, theirs in wanted.items()}
    except pa.ArrowException as fault:
        raise Unreadable(f"the Parquet file is damaged: {str(fault)[:120]}") from None


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return repr(value)  # the shortest text that is this number: what the report's CSV shows
        case Decimal() | str() | int():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
