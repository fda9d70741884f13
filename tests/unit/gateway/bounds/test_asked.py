import pytest

from gateway.bounds.asked import (
    ANSWERS_MAX,
    Asked,
    answers_of,
    asked_of,
    cap_of,
    items_of,
    modifiers_of,
    texts_of,
    thinks,
)
from gateway.bounds.tools import Tooling
from pricing.bound import Unbounded

NOTHING = Unbounded("because")


def test_the_largest_cap_holds_and_what_caps_nothing_is_none():
    assert cap_of(None, 5, 7, 0) == 7
    assert [cap_of(), cap_of(None), cap_of(0), cap_of(-1)] == [None] * 4
    assert all(isinstance(cap_of(5, wrong), Unbounded) for wrong in (True, "5", 5.0, {}))


def test_answers_are_one_to_as_many_as_anybody_gives():
    assert [answers_of(), answers_of(None, 3, 2), answers_of(ANSWERS_MAX)] == [1, 3, ANSWERS_MAX]
    assert all(isinstance(answers_of(wrong), Unbounded) for wrong in (0, -1, True, "1", 1.0, ANSWERS_MAX + 1))


@pytest.mark.parametrize("parts", [(NOTHING, 1, Tooling()), (1, NOTHING, Tooling()), (1, 1, NOTHING)])
def test_one_part_without_a_bound_leaves_the_whole_without(parts):
    assert asked_of(*parts, Asked()) == NOTHING


def test_answers_to_several_prompts_multiply():
    found = asked_of(5, 3, Tooling(), Asked(answers=4))
    assert isinstance(found, Asked)
    assert (found.cap, found.answers) == (5, 12)


def test_members_of_another_type_say_nothing():
    assert modifiers_of(service_tier="flex", speed=7, latency="") == (("service_tier", "flex"),)
    assert (items_of("ab"), texts_of(["a", 1]), thinks("x"), thinks({"type": "disabled"})) == ([], ("a",), False, False)
    assert thinks({"type": "enabled"})
