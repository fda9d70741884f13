"""The last valid usage of a stream holds; none is summed; a cut stream keeps its largest running total."""

import msgspec

from gateway.metering.counts import INCONSISTENT, INPUT_NOT_COUNTED
from gateway.metering.fold import UNREADABLE, LastWins
from gateway.metering.reading import Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage


def total(tokens: int, searches: int = 0, **members: str) -> Reading:
    line = Line(Usage(input_text=10, output_text=tokens, web_searches=searches))
    return Reading(lines=(line,), provenance="partial", **members)  # type: ignore[arg-type]


INVALID = Reading(flags=(INCONSISTENT,))


def folded(*readings: Reading | Exception) -> LastWins:
    queue = list(readings)

    def read(payload: bytes) -> Reading:
        now = queue.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    fold = LastWins(read)
    for _ in readings:
        fold.take(b"{}")
    return fold


def output(reading: Reading) -> int:
    return reading.lines[0].usage.output_text


def test_running_totals_are_replaced_and_the_last_is_final_at_the_end():
    reading = folded(total(3), total(8), total(336)).reading(complete=True)
    assert (output(reading), reading.provenance, reading.flags) == (336, "reported", ())


def test_totals_may_fall():
    assert output(folded(total(20), total(5)).reading(complete=True)) == 5


def test_of_a_cut_stream_the_largest_total_holds():
    reading = folded(total(20), total(5)).reading(complete=False)
    assert (output(reading), reading.provenance) == (20, "partial")


def test_a_final_usage_is_reported_even_of_a_cut_stream():
    final = msgspec.structs.replace(total(7), provenance="reported")
    assert folded(total(3), final, Reading()).reading(complete=False).provenance == "reported"


def test_an_invalid_usage_after_a_valid_one_leaves_it_partial_and_flagged():
    reading = folded(total(7), INVALID).reading(complete=True)
    assert (output(reading), reading.provenance, reading.flags) == (7, "partial", (INCONSISTENT,))


def test_a_valid_usage_after_an_invalid_one_settles_it():
    reading = folded(INVALID, total(7)).reading(complete=True)
    assert (output(reading), reading.provenance, reading.flags) == (7, "reported", ())


def test_only_invalid_usage_is_unknown():
    assert folded(INVALID, INVALID).reading(complete=True) == Reading(flags=(INCONSISTENT,))


def test_names_stay_until_they_are_stated_anew():
    reading = folded(Reading(model="a", response_id="r"), total(1, service_tier="flex"), Reading(model="b")).reading(
        True
    )
    assert (reading.model, reading.response_id, reading.service_tier) == ("b", "r", "flex")


def test_searches_shown_once_stay_with_the_totals_that_follow():
    reading = folded(total(1, searches=2), total(9)).reading(complete=True)
    assert (output(reading), reading.lines[0].usage.web_searches) == (9, 2)


def test_an_unreadable_event_is_flagged_and_changes_nothing_else():
    reading = folded(total(7), NotJson("x"), msgspec.ValidationError("y")).reading(complete=True)
    assert (output(reading), reading.provenance, reading.flags) == (7, "reported", (UNREADABLE,))


def test_a_usage_without_its_input_is_never_final():
    half = msgspec.structs.replace(total(7), flags=(INPUT_NOT_COUNTED,))
    assert folded(half).reading(complete=True).provenance == "partial"


DEFERRED = Reading(provenance="deferred", work_id="resp_1")


def test_work_in_the_background_is_deferred_until_it_states_its_usage():
    assert folded(DEFERRED, Reading()).reading(complete=False) == DEFERRED
    ended = msgspec.structs.replace(total(5), provenance="reported", work_id="resp_1")
    reading = folded(DEFERRED, ended).reading(complete=True)
    assert (reading.provenance, reading.work_id) == ("reported", "resp_1")


def test_work_that_ended_without_a_usage_is_not_deferred_any_more():
    assert folded(DEFERRED, Reading(work_id="resp_1")).reading(complete=True).provenance == "unknown"


def test_a_usage_stays_whatever_is_said_of_the_work_after_it():
    reading = folded(total(5), DEFERRED).reading(complete=False)
    assert (output(reading), reading.work_id) == (5, "resp_1")
