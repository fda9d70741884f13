from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pricing.bound import Bound, Line, Most, Unbounded, bound, bound_at, dearest_of, lines
from pricing.catalog import Catalog
from pricing.cost import cost
from pricing.rates import BUCKETS, Price
from pricing.usage import Usage

CATALOG = Catalog.load()
NOW_S = 1_800_000_000
INPUT = BUCKETS[: BUCKETS.index("output_text")]
OUTPUT = BUCKETS[BUCKETS.index("output_text") : BUCKETS.index("web_searches")]
OTHER = BUCKETS[BUCKETS.index("web_searches") :]
WRITES = ("cache_write", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h")
USD_PER_MILLION = 10**12


def a_price(rates: dict[str, int], **fields) -> Price:
    return Price(provider="p", model="m", match="exact", rates=_table(rates), **fields)


def _table(rates: dict[str, int]):
    return tuple(rates.get(bucket) for bucket in BUCKETS)


def bounded(most: Most, *prices: Price) -> Bound:
    found = bound(most, prices)
    assert isinstance(found, Bound), found
    return found


TEXT = {"input_text": 2 * USD_PER_MILLION, "output_text": 10 * USD_PER_MILLION, "cache_read_text": USD_PER_MILLION}


def test_a_bound_is_the_input_and_so_much_for_each_token_of_the_output():
    found = bounded(Most(1000, 100), a_price(TEXT))
    assert found == Bound(1000 * 2 * USD_PER_MILLION, 10 * USD_PER_MILLION)
    assert [found.nanousd(tokens) for tokens in (0, 1, 100)] == [2_000_000, 2_010_000, 3_000_000]


def test_a_bound_is_rounded_up():
    assert Bound(1).nanousd(0) == 1
    assert Bound(Fraction(10**9 + 1, 2), 0).nanousd(0) == 1
    assert Bound(10**9).nanousd(0) == 1


def test_input_is_billed_as_the_dearest_that_it_may_be():
    rates = TEXT | {"cache_write_1h": 4 * USD_PER_MILLION}
    assert bounded(Most(10, 0), a_price(rates)).fixed_attousd == 20 * USD_PER_MILLION
    assert bounded(Most(10, 0, ("cache_write_1h",)), a_price(rates)).fixed_attousd == 40 * USD_PER_MILLION


def test_a_cache_is_never_counted_on():
    assert bounded(Most(10, 0), a_price(TEXT)).fixed_attousd == 10 * TEXT["input_text"]


def test_a_long_context_is_reserved_once_the_input_may_reach_it():
    price = a_price(TEXT, cliffs=((200, _table({b: 2 * rate for b, rate in TEXT.items()})),))
    assert bounded(Most(200, 1), price).output_attousd_per_token == TEXT["output_text"]
    assert bounded(Most(201, 1), price).output_attousd_per_token == 2 * TEXT["output_text"]


def test_a_long_context_that_is_cheaper_changes_nothing():
    price = a_price(TEXT, cliffs=((200, _table(dict.fromkeys(TEXT, 1))),))
    assert bounded(Most(201, 1), price).fixed_attousd == 201 * TEXT["input_text"]


def test_of_several_prices_the_dearest_holds():
    dear_out, dear_in = a_price(TEXT | {"output_text": 99}), a_price(TEXT | {"output_text": 1, "input_text": 10**15})
    assert bounded(Most(1, 1), dear_out, dear_in) == Bound(10**15, 99)


@pytest.mark.parametrize(
    ("most", "missing"),
    [
        (Most(1, 0, ("cache_write_12h",)), "cache_write_12h"),
        (Most(0, 1, output_buckets=("output_audio",)), "output_audio"),
        (Most(0, 0, other=Usage(web_searches=1)), "web_searches"),
    ],
)
def test_a_bucket_without_a_rate_makes_a_call_unbounded_and_is_named(most, missing):
    found = bound(most, [a_price(TEXT)])
    assert isinstance(found, Unbounded)
    assert missing in found.reason
    assert "price_overrides" in found.reason


def test_a_bucket_that_cannot_be_used_needs_no_rate():
    assert bounded(Most(0, 0), a_price({})) == Bound(0)
    assert bounded(Most(5, 0), a_price({"input_text": 1, "cache_read_text": 1})) == Bound(5)


def test_a_price_below_zero_bounds_nothing():
    assert isinstance(bound(Most(1, 1), [a_price(TEXT | {"output_text": -1})]), Unbounded)


def test_short_audio_is_bounded_by_what_is_billed_at_least():
    price = a_price({"input_audio_ms": 7}, input_audio_ms_min=10_000)
    assert bounded(Most(0, 0, other=Usage(input_audio_ms=1)), price) == Bound(70_000)


def test_the_fee_of_a_call_is_part_of_its_bound():
    assert bounded(Most(0, 0), a_price({}, per_call_attousd=5)) == Bound(5)


def test_no_price_is_no_bound():
    with pytest.raises(AssertionError):
        bound(Most(1, 1), [])


LISTED = (
    ("openai", "gpt-4o", ()),
    ("openai", "gpt-6-sol", ()),
    ("openai", "gpt-6-sol", (("service_tier", "priority"),)),
    ("openai", "gpt-5.4", (("service_tier", "flex"),)),
    ("openai", "gpt-realtime", ()),
    ("anthropic", "claude-haiku-5-5", ()),
    ("anthropic", "claude-opus-4-8", (("speed", "fast"), ("inference_geo", "us"))),
    ("google", "gemini-2.5-pro", ()),
    ("google", "gemini-2.5-flash", ()),
    ("x-ai", "grok-4.3", ()),
    ("groq", "whisper-large-v3", ()),
    ("perplexity", "sonar", ()),
)


def _listed(price) -> Price:
    provider, model, context = price
    found = CATALOG.find(provider, model, NOW_S, context)
    assert isinstance(found, Price), (price, found)
    return found


PRICES = tuple(map(_listed, LISTED))
rates = st.one_of(st.integers(0, 10**13), st.fractions(0, 10**6))
tables = st.lists(rates, min_size=len(BUCKETS), max_size=len(BUCKETS))
made_up = st.builds(
    lambda low, high, edge, fee, least: Price(
        provider="p", model="m", match="exact", rates=tuple(low), cliffs=((edge, tuple(high)),),
        per_call_attousd=fee, input_audio_ms_min=least,
    ),
    tables, tables, st.integers(0, 3000), st.integers(0, 10**15), st.sampled_from((0, 10_000)),
)  # fmt: skip
counts = st.integers(0, 4000)


def _shared(total: int, buckets: list[str], weights: list[int]) -> dict[str, int]:
    """A total divided among buckets, none of it twice."""
    shares: dict[str, int] = {}
    for bucket, weight in zip(buckets, weights, strict=False):
        share = min(total, total * weight // 100 + 1)
        shares[bucket] = shares.get(bucket, 0) + share
        total -= share
    return shares


@st.composite
def usages_within(draw, most: Most) -> Usage:
    """Any usage of at most so much: fewer tokens too, of any modality that may be billed, cached or not."""
    modalities = ["text", *(bucket.removeprefix("input_") for bucket in most.input_buckets if "input_" in bucket)]
    writes = [bucket for bucket in most.input_buckets if bucket in WRITES]
    inputs = [f"{kind}_{each}" for each in modalities for kind in ("input", "cache_read")] + writes
    outputs = ["output_text", *most.output_buckets]
    weights = st.lists(st.integers(0, 100), min_size=8, max_size=8)
    return Usage(
        **_shared(draw(st.integers(0, most.tokens_in)), draw(st.permutations(inputs)), draw(weights)),
        **_shared(draw(st.integers(0, most.tokens_out)), draw(st.permutations(outputs)), draw(weights)),
        **{bucket: draw(st.integers(0, count)) for bucket, count in most.other.buckets()},
    )


mosts = st.builds(
    lambda tokens_in, tokens_out, inputs, outputs, other: Most(
        tokens_in, tokens_out, tuple(inputs), tuple(outputs), Usage(**other)
    ),
    st.one_of(counts, st.integers(0, 2_000_000)),
    counts,
    st.sets(st.sampled_from(("input_audio", "input_image", "input_video", *WRITES))).map(sorted),
    st.sets(st.sampled_from(OUTPUT[1:])).map(sorted),
    st.dictionaries(st.sampled_from(OTHER), counts),
)


@given(st.data(), mosts, st.lists(st.one_of(st.sampled_from(PRICES), made_up), min_size=1, max_size=3))
def test_no_usage_within_it_costs_more_at_any_of_the_prices(data, most, prices):
    found = bound(most, prices)
    usage = data.draw(usages_within(most))
    if isinstance(found, Unbounded):
        return
    for price in prices:
        charged = cost(usage, price)
        assert charged.complete
        assert charged.nanousd <= found.nanousd(usage.tokens_out)
        assert charged.nanousd <= found.nanousd(most.tokens_out)


@given(mosts, st.one_of(st.sampled_from(PRICES), made_up), st.integers(1, 2_000_000))
def test_the_lines_of_a_price_bound_a_call_of_any_input(most, price, tokens_in):
    known = tuple(lines(replace(most, tokens_in=1), price))
    assert bound_at(known, tokens_in) == bound(replace(most, tokens_in=tokens_in), [price])


@given(mosts, st.lists(made_up, min_size=1, max_size=3))
def test_a_table_with_every_rate_always_has_a_bound(most, prices):
    assert isinstance(bound(most, prices), Bound)


_FEW = st.integers(0, 3)
_LINE = st.builds(Line, st.integers(-1, 2), _FEW, _FEW, _FEW, st.sampled_from([None, None, None, Unbounded("none")]))


@given(st.lists(_LINE, max_size=6), st.integers(0, 9))
def test_lines_that_others_are_never_below_do_not_matter(known: list[Line], tokens_in: int):
    assert bound_at(dearest_of(known), tokens_in) == bound_at(known, tokens_in)


def test_of_two_prices_that_may_hold_the_dearer_one_is_all_there_is():
    assert dearest_of([Line(-1, 0, 2, 4), Line(-1, 0, 3, 6), Line(5, 0, 4, 5)]) == (
        Line(-1, 0, 3, 6),
        Line(5, 0, 4, 5),
    )
