from itertools import islice, pairwise

import pytest

from gateway.sandbox.text import (
    WORDS,
    count_prompt,
    count_tokens,
    rank,
    seed_of,
    split_prompts,
    write_chunks,
    write_vector,
    write_words,
)


@pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_words_are_tokens_whoever_counts(encoding: str):
    import bpe_openai  # warns when it is imported

    counted = bpe_openai.get_encoding(encoding)

    assert len(set(WORDS)) == len(WORDS)
    for size in (1, 2, 100):
        text = "".join(islice(write_words(seed_of("a prompt")), size))
        assert len(counted.encode(text)) == len(text.split()) == size


def test_the_same_prompt_gives_the_same_words_in_any_pieces():
    seed = seed_of("m", [{"role": "user", "content": "x"}])
    whole = list(write_chunks(seed, 10, 100))
    pieces = list(write_chunks(seed, 10, 3))

    assert [tokens for _, tokens in pieces] == [3, 3, 3, 1]
    assert "".join(text for text, _ in pieces) == whole[0][0]
    assert list(write_chunks(seed, 0, 3)) == []
    assert seed_of("m", "x") != seed_of("m", "y")


def test_vectors_are_exact_in_every_format():
    vector = write_vector(seed_of("x"), 1536)

    assert len(vector) == 1536
    assert all(-1 <= number < 1 and number * 8 == int(number * 8) for number in vector)


def test_tokens_are_counted_in_every_string_and_nothing_else():
    assert count_tokens("") == 0
    assert count_tokens("four") == 1
    assert count_tokens("fünf") == 2
    assert count_tokens([{"type": "text", "text": "eightish"}, None, 5]) == 1 + 2


def test_prompts_are_texts_or_lists_of_numbers():
    assert split_prompts("a") == ["a"]
    assert split_prompts([1, 2, 3]) == [[1, 2, 3]]
    assert split_prompts(["a", [1, 2]]) == ["a", [1, 2]]
    assert count_prompt([1, 2, 3]) == 3
    assert count_prompt("eightish") == 2


def test_documents_are_ranked_by_the_texts_alone():
    ranked = rank("night", ["day", "night", "dusk"])

    assert ranked == rank("night", ["day", "night", "dusk"]) != rank("day", ["day", "night", "dusk"])
    assert sorted(index for index, _ in ranked) == [0, 1, 2]
    assert all(1 > best >= next_best >= 0 for (_, best), (_, next_best) in pairwise(ranked))
