"""Owns what kills must not do to budgets: after each, what the journal tells the next process; in the end, the sums.

Nothing here is written. A look makes of a dead process's checkpoint and segments what its successor will make of them.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.books import EmbeddedBooks
from gateway.contract.record import decode_record
from gateway.journal import checkpoint
from gateway.journal.reader import workers
from gateway.journal.recovery import survey
from gateway.ledger.embedded import EmbeddedLedger
from tests.support.gateways import Row

PROJECT_NANOUSD = 2_000_000_000_000
USER_NANOUSD = 4_000_000_000
# Azure's deployments are mapped to no model here, so that their cost has no bound.
QUOTAS = f"""
[[quotas]]
id = "shop"
unit = "usd"
window = "total"
limit_usd = {PROJECT_NANOUSD // 10**9}
ceiling_usd = "0.05"
scope = {{ project = "shop" }}

[[quotas]]
id = "users"
unit = "usd"
window = "total"
limit_usd = {USER_NANOUSD // 10**9}
ceiling_usd = "0.05"
scope = {{ user = "*" }}
"""
SHOP = "shop@total"
# What a record may say whose call was charged what it held.
AS_HELD = frozenset(("held", "unknown", "partial", "estimated"))


@dataclass
class Budgets:
    """`faults` is empty if no budget was overspent, and none forgot what it had spent."""

    faults: list[str] = field(default_factory=list[str])
    settled: dict[str, int] = field(default_factory=dict[str, int])  # by counter, as of the last look

    def look(self, journal: Path) -> None:
        """What a start would know now: nothing is over its limit, and nothing is less than it was."""
        ledger, held = _ledger(journal)
        for name, balance in ledger.counters().items():
            limit = PROJECT_NANOUSD if name == SHOP else USER_NANOUSD
            taken = balance.settled + held[name]
            if taken > limit:
                self.faults.append(f"{name}: {taken} of {limit}")
            if balance.settled < self.settled.get(name, 0):
                self.faults.append(f"{name}: {balance.settled} after {self.settled[name]}")
        self.settled = {name: balance.settled for name, balance in ledger.counters().items()}

    def reconcile(self, lines: Sequence[dict[str, Any]], rows: Sequence[Row]) -> None:
        """The ledger is the sum of what the records charged, and each call's charge is the bill's, or its hold."""
        sums: Counter[str] = Counter()
        for row in rows:
            sums.update(dict(row["counters"] or {}))
        for name in sums.keys() | self.settled.keys():
            if sums[name] != self.settled.get(name, 0):
                self.faults.append(f"{name}: the records charged {sums[name]}, the ledger has {self.settled.get(name)}")
        charged = {_mark(row): (row, dict(row["counters"] or {}).get(SHOP, 0)) for row in rows}
        for line in lines:
            row, amount = charged.get(line["mark"], (None, 0))
            billed = line["amount_nanousd"]
            exact = row is not None and row["provenance"] not in AS_HELD
            if amount != billed if exact else amount < billed:
                self.faults.append(f"{line['mark']}: billed {billed}, charged {amount}")


def _ledger(journal: Path) -> tuple[EmbeddedLedger, Counter[str]]:
    ledger, held = EmbeddedLedger(), Counter[str]()
    books = EmbeddedBooks(ledger, lambda: 0, monotonic_s=lambda: 0.0)
    for worker in workers(journal):
        books.restore(worker, checkpoint.read(worker))
        for intent in survey(worker, books.fold).open_intents.values():
            held.update(decode_record(intent).counters or {})
    return ledger, held


def _mark(row: Row) -> str:
    return json.loads(row["metadata"] or '{"mark": "(none)"}')["mark"]
