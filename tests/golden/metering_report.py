"""Prints, for every recorded answer of a metered API, what it consumed and what the meter made of it.

Run by `make metering-report`; fails on any difference. Expected: the oracle's plain reading of the
recorded usage. Metered: the answer's bytes through the stream meter. Both are priced by the catalog.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.metering.meter import StreamMeter
from gateway.metering.reading import About, Reading
from gateway.providers import PROVIDERS
from pricing.catalog import Catalog, Unpriced
from pricing.cost import Cost, cost, total
from tests.golden.recordings import ABSENT, FILE, Recording, recordings
from tests.golden.usage_oracle import Lines, expected

# The prices of one day, 2026-11-23 12:00 UTC, so that the report says the same tomorrow.
AT_S = 1_795_435_200

HEADER = f"{'provider':<18}{'endpoint':<24}{'':<8}{'answers':>8}{'usage':>7}{'exact':>7}   expected | metered"


class Row(NamedTuple):
    """One recording: its oracle's buckets and price, and the meter's."""

    kind: tuple[str, str, str]
    expected: Counter[str]
    metered: Counter[str]
    differs: str


def rows(catalog: Catalog) -> Iterator[Row]:
    for recording in recordings():
        reading = _metered(recording)
        want = expected(recording.reader, recording.provider, recording.usages, recording.body)
        got: Lines = [(line.model, line.usage) for line in reading.lines]
        asked = recording.requested_model
        sums = [
            _sum(want, _cost(catalog, recording, reading, want, recording.model or reading.model or asked)),
            _sum(got, _cost(catalog, recording, reading, got, reading.model or asked)),
        ]
        yield Row(recording.kind, sums[0], sums[1], "" if got == want and sums[0] == sums[1] else f"{want} | {got}")


def _metered(recording: Recording) -> Reading:
    meter = StreamMeter(
        recording.reader, About(recording.provider), strip=False, event_bytes_max=1 << 24, text_bytes_max=1 << 16
    )
    meter.feed(recording.body)
    meter.flush()
    return meter.finish(complete=True)


def _cost(catalog: Catalog, recording: Recording, reading: Reading, lines: Lines, model: str | None) -> Cost | None:
    """What the lines cost together; None where one has no price."""
    known = PROVIDERS.get(recording.provider)
    provider = known.catalog if known else recording.provider
    tier = (("service_tier", reading.service_tier),) if reading.service_tier else ()
    costs: list[Cost] = []
    for own_model, usage in lines:
        price = catalog.find(provider, own_model or model or "", AT_S, (*tier, *reading.context))
        if isinstance(price, Unpriced):
            return None
        costs.append(cost(usage, price))
    return total(costs)


def _sum(lines: Lines, amount: Cost | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, usage in lines:
        counts.update(dict(usage.buckets()))
    if lines:
        counts["answers with usage"] += 1
        counts["unpriced" if amount is None else "nano-USD"] += 1 if amount is None else amount.nanousd
    return counts


def report(found: Iterable[Row]) -> tuple[list[str], int]:
    """The lines of the table, and how many recordings differ."""
    kinds: dict[tuple[str, str, str], list[Row]] = {}
    for row in found:
        kinds.setdefault(row.kind, []).append(row)
    printed = [HEADER]
    everything = [row for of_kind in kinds.values() for row in of_kind]
    for kind in sorted(kinds):
        printed += _lines(kind, kinds[kind])
    printed += _lines(("all", "", ""), everything)
    return printed, sum(bool(row.differs) for row in everything)


def _lines(kind: tuple[str, str, str], of_kind: list[Row]) -> list[str]:
    want, got = (_total(sums) for sums in zip(*((row.expected, row.metered) for row in of_kind), strict=True))
    exact = sum(not row.differs for row in of_kind)
    provider, endpoint, framing = kind
    head = f"{provider:<18}{endpoint:<24}{framing:<8}{len(of_kind):>8}{want.pop('answers with usage', 0):>7}{exact:>7}"
    got.pop("answers with usage", None)
    names = list(dict.fromkeys([*want, *got]))
    counts = [f"{head}   {_count(names[0], want, got) if names else 'no usage in the answer'}"]
    counts += [f"{'':<{len(head)}}   {_count(name, want, got)}" for name in names[1:]]
    return counts + [f"    differs: {row.differs}" for row in of_kind if row.differs]


def _total(sums: Iterable[Counter[str]]) -> Counter[str]:
    added: Counter[str] = Counter()
    for counts in sums:
        added.update(counts)
    return added


def _count(name: str, want: Counter[str], got: Counter[str]) -> str:
    if name == "nano-USD":
        return f"{'cost, USD':<20}{want[name] / 1e9:>16.9f} |{got[name] / 1e9:>16.9f}"
    return f"{name:<20}{want[name]:>16,} |{got[name]:>16,}"


def main() -> int:
    if not FILE.exists():
        print(f"{ABSENT}: nothing to report")
        return 0
    printed, differences = report(rows(Catalog.load()))
    print("\n".join(printed))
    print(f"\n{differences} recordings differ" if differences else "\nevery recording is metered exactly")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
