"""A reading that says nothing says that it is unknown, in the words of the record."""

from typing import get_args

from gateway.contract import record
from gateway.metering import reading
from gateway.metering.reading import Line, Reading
from pricing.usage import Usage


def test_nothing_read_is_unknown_and_not_zero():
    assert (Reading().lines, Reading().provenance) == ((), "unknown")
    assert Reading().lines != (Line(Usage()),)


def test_provenance_has_the_words_of_the_record():
    assert get_args(reading.Provenance) == get_args(record.Provenance)
