from fractions import Fraction

from pricing.cost import Cost, charged_by, cost, total
from pricing.rates import BUCKETS, Price
from pricing.usage import Usage


def a_price(rates: dict[str, int], **fields) -> Price:
    table = tuple(rates.get(bucket) for bucket in BUCKETS)
    return Price(provider="p", model="m", match="exact", rates=table, **fields)


def test_a_cost_is_the_sum_over_the_buckets():
    price = a_price({"input_text": 2_500_000_000_000, "output_text": 10_000_000_000_000})
    assert cost(Usage(input_text=1000, output_text=100), price) == Cost(3_500_000_000_000_000)


def test_a_cost_is_rounded_to_nanousd_half_to_even():
    price = a_price({"input_text": 500_000_000})
    assert [cost(Usage(input_text=n), price).nanousd for n in (1, 2, 3, 5, 7)] == [0, 1, 2, 2, 4]


def test_lines_are_summed_before_they_are_rounded():
    half_a_nanousd = a_price({"input_text": 500_000_000})
    lines = [cost(Usage(input_text=1), half_a_nanousd) for _ in range(4)]
    assert sum(line.nanousd for line in lines) == 0
    assert total(lines).nanousd == 2


def test_a_bucket_without_a_rate_is_named_and_not_zero():
    priced = a_price({"input_text": 10**12})
    charged = cost(Usage(input_text=3, output_audio=4, web_searches=1), priced)
    assert charged == Cost(3 * 10**12, ("output_audio", "web_searches"))
    assert not charged.complete


def test_a_rate_of_zero_is_a_price():
    assert cost(Usage(input_text=3), a_price({"input_text": 0})).complete


def test_a_sum_names_each_unpriced_bucket_once():
    price = a_price({"input_text": 1})
    lines = [cost(Usage(output_text=1), price), cost(Usage(output_text=1, web_searches=1), price)]
    assert total(lines).unpriced_buckets == ("output_text", "web_searches")


def test_no_lines_cost_nothing():
    assert total([]) == Cost(0)


def test_above_a_cliff_the_whole_call_has_the_higher_rates():
    table = {bucket: 3 if bucket == "output_text" else 2 for bucket in BUCKETS}
    cliffs = ((200, tuple(table[b] * 100 for b in BUCKETS)), (100, tuple(table[b] * 10 for b in BUCKETS)))
    price = a_price(table, cliffs=cliffs)
    at_the_edge = Usage(input_text=40, cache_read_text=30, cache_write_1h=30, output_text=1)
    assert cost(at_the_edge, price).attousd == 203
    assert cost(at_the_edge + Usage(input_image=1), price).attousd == 2050
    assert cost(at_the_edge + Usage(cache_write_12h=101), price).attousd == 40500


def test_all_input_tokens_count_towards_the_cliff_and_no_output_does():
    one_of_each = Usage(*[1] * len(BUCKETS))
    ones = (1,) * len(BUCKETS)
    edge = one_of_each.tokens_in
    assert cost(one_of_each, a_price({}, cliffs=((edge - 1, ones),))).complete
    assert not cost(one_of_each, a_price({}, cliffs=((edge, ones),))).complete


def test_a_fee_of_the_call_is_added_once():
    assert cost(Usage(input_text=1), a_price({"input_text": 5}, per_call_attousd=100)).attousd == 105
    assert cost(Usage(), a_price({}, per_call_attousd=100)).attousd == 100


def test_short_audio_is_billed_at_the_minimum_and_silence_is_not():
    price = a_price({"input_audio_ms": Fraction(1, 3), "output_text": 1}, input_audio_ms_min=10_000)
    assert cost(Usage(input_audio_ms=1), price).attousd == Fraction(10_000, 3)
    assert cost(Usage(input_audio_ms=30_000, output_text=2), price).attousd == 10_002
    assert cost(Usage(output_text=2), price).attousd == 2


def test_the_length_that_comes_to_what_was_charged_is_found():
    table = {"input_text": 10**10}
    cliffs = tuple(
        (edge, tuple(rate and rate * times for rate in a_price(table).rates)) for edge, times in ((200, 4), (100, 2))
    )
    price, usage = a_price(table, cliffs=cliffs), Usage(input_text=150)
    charged = [cost(usage, price, each_in).nanousd for each_in in (150, 100, 101, 201)]
    assert [charged_by(usage, price, one) for one in (*charged, None, 7)] == [150, 0, 150, 150, 150, 150]
    assert charged_by(Usage(input_text=500), price, cost(Usage(input_text=500), price, 101).nanousd) == 101
