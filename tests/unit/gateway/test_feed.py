import pytest

from gateway.contract.publishing import ITEMS_MAX, Forged, Item, Part, seal
from gateway.feed import LINE_BYTES_MAX, Feed

KEYS = {"k1": b"secret-of-the-policy", "k2": b"the-one-before-it"}
PARTS = (
    Part("now", 0, 5, reset=True, complete=False, items=(Item("key", "a", 1),)),
    Part("now", 1, 5, items=(Item("key", "b", 5),)),
    Part("now", 2, 5),
    Part("now", 3, 6, items=(Item("key", "a", 6),)),
)


def line(part: Part, key_id: str = "k1") -> bytes:
    return seal(part, key_id, KEYS[key_id])


STREAM = b"".join(line(part, key_id) for part, key_id in zip(PARTS, ("k1", "k2", "k1", "k1"), strict=True))


def numbers(feed: Feed, *pieces: bytes) -> list[int]:
    return [part.number for piece in pieces for part in feed.read(piece)]


def test_an_answer_is_read_whole_byte_by_byte_and_in_any_two_pieces():
    assert numbers(Feed(KEYS, "now", 0), STREAM) == [0, 1, 2, 3]
    assert numbers(Feed(KEYS, "now", 0), *(STREAM[at : at + 1] for at in range(len(STREAM)))) == [0, 1, 2, 3]
    for at in range(0, len(STREAM), 7):
        assert numbers(Feed(KEYS, "now", 0), STREAM[:at], STREAM[at:]) == [0, 1, 2, 3]


def test_what_is_cut_is_no_line_and_whether_something_waits_for_more_is_known():
    feed = Feed(KEYS, "now", 0)
    assert feed.complete
    assert numbers(feed, line(PARTS[0]), line(PARTS[1])[:-1]) == [0]
    assert not feed.complete
    assert numbers(feed, b"\n") == [1]
    assert feed.complete


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Part("another", 1, 5), "answers another question"),
        (Part("", 1, 5), "answers another question"),
        (Part("now", 0, 5), "missing, or comes twice"),
        (Part("now", 2, 5), "missing, or comes twice"),
        (Part("now", -1, 5), "missing, or comes twice"),
        (Part("now", 1, 4), "back to an older policy"),
        (Part("now", 1, 5, items=(Item("key", "a", 5),) * (ITEMS_MAX + 1)), "more than 200 items"),
    ],
)
def test_a_signed_line_that_does_not_follow_is_not_believed(part: Part, why: str):
    feed = Feed(KEYS, "now", 5)
    assert numbers(feed, line(Part("now", 0, 5))) == [0]
    with pytest.raises(Forged, match=why):
        numbers(feed, line(part))


def test_what_stands_before_a_forged_line_counts_and_nothing_behind_it():
    parts = Feed(KEYS, "now", 0).read(line(PARTS[0]) + b"forged\n" + line(PARTS[1]))
    assert next(parts).number == 0
    with pytest.raises(Forged):
        next(parts)


def test_an_older_version_is_believed_where_it_is_the_whole():
    feed = Feed(KEYS, "now", 17)
    assert numbers(feed, line(PARTS[0]), line(PARTS[1])) == [0, 1]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_an_end_is_not_held_for_ever(end: bytes):
    with pytest.raises(Forged, match="longer than"):
        numbers(Feed(KEYS, "now", 0), *[b"x" * 65536] * (LINE_BYTES_MAX // 65536 + 2), end)
    with pytest.raises(Forged, match="longer than"):
        numbers(Feed(KEYS, "now", 0), b"x" * (LINE_BYTES_MAX + 1) + end)
