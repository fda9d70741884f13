from pricing.usage import Usage

ONE_OF_EACH = Usage(*[1] * len(Usage.__struct_fields__))


def test_buckets_are_the_counted_ones_in_order():
    assert list(Usage(output_text=7, input_text=3, web_searches=1).buckets()) == [
        ("input_text", 3),
        ("output_text", 7),
        ("web_searches", 1),
    ]


def test_tokens_in_are_uncached_read_and_written():
    usage = Usage(input_text=1, input_audio=2, cache_read_image=4, cache_write=8, cache_write_1h=16, output_text=32)
    assert usage.tokens_in == 31


def test_tokens_out_include_reasoning():
    assert Usage(input_text=1, output_text=2, output_reasoning=4, output_citation=8).tokens_out == 14


def test_every_token_bucket_is_in_exactly_one_of_the_totals():
    others = ("web_searches", "file_searches", "input_characters", "input_pages", "input_annotated_pages")
    others += ("input_messages", "input_audio_ms", "output_audio_ms", "output_images", "trained_tokens")
    others += ("rerank_searches", "input_images", "input_pixels")
    assert ONE_OF_EACH.tokens_in + ONE_OF_EACH.tokens_out == len(Usage.__struct_fields__) - len(others)


def test_usages_add_bucket_by_bucket():
    left = Usage(input_text=1, output_text=2)
    assert left + Usage(output_text=3, output_audio_ms=5) == Usage(input_text=1, output_text=5, output_audio_ms=5)
