"""Owns what a gateway process looks like from outside while it works, and whether it grows."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, median, stdev
from typing import NamedTuple

from tests.support.gateways import Gateway

# What must be the same after the load as before it.
GAUGES = (
    "lensai_inflight_requests", "lensai_connections", "lensai_upstream_connections", "lensai_tasks",
    "lensai_body_buffer_bytes", "process_open_fds",
)  # fmt: skip
# Of the samples, those at the beginning in which caches fill and the allocator finds its size.
WARM_UP_SHARE = 1 / 3


class Vitals(NamedTuple):
    at_s: float
    rss_bytes: int
    gauges: dict[str, float]


def take(gateway: Gateway, pid: int, at_s: float) -> Vitals:
    """How the process is now."""
    page = gateway.ask_admin("metrics").decode()
    values = {name: float(value) for name, value in re.findall(r"^(\w+) ([-+.e\d]+)$", page, re.MULTILINE)}
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Vitals(at_s, pages * 4096, {name: values[name] for name in GAUGES})


class Growth(NamedTuple):
    """A line through the resident memory after warm-up: bytes an hour, and how far noise alone could tilt it."""

    bytes_per_hour: float
    noise_bytes_per_hour: float
    median_bytes: float

    @property
    def is_none(self) -> bool:
        """Whether the slope cannot be told from zero."""
        return self.bytes_per_hour <= self.noise_bytes_per_hour


def growth(samples: Sequence[Vitals]) -> Growth:
    """Least squares; the noise is three standard errors of the slope, and at least 1 % of the memory an hour.

    Samples of one process hang together, so that the standard error alone would promise too much: the median of
    five neighbours counts as one sample.
    """
    steady = list(samples)[int(len(samples) * WARM_UP_SHARE) :]
    groups = [steady[at : at + 5] for at in range(0, len(steady) - 4, 5)]
    times = [median(sample.at_s for sample in group) for group in groups]
    sizes = [median(sample.rss_bytes for sample in group) for group in groups]
    slope, intercept = linear_regression(times, sizes)
    residuals = [size - (intercept + slope * time) for time, size in zip(times, sizes, strict=True)]
    spread = sum((time - sum(times) / len(times)) ** 2 for time in times) ** 0.5
    error = stdev(residuals) / spread if spread else 0.0
    middle = median(sizes)
    return Growth(slope * 3600, max(3 * error * 3600, middle / 100), middle)
