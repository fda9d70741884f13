"""Interactions: the usage of a whole one or of a stream's last event; one in the background is told of later."""

import json

import msgspec
import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.fold import LastWins
from gateway.metering.gemini_interactions import read
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

ABOUT = About("gemini", request=b'{"input":"hi","stream":true}')
BACKGROUND = About("gemini", request=b'{"input":"hi","stream":true,"background":true}')
USAGE = {
    "total_tokens": 229,
    "total_input_tokens": 9,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 9}],
    "total_cached_tokens": 0,
    "total_output_tokens": 13,
    "total_tool_use_tokens": 0,
    "total_thought_tokens": 207,
}
USED = Usage(input_text=9, output_text=13, output_reasoning=207)


def interaction(**members: object) -> dict[str, object]:
    return {"id": "v1_a", "object": "interaction", "model": "gemini-2.5-flash", "status": "completed",
            "usage": USAGE, **members}  # fmt: skip


def read_whole(about: About = ABOUT, **members: object) -> Reading:
    return read(json.dumps(interaction(**members)).encode(), about)


CREATED = {"event_type": "interaction.created", "interaction": interaction(status="in_progress", usage=None)}
STEP = {"event_type": "step.delta", "delta": {"text": "hi"}, "metadata": {"usage": {**USAGE, "total_tokens": 226,
        "total_output_tokens": 10}}}  # fmt: skip
COMPLETED = {"event_type": "interaction.completed", "interaction": interaction(service_tier="standard")}


def folded(about: About, *events: object, complete: bool = True) -> Reading:
    fold = LastWins(lambda payload: read(payload, about))
    for event in events:
        fold.take(json.dumps(event).encode())
    return fold.reading(complete)


def test_thoughts_are_beside_the_output():
    assert read_whole() == Reading((Line(USED),), "reported", "gemini-2.5-flash", response_id="v1_a", work_id="v1_a")


def test_modalities_caches_and_tools_have_buckets_of_their_own():
    usage = {
        "total_input_tokens": 300,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 42}, {"modality": "image", "tokens": 258}],
        "total_cached_tokens": 12,
        "total_tool_use_tokens": 5,
        "total_output_tokens": 20,
        "output_tokens_by_modality": [{"modality": "audio", "tokens": 15}, {"modality": None}],
        "grounding_tool_count": [{"type": "google_search", "count": 3}, {"type": "google_maps", "count": 9}],
        "total_tokens": 325,
    }
    assert read_whole(usage=usage).lines[0].usage.web_searches == 1  # of Gemini 2.5, which is billed by the prompt
    [line] = read_whole(usage=usage, model="gemini-3.6-flash").lines
    assert dict(line.usage.buckets()) == {
        "input_text": 35, "input_image": 258, "cache_read_text": 12, "output_text": 5, "output_audio": 15,
        "web_searches": 3,
    }  # fmt: skip


def test_an_agent_stands_for_a_model():
    assert (
        read_whole(model=None, agent="deep-research-pro-preview-12-2025").model == "deep-research-pro-preview-12-2025"
    )


def test_a_stream_is_its_last_event():
    reading = folded(ABOUT, CREATED, STEP, COMPLETED)
    assert (reading.lines, reading.provenance, reading.service_tier) == ((Line(USED),), "reported", "standard")


@pytest.mark.parametrize("name", ["usage", "total_usage"])
def test_a_stream_that_was_cut_has_its_running_total(name: str):
    step = {**STEP, "metadata": {name: STEP["metadata"]["usage"]}}
    reading = folded(ABOUT, CREATED, step, complete=False)
    assert (reading.lines[0].usage.output_text, reading.provenance) == (10, "partial")


def test_one_in_the_background_is_left_for_later():
    assert read_whole(status="in_progress", usage=None).provenance == "deferred"
    cut = folded(BACKGROUND, CREATED, STEP, complete=False)
    assert (cut.lines, cut.provenance, cut.work_id) == ((), "deferred", "v1_a")


def test_and_told_when_it_has_ended():
    assert folded(BACKGROUND, CREATED, STEP, COMPLETED).provenance == "reported"


def test_a_stream_that_was_cut_in_the_foreground_will_not_be_told_of():
    assert folded(ABOUT, CREATED, complete=False).provenance == "unknown"


@pytest.mark.parametrize("usage", [{**USAGE, "total_tokens": 1}, {**USAGE, "total_input_tokens": "9"}])
def test_a_usage_that_makes_no_sense_is_none(usage: dict[str, object]):
    reading = read_whole(usage=usage)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (INCONSISTENT,))


@pytest.mark.parametrize("answer", [{"error": {"message": "no"}}, {"event_type": "error", "error": {"code": "x"}}])
def test_an_error_is_noticed(answer: dict[str, object]):
    assert read(json.dumps(answer).encode(), ABOUT) == Reading(flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize(("payload", "fault"), [(b"{", NotJson), (b"[1]", msgspec.ValidationError)])
def test_what_is_no_answer_raises(payload: bytes, fault: type[Exception]):
    with pytest.raises(fault):
        read(payload, ABOUT)


@pytest.mark.parametrize("request_body", [b"", b"{", b"[1]"])
def test_a_request_that_cannot_be_read_asked_for_nothing(request_body: bytes):
    assert folded(About("gemini", request=request_body), CREATED, complete=False).provenance == "unknown"
