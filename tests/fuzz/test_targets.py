"""Every target over its seeds and over some thousand changes of them, with no fuzzer installed."""

import pytest

from tests.fuzz.mutation import mutations
from tests.fuzz.targets import TARGETS

# A slice of what `make fuzz` does: about ten seconds for all.
MUTATIONS = 3000


@pytest.mark.parametrize("name", TARGETS)
def test_no_seed_breaks_a_target(name):
    seeds = list(TARGETS[name].seeds())
    assert seeds
    for data in (b"", b"\x00", *seeds):
        TARGETS[name].run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_change_of_a_seed_breaks_a_target(name):
    for data in mutations(list(TARGETS[name].seeds()), MUTATIONS, seed=7):
        try:
            TARGETS[name].run(data)
        except Exception as fault:
            fault.add_note(f"the input: {data!r}"[:2000])
            raise


def test_changes_are_the_same_for_the_same_seed():
    seeds = [b"hello", b"world" * 10]
    assert list(mutations(seeds, 50, seed=1)) == list(mutations(seeds, 50, seed=1))
    assert list(mutations(seeds, 50, seed=1)) != list(mutations(seeds, 50, seed=2))
