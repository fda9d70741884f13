from fractions import Fraction

import pytest

from pricing.overrides import COUNT_PER_RATE, Override, Overrides
from pricing.rates import BUCKETS, EMPTY_SHEET, UNITS, compile_rates

TOKENS_IN = frozenset({("family", "tokens"), ("direction", "input")})


def rates_of(override: Override) -> dict:
    rates, _ = compile_rates(override.terms().applied_to(EMPTY_SHEET))
    return dict(zip(BUCKETS, rates, strict=True))


def test_rates_are_usd_per_million_tokens():
    rates = rates_of(Override("vllm", "my-model", {"input_text": "0.10", "output_text": "0.40"}))
    assert rates["input_text"] == 10**11
    assert rates["output_text"] == 4 * 10**11


def test_text_rates_stand_for_what_has_no_rate_of_its_own():
    rates = rates_of(Override("vllm", "my-model", {"input_text": "2", "cache_read_text": "1", "output_text": "4"}))
    assert rates["input_image"] == rates["cache_write_1h"] == 2 * 10**12
    assert rates["cache_read_image"] == 10**12
    assert rates["output_reasoning"] == rates["output_audio"] == 4 * 10**12
    assert rates["cache_write_12h"] is None
    assert rates["web_searches"] is None


def test_every_bucket_can_be_given_a_rate():
    for bucket in BUCKETS:
        assert rates_of(Override("*", "*", {bucket: "7"}))[bucket] is not None


def test_other_buckets_have_the_unit_of_price_lists():
    stated = {"web_searches": "10", "input_pages": "4", "input_audio_ms": "3.6", "output_images": "0.04"}
    rates = rates_of(Override("*", "*", stated))
    assert rates["web_searches"] == 10**16
    assert rates["input_pages"] == 4 * 10**15
    assert rates["input_audio_ms"] == 10**12
    assert rates["output_images"] == 4 * 10**16
    rates = rates_of(Override("*", "*", {"rerank_searches": "2", "input_images": "0.1", "input_pixels": "0.6"}))
    assert rates["rerank_searches"] == 2 * 10**15
    assert rates["input_images"] == 10**14
    assert rates["input_pixels"] == 6 * 10**8
    assert set(COUNT_PER_RATE) < set(UNITS)


def test_a_multiplier_scales_all_it_is_applied_to():
    sheet = EMPTY_SHEET.overlaid({TOKENS_IN: Fraction(2)})
    assert Override("*", "*", multiplier="0.85").terms().applied_to(sheet).usd == {TOKENS_IN: (Fraction("1.7"),)}


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ({"scope": "", "model": "m", "rates": {"input_text": "1"}}, '"\\*" is every one'),
        ({"scope": "*", "model": "", "rates": {"input_text": "1"}}, '"\\*" is every one'),
        ({"scope": "*", "model": "m"}, "either rates or a multiplier"),
        ({"scope": "*", "model": "m", "rates": {"input_text": "1"}, "multiplier": "2"}, "either rates or a multiplier"),
        ({"scope": "*", "model": "m", "rates": {"input": "1"}}, "no bucket 'input'; choose from input_text, "),
        ({"scope": "*", "model": "m", "rates": {"input_text": "$1"}}, 'input_text: .* write it like "0.15"'),
        ({"scope": "*", "model": "m", "rates": {"input_text": "-1"}}, "must be 0 or more"),
        ({"scope": "*", "model": "m", "multiplier": "NaN"}, "multiplier: 'NaN' must be 0 or more"),
        ({"scope": "*", "model": "m", "rates": {"input_text": "1000000000"}}, r"'1000000000' must be below 10\^9"),
        ({"scope": "*", "model": "m", "rates": {"input_text": "1e-999999999"}}, r"not below 10\^-30"),
        ({"scope": "*", "model": "m", "multiplier": "1", "starts_at_s": 9, "ends_at_s": 9}, "later than starts_at_s"),
    ],
)
def test_a_mistake_is_refused_with_what_to_write_instead(override: dict, advice: str):
    with pytest.raises(ValueError, match=advice):
        Override(**override)


def test_the_most_specific_override_in_force_is_found():
    def stating(scope: str, model: str, rate: str, **window) -> Override:
        return Override(scope, model, {"input_text": rate}, **window)

    overrides = Overrides(
        [
            stating("*", "*", "1"),
            stating("*", "gpt-4o", "2"),
            stating("eu", "*", "3"),
            stating("eu", "GPT-4o", "4", ends_at_s=100),
            stating("eu", "gpt-4o", "5", starts_at_s=50, ends_at_s=80),
        ]
    )

    def rate(scope: str, names: tuple[str, ...], at_s: int = 0) -> Fraction:
        terms, _ = overrides.find(scope, names, at_s)
        assert terms is not None
        return terms.usd[TOKENS_IN] * 10**6

    assert rate("us", ("other",)) == 1
    assert rate("us", ("gpt-4o",)) == 2
    assert rate("us", ("gpt-4o-2024-08-06", "gpt-4o")) == 2
    assert rate("eu", ("other",)) == 3
    assert [rate("eu", ("gpt-4o",), at_s) for at_s in (0, 50, 79, 80, 99, 100)] == [4, 5, 5, 4, 4, 3]


def test_nothing_is_found_where_nothing_is_stated():
    assert Overrides([]).find("eu", ("gpt-4o",), 0) == (None, [])
