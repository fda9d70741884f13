"""Owns the board: calls as rows that scroll by, over a footer of running totals that stays where it is.

On a terminal the rows remain in its scrollback. Anywhere else they are plain lines, and the totals come last.
"""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from gateway.cli import columns
from gateway.cli.columns import Column
from gateway.cli.totals import Totals
from gateway.contract.record import Record

# A file or a pipe has no width: all columns, at their natural widths.
PLAIN_WIDTH = 180
# The pulse tells the last half minute, one bar a second.
PULSE_S = 30
_BARS = " ▁▂▃▄▅▆▇█"


class Pulse:
    """Calls per second of the last PULSE_S seconds."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._second = int(monotonic_s())
        self._counts: deque[int] = deque([0] * PULSE_S, maxlen=PULSE_S)

    def beat(self) -> None:
        self._advance()
        self._counts[-1] += 1

    def bars(self) -> str:
        """One character a second, the newest last, the busiest at full height."""
        self._advance()
        most = max(self._counts) or 1
        return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in self._counts)

    def _advance(self) -> None:
        second = int(self._monotonic_s())
        self._counts.extend([0] * min(second - self._second, PULSE_S))
        self._second = second


class Board:
    """A context: rows may be shown while it is entered; leaving it writes the totals for good."""

    def __init__(self, console: Console, monotonic_s: Callable[[], float], *, waiting: str = "") -> None:
        self.totals = Totals()
        self._console = console
        self._pulse = Pulse(monotonic_s)
        self._waiting = waiting
        self._columns: list[Column] = []
        self._rows_since_heading = 0
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._footer)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._waiting = ""
            self._live.stop()
        else:
            self._print(self.totals.line())

    def show(self, record: Record) -> None:
        """Writes the call's row, under a new heading when the last one has scrolled away or no longer fits."""
        fitting = columns.fit(self._console.width if self._console.is_terminal else PLAIN_WIDTH)
        out_of_sight = self._console.is_terminal and self._rows_since_heading >= self._console.height - 4
        if fitting != self._columns or out_of_sight:
            self._columns, self._rows_since_heading = fitting, 0
            self._print(columns.heading(fitting))
        self._print(columns.row(fitting, record))
        self._rows_since_heading += 1
        self.totals.add(record)
        self._pulse.beat()

    def refresh(self) -> None:
        """Draws the footer as of now."""
        if self._console.is_terminal:
            self._live.refresh()

    def _print(self, line: Text) -> None:
        line.rstrip()
        self._console.print(line, no_wrap=True, overflow="ignore", crop=self._console.is_terminal, soft_wrap=False)

    def _footer(self) -> RenderableType:
        if self._waiting and not self.totals.calls:
            return Text(self._waiting, style="dim")
        line = self.totals.line()
        pulse_at = self._console.width - PULSE_S
        if line.cell_len < pulse_at:
            line.align("left", pulse_at)
            line.append(self._pulse.bars(), style="green")
        return Group(Rule(style="dim"), line)
