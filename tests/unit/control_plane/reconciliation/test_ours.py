from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.reconciliation.ours import TOKEN_MEASURES, Count, days, start_s
from tests.support.written_calls import ORG, call, land, used

DAY = date(2026, 11, 24)
START_S = start_s(DAY)
NOON_S = START_S + 43_200
BUCKETS = {
    "input": ("input_text", "input_audio", "input_image", "input_video"),
    "cache_read": ("cache_read_text", "cache_read_audio"),
    "cache_write": ("cache_write", "cache_write_5m", "cache_write_1h"),
    "output": ("output_text", "output_reasoning"),
    "web_searches": ("web_searches",),
}


def test_a_day_is_what_was_sent_of_it(tmp_path):
    lake = land(
        tmp_path,
        [
            call("a", NOON_S, cost_nanousd=7, **used(input_text=10, cache_read_text=5, output_text=2)),
            call("b", NOON_S, cost_nanousd=3, provenance="estimated", **used(input_text=1, output_reasoning=4)),
            call("c", NOON_S, provenance="unknown", price_match="none"),
            call("refused", NOON_S, outcome="refused", provenance="none", cost_nanousd=0),
            call("never sent", NOON_S, outcome="upstream_error", provenance="none", cost_nanousd=0),
        ],
    )
    [found] = days(lake, ORG, DAY, DAY)
    assert (found.day, found.provider, found.model) == (DAY, "openai", "gpt-4o")
    assert (found.calls, found.silent_calls, found.unpriced_calls) == (3, 1, 1)
    assert (found.cost_nanousd, found.cost_unsure) == (10, 3)
    assert found.counts["input"] == Count(11, 1, 0)
    assert found.counts["output"] == Count(6, 4, 0)
    assert found.counts["requests"] == Count(3, 2, 0)


def test_dear_calls_are_as_exact_as_cheap_ones(tmp_path):
    costs = [10**9, 123_456_789_123_456_789, 1]
    lake = land(tmp_path, [call(f"{cost}", NOON_S, cost_nanousd=cost) for cost in costs])
    [found] = days(lake, ORG, DAY, DAY)
    assert found.cost_nanousd == sum(costs)


def test_a_call_across_midnight_is_its_arrivals_and_said_to_be(tmp_path):
    late = START_S + 86_399.5
    lake = land(tmp_path, [call("a", late, latency_us=600_000, cost_nanousd=9, **used(input_text=3))])
    [found] = days(lake, ORG, DAY, DAY)
    assert found.counts["input"] == Count(3, 0, 3)
    assert found.cost_across == 9
    assert list(days(lake, ORG, date(2026, 11, 25), date(2026, 11, 25))) == []


counts = st.integers(0, 2**40)
calls = st.fixed_dictionaries(
    {
        "offset": st.integers(-86_400, 2 * 86_400 - 1),
        "model": st.sampled_from(["gpt-4o", "o3"]),
        "provenance": st.sampled_from(["reported", "estimated", "partial"]),
        "buckets": st.dictionaries(
            st.sampled_from([bucket for group in BUCKETS.values() for bucket in group]), counts, max_size=4
        ),
        "cost": st.none() | st.integers(0, 10**15),
    }
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls, max_size=12))
def test_the_sums_are_those_of_a_plain_loop(tmp_path, made):
    records = [
        call(
            str(number), START_S + one["offset"], model=one["model"], provenance=one["provenance"],
            cost_nanousd=one["cost"], **used(**one["buckets"]),
        )
        for number, one in enumerate(made)
    ]  # fmt: skip
    expected: Counter[tuple[date, str, str]] = Counter()
    for one in made:
        if 0 <= one["offset"] < 86_400:
            for measure, buckets in BUCKETS.items():
                expected[DAY, one["model"], measure] += sum(one["buckets"].get(bucket, 0) for bucket in buckets)
            expected[DAY, one["model"], "cost"] += one["cost"] or 0
    found: Counter[tuple[date, str, str]] = Counter()
    for day in days(land(Path(mkdtemp(dir=tmp_path)), records), ORG, DAY, DAY):
        for measure in TOKEN_MEASURES:
            found[day.day, day.model, measure] += day.counts[measure].total
        found[day.day, day.model, "cost"] += day.cost_nanousd or 0
    assert +found == +expected
