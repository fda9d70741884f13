"""Counts are OpenAI's, and a text of any length is counted without holding the interpreter for long."""

import pytest

from gateway.metering import tokens


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("お誕生日おめでとう", 8, 9),
        ("<|endoftext|>", 7, 7),
    ],
)
def test_counts_are_those_of_the_published_vocabularies(text: str, o200k: int, cl100k: int):
    assert tokens.count(text, "o200k_base") == o200k
    assert tokens.count(text, "cl100k_base") == cl100k


def test_a_long_text_is_counted_in_pieces_and_never_below():
    sentence = "The quick brown fox jumps over the lazy dog. "
    whole = sentence * 1000
    cuts = len(whole) // tokens.PIECE_CHARACTERS
    once = tokens.count(sentence, "o200k_base")
    assert once * 1000 - 1000 <= tokens.count(whole, "o200k_base") <= once * 1000 + cuts


def test_half_a_surrogate_pair_is_counted_as_something():
    assert tokens.count("\ud83d", "o200k_base") > 0


def test_ratios_round_up():
    assert (tokens.scale(10, 127, 100), tokens.scale(0, 127, 100), tokens.scale(100, 100, 100)) == (13, 0, 100)
