"""Owns Totals: sums over calls. What is unknown is not added, and is told."""

from dataclasses import dataclass

from rich.text import Text

from gateway.cli.columns import money
from gateway.contract.record import Record


@dataclass
class Totals:
    """Tokens and cost are of the calls that have them; `unpriced` and `unmetered` count those that do not."""

    calls: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nanousd: int = 0
    unpriced: int = 0
    unmetered: int = 0

    def add(self, record: Record) -> None:
        self.calls += 1
        self.failed += record.outcome != "ok"
        self.tokens_in += record.tokens_in or 0
        self.tokens_out += record.tokens_out or 0
        self.cost_nanousd += record.cost_nanousd or 0
        self.unpriced += record.price_match == "unpriced"
        self.unmetered += record.provenance in ("unknown", "held")

    def line(self) -> Text:
        """`12 calls · 2 not ok · 1,234 → 567 tokens · $0.000123000`."""
        line = Text.assemble((f"{self.calls:,}", "bold"), " call" if self.calls == 1 else " calls")
        for count, word, style in (
            (self.failed, "not ok", "red"),
            (self.unpriced, "unpriced", "yellow"),
            (self.unmetered, "of unknown usage", "yellow"),
        ):
            if count:
                line.append(" · ").append(f"{count:,} {word}", style=style)
        line.append(f" · {self.tokens_in:,} → {self.tokens_out:,} tokens · ")
        return line.append_text(money(self.cost_nanousd))
