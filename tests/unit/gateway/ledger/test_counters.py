import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.base import Crossed, Shortage
from gateway.ledger.counters import Counter, Counters
from tests.support.holds import hold, holds


def test_what_fits_is_held_and_what_does_not_is_refused_whole():
    counters = Counters()

    assert counters.reserve("a", holds(hold("org", 60, 100), hold("key", 60, 80))) is None
    assert counters.reserve("b", holds(hold("org", 30, 100), hold("key", 30, 80))) == Shortage("key", 30, 20)
    assert counters.by_name["org"].held == 60
    assert counters.reserve("b", holds(hold("org", 20, 100), hold("key", 20, 80))) is None
    assert counters.held("b") == {"org": 20, "key": 20}


def test_a_third_counter_that_is_short_takes_nothing_of_the_others():
    """Case 44."""
    counters = Counters()

    assert counters.reserve("a", holds(hold("one", 1, 1), hold("two", 1, 1), hold("three", 1, 0))) == Shortage(
        "three", 1, 0
    )
    assert [counter.held for counter in counters.by_name.values()] == [0, 0, 0]
    assert counters.held("a") == {}


def test_settling_gives_back_what_was_not_needed_and_counts_what_was():
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100)))

    assert counters.settle("a", {"org": 25}) == 1
    counter = counters.by_name["org"]
    assert (counter.settled, counter.held, counter.whole) == (25, 0, 100)
    assert counters.reserve("b", holds(hold("org", 75, 100))) is None


def test_settling_twice_is_settling_once():
    """Case 29."""
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100)))
    counters.settle("a", {"org": 25})

    assert counters.settle("a", {"org": 25}) == 0
    assert counters.settle("never held", {"org": 25}) == 0
    assert counters.by_name["org"].settled == 25


def test_a_settlement_above_its_hold_is_recorded_and_not_cut():
    """Case 30."""
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100)))

    counters.settle("a", {"org": 130})

    assert counters.by_name["org"].settled == 130
    assert counters.reserve("b", holds(hold("org", 1, 100))) == Shortage("org", 1, 0)


def test_what_is_extended_is_held_with_the_rest():
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100)))

    assert counters.extend("a", holds(hold("org", 30, 100))) is None
    assert counters.extend("a", holds(hold("org", 30, 100))) == Shortage("org", 30, 10)
    assert counters.held("a") == {"org": 90}
    counters.settle("a", {})
    assert counters.by_name["org"].held == 0


def test_a_limit_that_is_lowered_lets_nobody_in_and_one_that_is_raised_does():
    """Case 45."""
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100)))

    assert counters.reserve("b", holds(hold("org", 1, 50))) == Shortage("org", 1, 0)
    assert counters.reserve("b", holds(hold("org", 1, 61))) is None


def test_without_a_limit_everything_is_counted_and_nothing_refused():
    counters = Counters()

    assert counters.reserve("a", holds(hold("org", 10**18, None))) is None
    counters.settle("a", {"org": 10**18})
    assert counters.by_name["org"].settled == 10**18


def test_of_a_lease_no_more_is_held_than_it_is_whatever_the_limit():
    counters = Counters()
    counters.by_name["org"] = Counter(lease=50)

    assert counters.reserve("a", holds(hold("org", 51, 1000))) == Shortage("org", 51, 50)
    assert counters.reserve("a", holds(hold("org", 50, 1000))) is None


def test_a_threshold_is_told_of_once():
    counters = Counters()
    for id, amount, expected in (
        ("a", 49, []),
        ("b", 1, [50]),
        ("c", 1, []),
        ("d", 50, [90, 100]),
        ("e", 9, []),
    ):
        counters.reserve(id, holds(hold("org", 0, None, thresholds=(50, 90, 100), whole=100)))
        counters.settle(id, {"org": amount})
        assert [crossed.percent for crossed in counters.crossed()] == expected
    assert counters.by_name["org"].told == 100
    assert not counters.crossed()


def test_what_crosses_tells_how_much_of_what():
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100, thresholds=(50,))))
    counters.settle("a", {"org": 60})

    assert counters.crossed() == [Crossed("org", 50, 60, 100)]


def test_a_lowered_limit_is_crossed_by_what_was_settled_before():
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 1000, thresholds=(50, 90))))
    counters.settle("a", {"org": 60})
    assert not counters.crossed()

    counters.reserve("b", holds(hold("org", 1, 100, thresholds=(50, 90))))
    counters.settle("b", {"org": 0})

    assert counters.crossed() == [Crossed("org", 50, 60, 100)]


def test_what_is_given_back_before_anybody_was_told_is_not_told():
    counters = Counters()
    counters.reserve("a", holds(hold("org", 60, 100, thresholds=(50,))))
    counters.settle("a", {"org": 60})
    counters.add("org", -20)
    assert not counters.crossed()

    counters.add("org", 20)
    assert [crossed.percent for crossed in counters.crossed()] == [50]


def test_thresholds_of_a_lease_are_not_its_own_to_tell():
    counters = Counters(lease=0)
    counters.reserve("a", holds(hold("org", 0, 100, thresholds=(50,))))
    counters.settle("a", {"org": 60})

    assert not counters.crossed()


def test_counters_of_windows_that_are_over_may_be_forgotten_unless_something_is_held():
    counters = Counters()
    counters.reserve("a", holds(hold("old", 1, None, kept_until_s=100), hold("new", 1, None, kept_until_s=300)))
    assert counters.ended(200) == ["old"]
    counters.forget("old")
    assert set(counters.by_name) == {"old", "new"}

    counters.settle("a", {"old": 1, "new": 1})
    counters.forget("old")
    assert set(counters.by_name) == {"new"}


def test_a_call_settles_of_a_counter_that_was_forgotten_meanwhile():
    counters = Counters()
    counters.reserve("a", holds(hold("told", 0, None, kept_until_s=100), hold("org", 60, 100)))
    counters.forget("told")

    assert counters.settle("a", {"told": 7, "org": 20}) == 1
    assert [(one.settled, one.held) for one in counters.by_name.values()] == [(20, 0), (7, 0)]
    assert counters.ended(200) == ["told"]


def test_an_id_that_holds_may_not_reserve_again():
    counters = Counters()
    counters.reserve("a", holds())

    with pytest.raises(AssertionError):
        counters.reserve("a", holds())


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("reserve", "extend", "settle")),
        st.integers(0, 5),
        st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 40)), max_size=3, unique_by=lambda one: one[0]),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_happens_settled_and_held_stay_within_the_limit(steps: list[tuple[str, int, list[tuple[str, int]]]]):
    counters, limit = Counters(), 100
    holding: dict[str, dict[str, int]] = {}
    for action, number, amounts in steps:
        id, wanted = str(number), holds(*(hold(name, amount, limit) for name, amount in amounts))
        if action == "reserve" and id not in holding and counters.reserve(id, wanted) is None:
            holding[id] = dict(amounts)
        elif action == "extend" and id in holding and counters.extend(id, wanted) is None:
            for name, amount in amounts:
                holding[id][name] = holding[id].get(name, 0) + amount
        elif action == "settle" and id in holding:
            counters.settle(id, {name: held // 2 for name, held in holding.pop(id).items()})
        for name, counter in counters.by_name.items():
            assert counter.held == sum(held.get(name, 0) for held in holding.values())
            assert counter.settled + counter.held <= limit
