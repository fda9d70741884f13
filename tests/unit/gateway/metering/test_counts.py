"""Counts are integers that make sense, and overlapping ones are taken apart without losing any."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.counts import (
    COUNT_MAX,
    Contradiction,
    Count,
    Seconds,
    WholeNumber,
    check_total,
    draw,
    draw_parts,
    is_stated,
    milliseconds,
    text_or_none,
)

decode = msgspec.json.Decoder(Count).decode


@pytest.mark.parametrize("text", [b"-1", b"1.5", b"2.0", b'"7"', b"true", b"null", b"[]", b"1" + b"0" * 30])
def test_what_is_no_count_is_refused(text: bytes):
    with pytest.raises(msgspec.ValidationError):
        decode(text)


def test_zero_and_the_largest_are_counts():
    assert (decode(b"0"), decode(str(COUNT_MAX).encode())) == (0, COUNT_MAX)


def test_whole_numbers_may_be_written_as_fractions():
    numbers = msgspec.json.Decoder(WholeNumber)
    assert [numbers.decode(text) for text in (b"6.0", b"6", b"0")] == [6, 6, 0]
    for text in (b"6.5", b"-1", b'"6"', b"1e13"):
        with pytest.raises(msgspec.ValidationError):
            numbers.decode(text)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4), st.integers(0, 200))
def test_drawing_moves_tokens_and_makes_none(pools: list[int], amount: int):
    before = sum(pools)
    taken = draw(pools, amount)
    assert sum(taken) + sum(pools) == before
    assert sum(taken) == min(amount, before)
    assert min(pools) >= 0


def test_the_first_pool_gives_first():
    pools = [3, 5]
    assert draw(pools, 4) == [3, 1]
    assert pools == [0, 4]


@given(
    st.lists(st.integers(0, 50), min_size=3, max_size=3), st.integers(0, 200), st.lists(st.integers(0, 60), max_size=3)
)
def test_parts_are_drawn_from_their_own_pools_first(pools: list[int], amount: int, parts: list[int]):
    before = list(pools)
    taken = draw_parts(pools, amount, parts)
    assert sum(taken) == min(amount, sum(before))
    assert [left + part for left, part in zip(pools, taken, strict=True)] == before
    if sum(parts) <= amount:
        assert all(took >= min(part, pool) for took, part, pool in zip(taken, parts, before, strict=False))


def test_parts_before_the_rest():
    pools = [10, 10, 10]
    assert draw_parts(pools, 12, (0, 4)) == [8, 4, 0]
    assert pools == [2, 6, 10]


def test_a_total_that_is_stated_must_agree():
    check_total(None, 5)
    check_total(5, 5)
    with pytest.raises(Contradiction):
        check_total(4, 5)


@pytest.mark.parametrize("text", [b"-0.1", b'"7"', b"1e12", b"NaN", b"null"])
def test_what_is_no_duration_is_refused(text: bytes):
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=Seconds)


def test_seconds_are_rounded_to_milliseconds():
    assert [milliseconds(seconds) for seconds in (7, 36.709999084472656, 0.0004)] == [7000, 36_710, 0]


def test_only_texts_with_something_in_them_are_texts():
    assert [text_or_none(value) for value in ("a", "", None, 7, ["a"])] == ["a", None, None, None, None]


def test_null_states_nothing():
    raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode(b'{"a":null,"b":0}')
    assert [is_stated(member) for member in (raw["a"], raw["b"], msgspec.Raw())] == [False, True, False]
