import contextlib
import json
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.reconciliation.lines import Unreadable
from control_plane.reconciliation.openai_usage import read

START_S = 1_730_419_200
DAY = date(2024, 11, 1)


def page(*results: dict, more: str | None = None) -> bytes:
    """As the API reference shows it."""
    bucket = {"object": "bucket", "start_time": START_S, "end_time": START_S + 86_400, "results": list(results)}
    return json.dumps({"object": "page", "data": [bucket], "has_more": more is not None, "next_page": more}).encode()


def result(**fields: object) -> dict:
    return {
        "object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500,
        "input_cached_tokens": 800, "input_audio_tokens": 0, "output_audio_tokens": 0, "num_model_requests": 5,
        "project_id": None, "user_id": None, "api_key_id": None, "model": "gpt-4o-2024-08-06", "batch": None,
    } | fields  # fmt: skip


def counts(data: bytes) -> dict[str, int | None]:
    return {line.measure: line.quantity for line in read(data).lines}


def test_cached_tokens_are_taken_out_of_the_input():
    account = read(page(result(), more="AAAA"))
    assert (account.from_day, account.to_day, account.next_page) == (DAY, DAY, "AAAA")
    assert {line.model for line in account.lines} == {"gpt-4o-2024-08-06"}
    assert counts(page(result())) == {
        "input": 200, "cache_read": 800, "cache_write": 0, "output": 500, "requests": 5,
    }  # fmt: skip


def test_results_of_a_model_are_summed_over_keys_and_tiers():
    assert counts(page(result(api_key_id="a"), result(api_key_id="b")))["output"] == 1000


def test_embeddings_have_no_output():
    embedded = {"object": "organization.usage.embeddings.result", "input_tokens": 16, "num_model_requests": 2}
    assert counts(page(embedded | {"model": "text-embedding-3-small"}))["output"] == 0


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"model": None}, r"results\[0\]\.model: is null; ask for group_by=model"),
        ({"input_cached_tokens": 1001}, r"results\[0\]\.input_cached_tokens"),
        ({"object": "organization.usage.images.result"}, r"results\[0\]\.object"),
        ({"input_tokens": -1}, r"results\[0\]\.input_tokens"),
        ({"input_tokens": 1.5}, r"results\[0\]\.input_tokens"),
        ({"output_tokens": "5"}, r"results\[0\]\.output_tokens"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(fields, place):
    with pytest.raises(Unreadable, match=place):
        read(page(result(**fields)))


def test_a_bucket_longer_than_a_day_is_refused():
    with pytest.raises(Unreadable, match="bucket_width=1d"):
        read(page().replace(str(START_S + 86_400).encode(), str(START_S + 86_401).encode()))


def test_a_day_without_usage_is_a_day_of_the_account():
    assert read(page()).from_day == DAY
    assert read(page()).lines == ()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(Unreadable):
        read(data)


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_no_token_is_lost_or_counted_twice(plain, cached, written, output):
    whole = plain + cached + written
    data = page(
        result(input_tokens=whole, input_cached_tokens=cached, input_cache_write_tokens=written, output_tokens=output)
    )
    found = counts(data)
    assert (found["input"], found["cache_read"], found["cache_write"]) == (plain, cached, written)
    assert found["output"] == output
    assert msgspec.json.decode(data)["data"][0]["results"][0]["input_tokens"] == whole
