"""A short slice of the soak (`make soak` is the long one), and that growth is told from noise."""

import os
from pathlib import Path
from random import Random

from tests.e2e.soak.__main__ import report
from tests.e2e.soak.harness import soak
from tests.e2e.soak.vitals import Vitals, growth

SECONDS = float(os.environ.get("TESTS_SOAK_SECONDS", "12"))
MB = 1_000_000


def test_nothing_is_left_when_the_load_has_ended(tmp_path: Path):
    done = soak(tmp_path, SECONDS, 1, say=lambda _: None)

    assert done.left == {}, report(done)
    assert (done.sent > 50, done.slow > 3) == (True, True), report(done)


def samples(mb_per_hour: float, seed: int) -> list[Vitals]:
    """Half an hour of a process of 100 MB that breathes by half a megabyte."""
    random = Random(seed)
    return [
        Vitals(at_s, int(100 * MB + mb_per_hour * MB * at_s / 3600 + random.gauss(0, 0.5) * MB), {})
        for at_s in range(0, 1800, 2)
    ]


def test_breathing_is_no_growth():
    assert all(growth(samples(0, seed)).is_none for seed in range(20))


def test_growth_is_seen():
    assert not any(growth(samples(5, seed)).is_none for seed in range(20))
