"""Details overlap with their totals; buckets never overlap, and always sum to what the total says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.counts import Contradiction
from gateway.metering.openai_usage import (
    InputDetails,
    OutputDetails,
    TokenUsage,
    input_buckets,
    output_buckets,
    overdrawn,
)
from pricing.usage import Usage

COUNTS = st.none() | st.integers(0, 100)


def non_zero(buckets: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in buckets.items() if count}


def test_cached_tokens_are_part_of_the_input():
    assert non_zero(input_buckets(100, InputDetails(), 30)) == {"input_text": 70, "cache_read_text": 30}


def test_written_tokens_are_told_apart_by_their_time_to_live():
    details = InputDetails(cache_write_tokens=50)
    assert non_zero(input_buckets(100, details, 0)) == {"input_text": 50, "cache_write": 50}


def test_audio_and_images_have_buckets_of_their_own_and_text_is_cached_first():
    details = InputDetails(audio_tokens=60, image_tokens=20)
    assert non_zero(input_buckets(100, details, 30)) == {
        "input_audio": 50, "input_image": 20, "cache_read_text": 20, "cache_read_audio": 10,
    }  # fmt: skip


def test_openrouters_double_count_is_billed_once_and_noticed():
    details = InputDetails(cached_tokens=2161, cache_write_tokens=2161)
    buckets = non_zero(input_buckets(2168, details, 2161))
    assert buckets == {"cache_read_text": 2161, "cache_write": 7}
    assert overdrawn(2168, details, 2161)


def test_reasoning_is_never_part_of_the_text():
    within = output_buckets(100, OutputDetails(audio_tokens=10), 60, 0)
    beside = output_buckets(100, OutputDetails(), 0, 60)
    assert non_zero(within) == {"output_text": 30, "output_reasoning": 60, "output_audio": 10}
    assert non_zero(beside) == {"output_text": 100, "output_reasoning": 60}


def test_reasoning_rounded_beyond_the_output_is_billed_as_the_output():
    assert non_zero(output_buckets(10, OutputDetails(), 11, 0)) == {"output_reasoning": 10}


@given(st.integers(0, 100), COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
def test_input_buckets_sum_to_the_input(
    total: int, write: int | None, audio: int | None, image: int | None, video: int | None, cached: int
):
    details = InputDetails(cache_write_tokens=write, audio_tokens=audio, image_tokens=image, video_tokens=video)
    usage = Usage(**input_buckets(total, details, cached))
    assert usage.tokens_in == total
    assert all(count > 0 for _, count in usage.buckets())


@given(st.integers(0, 100), COUNTS, COUNTS, st.integers(0, 100), st.integers(0, 100))
def test_output_buckets_sum_to_the_output(total: int, audio: int | None, image: int | None, within: int, beside: int):
    usage = Usage(**output_buckets(total, OutputDetails(audio_tokens=audio, image_tokens=image), within, beside))
    assert usage.tokens_out == total + beside


def test_cached_tokens_are_of_the_modality_that_is_stated_and_the_rest_is_text_first():
    details = msgspec.convert(
        {"audio_tokens": 60, "image_tokens": 10, "cached_tokens_details": {"audio_tokens": 20, "text_tokens": 5}},
        InputDetails,
    )
    assert non_zero(input_buckets(100, details, 30)) == {
        "input_text": 20, "input_audio": 40, "input_image": 10, "cache_read_text": 10, "cache_read_audio": 20,
    }  # fmt: skip


@pytest.mark.parametrize("spelling", ["tokens", "token"])
def test_details_are_read_in_either_spelling(spelling: str):
    usage = msgspec.convert(
        {
            "input_tokens": 10,
            f"input_{spelling}_details": {"audio_tokens": 4},
            "output_tokens": 5,
            f"output_{spelling}_details": {"audio_tokens": 3},
            "total_tokens": 15,
        },
        TokenUsage,
    )
    assert non_zero(usage.buckets()) == {"input_text": 6, "input_audio": 4, "output_text": 2, "output_audio": 3}


def test_a_total_that_is_another_is_a_contradiction():
    with pytest.raises(Contradiction):
        TokenUsage(input_tokens=1, output_tokens=2, total_tokens=4).buckets()
    assert TokenUsage(input_tokens=1, output_tokens=2).buckets()["output_text"] == 2
