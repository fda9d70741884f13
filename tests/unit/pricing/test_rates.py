from fractions import Fraction

import pytest

from pricing.rates import BUCKETS, EMPTY_SHEET, REQUEST, UNITS, Price, Sheet, compile_rates, per_call_attousd

TOKENS_IN = frozenset({("family", "tokens"), ("direction", "input")})
TOKENS_OUT = frozenset({("family", "tokens"), ("direction", "output")})
CACHE_READ = TOKENS_IN | {("token_type", "cache_read")}
CACHE_WRITE = TOKENS_IN | {("token_type", "cache_write")}
AUDIO_IN = TOKENS_IN | {("modality", "audio")}
AUDIO = frozenset({("family", "durations"), ("modality", "audio")})


def base_rates(usd: dict) -> dict:
    rates, cliffs = compile_rates(Sheet((), {unit: (Fraction(price),) for unit, price in usd.items()}))
    assert cliffs == ()
    return dict(zip(BUCKETS, rates, strict=True))


def test_every_bucket_has_a_unit_of_its_own():
    assert tuple(UNITS) == BUCKETS
    assert len(set(UNITS.values())) == len(UNITS)


def test_nothing_published_prices_nothing():
    assert set(base_rates({}).values()) == {None}
    assert per_call_attousd(EMPTY_SHEET) == 0


def test_the_input_price_is_that_of_every_input_token_without_its_own():
    rates = base_rates({TOKENS_IN: "0.000002", CACHE_READ: "0.000001", AUDIO_IN: "0.000032"})
    assert rates["input_text"] == rates["input_image"] == rates["cache_write_1h"] == 2 * 10**12
    assert rates["cache_read_text"] == rates["cache_read_video"] == 10**12
    assert rates["input_audio"] == 32 * 10**12
    assert rates["output_text"] is None


def test_the_output_price_is_that_of_reasoning_and_citations():
    rates = base_rates({TOKENS_OUT: "0.00001"})
    assert rates["output_reasoning"] == rates["output_citation"] == rates["output_image"] == 10**13


def test_cache_writes_inherit_by_time_to_live_except_the_dearest():
    rates = base_rates({TOKENS_IN: "1", CACHE_WRITE: "1.25", CACHE_WRITE | {("cache_ttl", "1h")}: "2"})
    assert rates["cache_write_5m"] == rates["cache_write_30m"] == rates["cache_write"] == 125 * 10**16
    assert rates["cache_write_1h"] == 2 * 10**18
    assert rates["cache_write_12h"] is None


def test_of_two_equally_specific_prices_the_dearer_holds():
    rates = base_rates({TOKENS_IN: "4", CACHE_READ: "1", AUDIO_IN: "3"})
    assert rates["cache_read_audio"] == 3 * 10**18


def test_an_hourly_price_is_exact_in_milliseconds():
    rates = base_rates({AUDIO: Fraction("0.04") / 3600})
    assert rates["input_audio_ms"] == rates["output_audio_ms"] == Fraction(4 * 10**16, 3_600_000)


def test_cliffs_run_from_the_highest_down():
    sheet = Sheet((100, 200), {TOKENS_IN: (Fraction(1), Fraction(2), Fraction(3))})
    rates, cliffs = compile_rates(sheet)
    price = Price(provider="p", model="m", match="exact", rates=rates, cliffs=cliffs)
    assert [edge for edge, _ in cliffs] == [200, 100]
    assert [price.rates_at(tokens)[0] for tokens in (0, 100, 101, 200, 201)] == [
        10**18, 10**18, 2 * 10**18, 2 * 10**18, 3 * 10**18,
    ]  # fmt: skip


def test_scaling_may_spare_what_is_not_a_token():
    sheet = Sheet((), {TOKENS_IN: (Fraction(10),), REQUEST: (Fraction(10),)})
    assert sheet.scaled(Fraction(11, 10), tokens_only=True).usd == {TOKENS_IN: (11,), REQUEST: (10,)}
    assert sheet.scaled(Fraction(1, 2)).usd == {TOKENS_IN: (5,), REQUEST: (5,)}


@pytest.mark.parametrize("edges", [(), (100,), (100, 200)])
def test_an_overlaid_price_holds_on_every_level(edges: tuple[int, ...]):
    levels = (Fraction(1),) * (len(edges) + 1)
    overlaid = Sheet(edges, {TOKENS_IN: levels, TOKENS_OUT: levels}).overlaid({TOKENS_OUT: Fraction(9)})
    assert overlaid.usd == {TOKENS_IN: levels, TOKENS_OUT: (9,) * len(levels)}
