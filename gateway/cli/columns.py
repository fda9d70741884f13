"""Owns how a call looks on a terminal: one row of columns, as many as the width takes. Prints nothing.

Everything a caller chose passes through `printable`: a model's name must not steer the terminal.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from rich.text import Text

from gateway.contract.record import Outcome, Provenance, Record

_NONE = "–"
_GAP = "  "

_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "open": ("open", "dim"),
    "ok": ("ok", "green"),
    "refused": ("refused", "yellow"),
    "upstream_error": ("provider error", "red"),
    "client_gone": ("client left", "magenta"),
    "cancelled": ("cancelled", "magenta"),
    "crashed": ("crashed", "bold red"),
    "gateway_error": ("gateway error", "bold red"),
}
_PROVENANCES: dict[Provenance, str] = {
    "reported": "green",
    "partial": "yellow",
    "estimated": "yellow",
    "held": "red",
    "unknown": "red",
    "none": "dim",
}


class Column(NamedTuple):
    """`rank` says which columns a narrow terminal keeps: the lowest. `width_max` is for those that may grow."""

    name: str
    width: int
    rank: int
    cell: Callable[[Record, tzinfo | None], Text]
    right: bool = False
    width_max: int = 0


def printable(text: str) -> str:
    """The text with everything that is not a visible character replaced."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def duration(us: int) -> str:
    """Three digits at most, and their unit."""
    if us < 999_500:
        return f"{us / 1e3:.1f} ms" if us < 9_950 else f"{us / 1e3:.0f} ms"
    if us < 59_950_000:
        return f"{us / 1e6:.2f} s" if us < 9_995_000 else f"{us / 1e6:.1f} s"
    minutes, seconds = divmod(round(us / 1e6), 60)
    return f"{minutes}m {seconds:02}s"


def money(nanousd: int) -> Text:
    """The exact amount, all nine decimals, so that a column lines up; zeros before and after the digits are dim."""
    dollars, fraction = divmod(nanousd, 10**9)
    digits = f"${dollars:,}.{fraction:09}"
    bright = digits.strip("$0.") if dollars == 0 else digits.rstrip("0")
    start = digits.find(bright)
    text = Text(digits, style="dim")
    text.stylize("not dim bold", start, start + len(bright))
    return text


def tokens_per_s(record: Record) -> float | None:
    """The speed of a stream after its first byte; None where it has none that means anything."""
    if not record.stream or record.latency_us is None or record.ttft_us is None or not record.tokens_out:
        return None
    streamed_us = record.latency_us - record.ttft_us
    return record.tokens_out * 1e6 / streamed_us if streamed_us >= 1_000 else None


def fit(width: int) -> list[Column]:
    """The columns, in order, that fit a line of this width; some grow into what is left of it."""
    left = width + len(_GAP)
    chosen: list[Column] = []
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.width + len(_GAP) > left:
            break
        left -= column.width + len(_GAP)
        chosen.append(column)
    fitting: list[Column] = []
    for column in sorted(chosen, key=COLUMNS.index):
        growth = max(0, min(left, column.width_max - column.width))
        left -= growth
        fitting.append(column._replace(width=column.width + growth))
    return fitting


def heading(columns: Sequence[Column]) -> Text:
    return _line(columns, [Text(column.name, style="bold dim") for column in columns])


def row(columns: Sequence[Column], record: Record, zone: tzinfo | None = None) -> Text:
    """One line, exactly as wide as its columns. Times are of `zone`, None being the machine's."""
    return _line(columns, [column.cell(record, zone) for column in columns])


def _line(columns: Sequence[Column], cells: Sequence[Text]) -> Text:
    for column, cell in zip(columns, cells, strict=True):
        cell.truncate(column.width, overflow="ellipsis")
        cell.align("right" if column.right else "left", column.width)
    line = Text(_GAP).join(cells)
    line.no_wrap = True
    return line


def _time(record: Record, zone: tzinfo | None) -> Text:
    return Text(datetime.fromtimestamp(record.ts_ns // 10**9, zone).strftime("%H:%M:%S"), style="dim")


def _caller(record: Record, _: tzinfo | None) -> Text:
    project = Text(printable(record.project_id) or _NONE)
    return project.append(f"/{printable(record.key_id)}", style="dim") if record.key_id else project


def _endpoint(record: Record, _: tzinfo | None) -> Text:
    return Text(record.endpoint or _NONE, style="dim").append(" ⇣" if record.stream else "")


def _model(record: Record, _: tzinfo | None) -> Text:
    return Text(printable(record.model or record.model_requested) or _NONE, style="cyan")


def _count(tokens: int | None) -> Text:
    return Text(_NONE, style="dim") if tokens is None else Text(f"{tokens:,}")


def _input(record: Record, _: tzinfo | None) -> Text:
    return _count(record.tokens_in)


def _cached(record: Record, _: tzinfo | None) -> Text:
    """Input tokens that a cache served; empty where none were."""
    tokens = sum(count for bucket, count in (record.buckets or {}).items() if bucket.startswith("cache_read"))
    return Text(f"{tokens:,}" if tokens else "", style="dim")


def _output(record: Record, _: tzinfo | None) -> Text:
    return _count(record.tokens_out)


def _cost(record: Record, _: tzinfo | None) -> Text:
    if record.cost_nanousd is not None:
        return money(record.cost_nanousd)
    return Text("unpriced", style="yellow") if record.price_match == "unpriced" else Text(_NONE, style="dim")


def _ttft(record: Record, _: tzinfo | None) -> Text:
    return Text(duration(record.ttft_us)) if record.stream and record.ttft_us is not None else Text()


def _total(record: Record, _: tzinfo | None) -> Text:
    return Text(_NONE, style="dim") if record.latency_us is None else Text(duration(record.latency_us))


def _speed(record: Record, _: tzinfo | None) -> Text:
    speed = tokens_per_s(record)
    return Text() if speed is None else Text(f"{speed:,.0f}")


def _source(record: Record, _: tzinfo | None) -> Text:
    return Text(_NONE if record.provenance == "none" else record.provenance, style=_PROVENANCES[record.provenance])


def _status(record: Record, _: tzinfo | None) -> Text:
    words, style = _OUTCOMES[record.outcome]
    words = record.refusal_code or words
    return Text(f"{record.status or _NONE} {printable(words)}", style=style)


COLUMNS = (
    Column("TIME", 8, 4, _time),
    Column("PROJECT/KEY", 18, 9, _caller),
    Column("CALL", 18, 10, _endpoint),
    Column("MODEL", 14, 0, _model, width_max=28),
    Column("IN", 7, 1, _input, right=True),
    Column("CACHED", 7, 8, _cached, right=True),
    Column("OUT", 6, 1, _output, right=True),
    Column("COST", 13, 2, _cost, right=True),
    Column("TTFT", 7, 6, _ttft, right=True),
    Column("TOTAL", 7, 3, _total, right=True),
    Column("TOK/S", 6, 7, _speed, right=True),
    Column("SOURCE", 9, 5, _source),
    Column("STATUS", 15, 3, _status, width_max=26),
)
