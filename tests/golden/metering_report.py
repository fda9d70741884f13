"""Prints, for every recorded answer of a metered API, what it consumed and what the meter made of it.

Run by `make metering-report`; fails on any difference. Expected: the oracle's plain reading of the
recorded usage. Metered: the answer's bytes through the stream meter, or a socket's messages through its
session. Both are priced by the catalog. Then what has no price, and what has no meter or nothing to read, and why.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from genai_prices.data import providers

from gateway.metering.meter import READERS, StreamMeter
from gateway.metering.reading import Reading
from gateway.metering.sessions import SESSIONS, session
from gateway.providers import PROVIDERS
from pricing.catalog import Catalog, Unpriced
from pricing.cost import Cost, cost, total
from tests.golden.recordings import ABSENT, FILE, Recording, recordings
from tests.golden.usage_oracle import Lines, expected

# The prices of one day, 2026-11-23 12:00 UTC, so that the report says the same tomorrow.
AT_S = 1_795_435_200

# A foundation model may be asked for by this name too; the gateway takes it off, as it does an inference profile's.
_ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
_LISTED = frozenset(provider.id for provider in providers)

HEADER = f"{'provider':<18}{'endpoint':<24}{'':<8}{'answers':>8}{'usage':>7}{'exact':>7}   expected | metered"


_Reasons = Counter[tuple[tuple[str, str, str], str]]


class Row(NamedTuple):
    """One recording: its oracle's buckets and price, and the meter's; or why it has none."""

    kind: tuple[str, str, str]
    expected: Counter[str]
    metered: Counter[str]
    differs: str = ""
    unmetered: str = ""
    unpriced: str = ""


def rows(catalog: Catalog) -> Iterator[Row]:
    for recording in recordings():
        want = expected(recording)
        if want is None or recording.is_error or not (recording.body or recording.messages):
            yield Row(recording.kind, Counter(), Counter(), unmetered=_reason(recording))
        else:
            yield _compared(catalog, recording, want)


def _reason(recording: Recording) -> str:
    if recording.is_error:
        return f"answered {recording.status}: nothing is billed"
    if recording.why or not recording.reader:
        return recording.why
    if recording.reader not in READERS and recording.reader not in SESSIONS:
        return f"no meter is called {recording.reader}"
    return f"no oracle judges {recording.reader}" if recording.body else "no answer was recorded"


def _compared(catalog: Catalog, recording: Recording, want: Lines) -> Row:
    readings = _readings(recording)
    got: Lines = [
        (line.model or _named(recording, reading), line.usage) for reading in readings for line in reading.lines
    ]
    context = _context(readings[0]) if readings else ()
    asked = recording.requested_model
    model = recording.model or (readings[0].model if readings else None) or asked or ""
    costs = [_cost(catalog, recording, context, lines, model) for lines in (want, got)]
    sums = [_sum(lines, amount) for lines, amount in zip((want, got), costs, strict=True)]
    differs = "" if got == want and sums[0] == sums[1] else f"{want} | {got}"
    return Row(recording.kind, sums[0], sums[1], differs, unpriced=costs[1] if isinstance(costs[1], str) else "")


def _named(recording: Recording, reading: Reading) -> str | None:
    """The name a line is told under: in a session, every answer's own."""
    return reading.model if recording.messages else None


def _context(reading: Reading) -> tuple[tuple[str, str], ...]:
    tier = (("service_tier", reading.service_tier),) if reading.service_tier else ()
    return (*tier, *reading.context)


def _readings(recording: Recording) -> list[Reading]:
    if recording.messages:
        return list(_session(recording))
    meter = StreamMeter(recording.reader, recording.about, strip=False, event_bytes_max=1 << 24, text_bytes_max=1 << 16)
    meter.feed(recording.body)
    meter.flush()
    return [meter.finish(complete=True)]


def _session(recording: Recording) -> Iterator[Reading]:
    opened = session(recording.reader, recording.about)
    for is_sent, message in recording.messages:
        if is_sent:
            opened.sent(message)
        elif reading := opened.received(message):
            yield reading
    yield from opened.pending()


def _cost(
    catalog: Catalog, recording: Recording, context: tuple[tuple[str, str], ...], lines: Lines, model: str
) -> Cost | str:
    """What the lines cost together, or why they have no price."""
    known = PROVIDERS.get(recording.provider)
    provider = known.catalog if known else recording.provider
    costs: list[Cost] = []
    for own_model, usage in lines:
        name = (own_model or model).removeprefix(_ARN)
        price = catalog.find(provider, name, AT_S, context)
        if isinstance(price, Unpriced):
            return _why_unpriced(provider, name, price, context)
        costs.append(cost(usage, price))
    whole = total(costs)
    return whole if whole.complete else f"{model}: no rate for {', '.join(whole.unpriced_buckets)}"


def _why_unpriced(provider: str, name: str, price: Unpriced, context: tuple[tuple[str, str], ...]) -> str:
    if provider not in _LISTED:
        return f"{name}: {provider or 'self-hosted,'} has no list prices"
    if not name:
        return "the recording names no model"
    reasons = {
        "unknown_model": f"not among the list prices of {provider}",
        "unknown_context": f"no list price for {dict(context)}",
        "no_rates": "listed without rates",
    }
    return f"{name}: {reasons[price.reason]}"


def _sum(lines: Lines, amount: Cost | str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, usage in lines:
        counts.update(dict(usage.buckets()))
    if lines:
        counts["answers with usage"] += 1
        counts["unpriced" if isinstance(amount, str) else "nano-USD"] += (
            1 if isinstance(amount, str) else amount.nanousd
        )
    return counts


def report(found: Iterable[Row]) -> tuple[list[str], int]:
    """The lines of the table and of the lists below it, and how many recordings differ."""
    kinds: dict[tuple[str, str, str], list[Row]] = {}
    everything: list[Row] = []
    unmetered: _Reasons = Counter()
    for row in found:
        if row.unmetered:
            unmetered[row.kind, row.unmetered] += 1
        else:
            kinds.setdefault(row.kind, []).append(row)
            everything.append(row)
    printed = [HEADER]
    for kind in sorted(kinds):
        printed += _lines(kind, kinds[kind])
    printed += _lines(("all", "", ""), everything)
    printed += _reasons("no price", Counter((row.kind, row.unpriced) for row in everything if row.unpriced))
    printed += _reasons("not metered", unmetered)
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


def _reasons(title: str, reasons: _Reasons) -> list[str]:
    printed = ["", f"{title:<50}{'answers':>8}   why"]
    printed += [
        f"{kind[0]:<18}{kind[1]:<24}{kind[2]:<8}{count:>8}   {why}" for (kind, why), count in sorted(reasons.items())
    ]
    return [*printed, f"{'all':<50}{reasons.total():>8}"]


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
