from bench.samples import Samples, Times


def _times(values_ns: range) -> Times:
    times = Times()
    for value_ns in values_ns:
        times.add(value_ns)
    return times


def test_percentiles_are_samples_by_the_nearest_rank() -> None:
    spread = _times(range(1000, 101_000, 1000)).spread()
    assert spread is not None
    assert (spread.samples, spread.p50_us, spread.p90_us, spread.p99_us, spread.max_us) == (100, 50, 90, 99, 100)


def test_the_far_tail_needs_a_thousand_samples() -> None:
    few, enough = _times(range(999)).spread(), _times(range(1000, 1_001_000, 1000)).spread()
    assert few is not None
    assert enough is not None
    assert few.p999_us is None
    assert enough.p999_us == 999


def test_no_sample_has_no_percentile() -> None:
    assert Times().spread() is None


def test_merging_keeps_every_sample_and_count() -> None:
    one, other = Samples(), Samples()
    one.calls, other.calls, other.errors, other.events, other.usages = 2, 3, 1, 5, 4
    one.ttft.add(1000)
    other.ttft.add(3000)
    one.merge(other)
    assert (one.calls, one.errors, one.events, one.usages, len(one.ttft)) == (5, 1, 5, 4, 2)
