"""Owns what the demo says at its end: both sides' numbers by model, and what was proved or not. Decides nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.columns import money
from gateway.cli.demo_verdict import Sum, Verdict

# Beyond this many, differences have one cause.
DIFFERENCES_SHOWN_MAX = 10
# What the whole table takes; a narrower one does without the bill's tokens, whose equality the last column tells.
WIDE = 100


class Landed(NamedTuple):
    """The Parquet files of a run and where they are, their rows, and when the last was there after the last call."""

    directory: Path
    files: Sequence[Path]
    rows: int
    after_s: float


def report(console: Console, verdict: Verdict, calls: int, landed: Landed) -> None:
    """Prints the table and the conclusions."""
    console.print(bill_table(verdict, with_tokens=console.width >= WIDE))
    console.print()
    if verdict.differences:
        for difference in verdict.differences[:DIFFERENCES_SHOWN_MAX]:
            console.print(Text.assemble(("✗ ", "bold red"), difference))
        more = len(verdict.differences) - DIFFERENCES_SHOWN_MAX
        if more > 0:
            console.print(Text(f"  and {more} more", style="red"))
        return
    for topic, sentence in _proofs(verdict, calls, landed):
        console.print(Text.assemble(("✓ ", "bold green"), (f"{topic:<8}", "bold"), sentence), soft_wrap=True)


def bill_table(verdict: Verdict, *, with_tokens: bool = True) -> Table:
    """One row a model: what LensAI recorded, what the sandbox billed, and whether that is the same."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    table.add_column("MODEL", style="cyan", overflow="ellipsis", no_wrap=True, max_width=28 if with_tokens else 22)
    for name in ("CALLS", "IN", "OUT", "RECORDED", *(("IN", "OUT") if with_tokens else ()), "BILLED", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for model, sums in sorted(verdict.models.items()):
        table.add_row(model, *_cells(sums, with_tokens))
    table.add_row(Text("all", style="bold"), *_cells(verdict.whole, with_tokens))
    return table


def _cells(sums: Sum, with_tokens: bool) -> list[str | Text]:
    billed = [f"{sums.billed_in:,}", f"{sums.billed_out:,}"] if with_tokens else []
    mark = Text("✓", style="bold green") if sums.equal else Text("✗", style="bold red")
    return [
        *(f"{sums.calls:,}", f"{sums.tokens_in:,}", f"{sums.tokens_out:,}", money(sums.cost_nanousd)),
        *(*billed, money(sums.billed_nanousd), mark),
    ]


def _proofs(verdict: Verdict, calls: int, landed: Landed) -> list[tuple[str, str]]:
    whole = verdict.whole
    free = calls - whole.calls
    files = "1 file" if len(landed.files) == 1 else f"{len(landed.files)} files"
    kib = sum(file.stat().st_size for file in landed.files) / 1024
    return [
        (
            "Tokens",
            f"{whole.tokens_in:,} in and {whole.tokens_out:,} out over {whole.calls} billed calls: equal, call by call",
        ),
        ("Cost", f"{money(whole.cost_nanousd).plain} on both sides, equal to the nano-dollar on every call"),
        ("Records", f"{calls} calls sent, {calls} recorded; the {free} that failed cost nothing"),
        (
            "Parquet",
            f"{landed.rows} rows in {files}, {kib:.0f} KiB, {landed.after_s:.1f} s after the last call, under\n"
            f"          {landed.directory}",
        ),
    ]
