"""Batches and fine-tuning: nothing until they have ended, then their usage under their own id."""

import json

import msgspec
import pytest

from gateway.metering.counts import INCONSISTENT
from gateway.metering.openai_work import CONTEXT_AVERAGED, read_batch, read_job
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

ABOUT = About("openai")
USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 200},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 60},
    "total_tokens": 1100,
}


def batch(**members: object) -> Reading:
    body = {"id": "batch_1", "object": "batch", "model": "gpt-5.4", "status": "completed", "usage": USAGE, **members}
    return read_batch(json.dumps(body).encode(), ABOUT)


def job(**members: object) -> Reading:
    body = {"id": "ftjob-1", "model": "gpt-4.1-2025-04-14", "status": "succeeded", "trained_tokens": 5768, **members}
    return read_job(json.dumps(body).encode(), ABOUT)


@pytest.mark.parametrize("status", ["completed", "expired", "cancelled", "failed"])
def test_a_batch_that_has_ended_states_its_usage_at_the_price_of_batches(status: str):
    usage = Usage(input_text=800, cache_read_text=200, output_text=40, output_reasoning=60)
    assert batch(status=status) == Reading(
        (Line(usage),), "reported", "gpt-5.4", service_tier="batch", response_id="batch_1", work_id="batch_1"
    )


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling", "what_comes_next"])
def test_one_that_goes_on_is_left_for_later(status: str):
    assert batch(status=status, usage=None) == Reading(provenance="deferred", model="gpt-5.4", work_id="batch_1")


@pytest.mark.parametrize("usage", [None, {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}])
def test_a_batch_of_which_no_request_was_completed_cost_nothing(usage: object):
    reading = batch(status="failed", model=None, usage=usage, request_counts={"total": 0, "completed": 0, "failed": 0})
    assert (reading.lines, reading.provenance, reading.work_id) == ((), "none", "batch_1")
    assert batch(request_counts={"total": 1, "completed": 0}).provenance == "reported"  # and a usage all the same


def test_an_older_batch_does_not_say():
    reading = batch(usage=None)
    assert (reading.lines, reading.provenance, reading.work_id) == ((), "unknown", "batch_1")


def test_a_batch_whose_usage_makes_no_sense_keeps_its_name():
    reading = batch(usage={**USAGE, "total_tokens": 1})
    assert (reading.lines, reading.work_id, reading.flags) == ((), "batch_1", (INCONSISTENT,))


def test_the_requests_of_a_batch_are_taken_for_equally_long_and_it_says_so():
    reading = batch(request_counts={"total": 4, "completed": 3, "failed": 1})
    assert ([line.each_in for line in reading.lines], reading.flags) == ([334], (CONTEXT_AVERAGED,))


@pytest.mark.parametrize("counts", [None, {}, {"completed": 1}, {"completed": -1}, {"completed": "3"}, []])
def test_a_batch_that_does_not_tell_its_requests_is_one(counts: object):
    reading = batch(request_counts=counts)
    assert ([line.each_in for line in reading.lines], reading.flags) == ([None], ())


def test_a_fine_tuning_job_states_what_it_trained_on_its_base_model():
    assert job() == Reading(
        (Line(Usage(trained_tokens=5768)),), "reported", "gpt-4.1-2025-04-14", response_id="ftjob-1", work_id="ftjob-1"
    )


@pytest.mark.parametrize("status", ["validating_files", "queued", "running"])
def test_a_job_that_runs_is_left_for_later(status: str):
    assert job(status=status, trained_tokens=None).provenance == "deferred"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_trained_nothing_does_not_say_what_it_cost(status: str):
    reading = job(status=status, trained_tokens=None)
    assert (reading.lines, reading.provenance, reading.work_id) == ((), "unknown", "ftjob-1")


@pytest.mark.parametrize("read", [read_batch, read_job])
def test_an_error_is_no_work(read):
    assert read(b'{"error":{"message":"no such thing"}}', ABOUT) == Reading()


@pytest.mark.parametrize("read", [read_batch, read_job])
@pytest.mark.parametrize(("payload", "fault"), [(b"{", NotJson), (b"[1]", msgspec.ValidationError)])
def test_what_is_no_object_raises(read, payload: bytes, fault: type[Exception]):
    with pytest.raises(fault):
        read(payload, ABOUT)
