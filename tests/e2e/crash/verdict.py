"""Owns the judgement: the sandbox's bill beside the rows that landed, call by call. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.gateways import Row

# What a record may say of a call whose end the gateway did not see, or that had none.
UNSEEN = frozenset(("held", "unknown", "partial", "estimated"))

# How a call may have ended whose last number reached the gateway: a stream can be cut behind that.
_ENDED = frozenset(("completed", "cut"))


@dataclass
class Verdict:
    """What the comparison found. The three lists name marks or request ids; all empty is what was promised."""

    billed: int = 0
    recorded: int = 0
    missing: list[str] = field(default_factory=list[str])
    duplicate: list[str] = field(default_factory=list[str])
    different: list[str] = field(default_factory=list[str])
    of_billed: Counter[str] = field(default_factory=Counter[str])  # provenance of billed calls' records
    of_unbilled: Counter[str] = field(default_factory=Counter[str])  # outcome of the others'

    @property
    def faultless(self) -> bool:
        return not (self.missing or self.duplicate or self.different)


def judge(lines: Sequence[dict[str, Any]], rows: Sequence[Row]) -> Verdict:
    """Compares by mark: each billed call has one row, and a row that claims the provider's counts has the bill's."""
    verdict = Verdict(billed=len(lines), recorded=len(rows))
    by_mark: dict[str, list[Row]] = {}
    for row in rows:
        by_mark.setdefault(_mark(row), []).append(row)
    verdict.duplicate += _repeated(row["request_id"] for row in rows)
    verdict.duplicate += [mark for mark, of_call in by_mark.items() if len(of_call) > 1]
    verdict.different += [f"{mark} was billed twice" for mark in _repeated(line["mark"] for line in lines)]
    billed = {line["mark"]: line for line in lines}
    for mark, line in billed.items():
        if mark not in by_mark:
            verdict.missing.append(mark)
            continue
        row = by_mark[mark][0]
        verdict.of_billed[row["provenance"]] += 1
        verdict.different += _differences(mark, row, line)
    for mark in by_mark.keys() - billed.keys():
        row = by_mark[mark][0]
        verdict.of_unbilled[row["outcome"]] += 1
        if row.cost_nanousd:
            verdict.different.append(f"{mark} has a cost and is not on the bill")
    return verdict


def _mark(row: Row) -> str:
    return json.loads(row["metadata"] or '{"mark": "(none)"}')["mark"]


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _differences(mark: str, row: Row, line: dict[str, Any]) -> list[str]:
    tokens = line["tokens"]
    if row["provenance"] == "reported":
        tokens_in = tokens["input"] + tokens["cache_read"] + tokens["cache_write"] + tokens["cache_write_1h"]
        theirs = (tokens_in, tokens["output"] + tokens["reasoning"], line["amount_nanousd"])
        ours = (row["tokens_in"], row["tokens_out"], row.cost_nanousd)
        ended = line["state"] in _ENDED
        return [] if ours == theirs and ended else [f"{mark}: recorded {ours}, billed {theirs}, {line['state']}"]
    if row["provenance"] not in UNSEEN:
        return [f"{mark}: billed, and recorded as {row['outcome']} with provenance {row['provenance']}"]
    if row["provenance"] in ("held", "unknown") and (row["tokens_in"], row.cost_nanousd) != (None, None):
        return [f"{mark}: {row['provenance']}, with numbers"]
    return []
