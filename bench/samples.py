"""Owns what a load leaves behind: every single time, kept exactly, and its percentiles. Knows no sockets."""

from array import array

import msgspec

# p99.9 of fewer samples than this is one outlier's word; the table leaves it out.
_P999_SAMPLES_MIN = 1000


class Spread(msgspec.Struct, frozen=True):
    """Percentiles of one measurement, microseconds; `p999_us` None: too few samples to say."""

    samples: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float | None
    max_us: float


class Times:
    """Durations in nanoseconds, one `long` each: 8 MB for a million, more than any scenario here makes."""

    def __init__(self) -> None:
        self._all = array("q")
        self.add = self._all.append

    def __len__(self) -> int:
        return len(self._all)

    def merge(self, other: "Times") -> None:
        self._all.extend(other._all)

    def spread(self) -> Spread | None:
        """Percentiles by the nearest rank; None without a sample."""
        ordered, count = sorted(self._all), len(self._all)
        if not count:
            return None

        def at(permille: int) -> float:
            return ordered[max(0, -(-permille * count // 1000) - 1)] / 1000

        return Spread(count, at(500), at(900), at(990), at(999) if count >= _P999_SAMPLES_MIN else None, at(1000))


class Samples:
    """One load's outcome. `ttft`, `total` count from the moment a call was due, not from when it was sent."""

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0  # answers that were not 200, and connections that broke under a call
        self.events = 0  # SSE events of all kinds
        self.usages = 0  # events that carried usage
        self.ttft = Times()  # due -> first body byte
        self.total = Times()  # due -> last body byte
        self.gap = Times()  # from one content event of a stream to the next
        self.travel = Times()  # a content event's write at the upstream -> its read at the client

    def merge(self, other: "Samples") -> None:
        self.calls += other.calls
        self.errors += other.errors
        self.events += other.events
        self.usages += other.usages
        for name in ("ttft", "total", "gap", "travel"):
            getattr(self, name).merge(getattr(other, name))
