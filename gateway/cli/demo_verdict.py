"""Owns the judgement of the demo: what the gateway recorded beside what the sandbox billed, call by call. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.contract.record import Record


class Tokens(msgspec.Struct):
    """The buckets of a bill's line, disjoint."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def tokens_in(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def tokens_out(self) -> int:
        return self.output + self.reasoning


class Line(msgspec.Struct):
    """One call on the sandbox's bill, as far as it is judged."""

    mark: str
    model: str
    tokens: Tokens
    amount_nanousd: int


class Bill(msgspec.Struct):
    lines: list[Line]


@dataclass
class Sum:
    """Both sides' sums over some calls."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nanousd: int = 0
    billed_in: int = 0
    billed_out: int = 0
    billed_nanousd: int = 0

    def add(self, record: Record, line: Line) -> None:
        self.calls += 1
        self.tokens_in += record.tokens_in or 0
        self.tokens_out += record.tokens_out or 0
        self.cost_nanousd += record.cost_nanousd or 0
        self.billed_in += line.tokens.tokens_in
        self.billed_out += line.tokens.tokens_out
        self.billed_nanousd += line.amount_nanousd

    @property
    def equal(self) -> bool:
        ours = (self.tokens_in, self.tokens_out, self.cost_nanousd)
        return ours == (self.billed_in, self.billed_out, self.billed_nanousd)


@dataclass
class Verdict:
    """Sums by model, and every difference as a sentence; none means that both sides agree on every call."""

    models: dict[str, Sum] = field(default_factory=dict[str, Sum])
    whole: Sum = field(default_factory=Sum)
    differences: list[str] = field(default_factory=list[str])


def judge(marks: Sequence[str], records: Iterable[Record], lines: Iterable[Line]) -> Verdict:
    """Compares by mark: each call has one record, and each line the same tokens and amount as its record."""
    verdict = Verdict()
    by_mark: dict[str, Record] = {}
    for record in records:
        mark = record.tags[0] if record.tags else ""
        if mark in by_mark:
            verdict.differences.append(f"{mark} was recorded twice")
        by_mark[mark] = record
    verdict.differences += [f"{mark} was not recorded" for mark in marks if mark not in by_mark]
    billed = {line.mark: line for line in lines}
    for mark, line in billed.items():
        if mark in by_mark:
            _compare(verdict, by_mark[mark], line)
        else:
            verdict.differences.append(f"{mark or 'a call without a mark'} is on the bill and was not recorded")
    verdict.differences += _unbilled(by_mark, billed)
    return verdict


def _compare(verdict: Verdict, record: Record, line: Line) -> None:
    verdict.models.setdefault(line.model, Sum()).add(record, line)
    verdict.whole.add(record, line)
    for name, ours, theirs in (
        ("tokens in", record.tokens_in, line.tokens.tokens_in),
        ("tokens out", record.tokens_out, line.tokens.tokens_out),
        ("nano-USD", record.cost_nanousd, line.amount_nanousd),
    ):
        if ours != theirs:
            known = "unknown" if ours is None else f"{ours:,}"
            verdict.differences.append(f"{line.mark} ({line.model}): {name} {known}, billed {theirs:,}")


def _unbilled(by_mark: Mapping[str, Record], billed: Mapping[str, Line]) -> list[str]:
    return [
        f"{mark} was recorded with a cost and is not on the bill"
        for mark, record in by_mark.items()
        if mark not in billed and record.cost_nanousd
    ]
