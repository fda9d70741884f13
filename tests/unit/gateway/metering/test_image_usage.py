"""Texts and images of an image model, made disjoint; the parts never exceed the whole."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.image_usage import ImageUsage, image_buckets

COUNTS = st.none() | st.integers(0, 100)


def buckets(**members: object) -> dict[str, int]:
    return dict(image_buckets(msgspec.convert(members, ImageUsage)).buckets())


def test_texts_and_images_have_buckets_of_their_own():
    found = buckets(
        input_tokens=50,
        input_tokens_details={"text_tokens": 10, "image_tokens": 40},
        output_tokens=30,
        output_tokens_details={"text_tokens": 4, "image_tokens": 26},
    )
    assert found == {"input_text": 10, "input_image": 40, "output_text": 4, "output_image": 26}


def test_output_without_details_is_images():
    assert buckets(input_tokens=5, output_tokens=30) == {"input_text": 5, "output_image": 30}


def test_cached_tokens_are_part_of_their_modality():
    found = buckets(
        input_tokens=50,
        input_tokens_details={"text_tokens": 10, "image_tokens": 40},
        cached_tokens_details={"cached_text_tokens": 3, "cached_image_tokens": 7},
    )
    assert found == {"input_text": 7, "input_image": 33, "cache_read_text": 3, "cache_read_image": 7}


@given(st.integers(0, 100), COUNTS, COUNTS, COUNTS, st.integers(0, 100), COUNTS)
def test_buckets_sum_to_the_totals(
    total: int, image: int | None, cached_text: int | None, cached_image: int | None, output: int, text_out: int | None
):
    usage = image_buckets(
        msgspec.convert(
            {
                "input_tokens": total,
                "input_tokens_details": {"image_tokens": image},
                "cached_tokens_details": {"cached_text_tokens": cached_text, "cached_image_tokens": cached_image},
                "output_tokens": output,
                "output_tokens_details": {"text_tokens": text_out},
            },
            ImageUsage,
        )
    )
    assert (usage.tokens_in, usage.tokens_out) == (total, output)
