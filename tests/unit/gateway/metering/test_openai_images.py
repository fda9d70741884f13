"""Images: tokens as stated, an SVG's author beside them, and images alone where nothing is stated."""

import json

import msgspec
import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_images import read
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

ABOUT = About("openai")
USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 1056,
    "total_tokens": 1106,
}
MADE = Usage(input_text=10, input_image=40, output_image=1056)
SVG = {"model": "gpt-6-vector", "input_tokens": 20, "output_tokens": 30, "reasoning_tokens": 12, "total_tokens": 50}
ANSWER = {"created": 1, "data": [{"b64_json": "iVBORw0K"}], "size": "1024x1024"}


def read_whole(**members: object) -> Reading:
    return read(json.dumps({**ANSWER, **members}).encode(), ABOUT)


def test_an_answer_states_texts_and_images():
    assert read_whole(usage=USAGE) == Reading((Line(MADE),), "reported")


@pytest.mark.parametrize("kind", ["image_generation.completed", "image_edit.completed"])
def test_the_last_event_of_a_stream_states_them_too(kind: str):
    event = {"type": kind, "b64_json": "iVBORw0K", "usage": USAGE}
    assert read(json.dumps(event).encode(), ABOUT).lines == (Line(MADE),)


def test_a_partial_image_states_nothing():
    event = {"type": "image_generation.partial_image", "b64_json": "iVBORw0K", "partial_image_index": 0}
    assert read(json.dumps(event).encode(), ABOUT) == Reading()


def test_the_author_of_an_svg_is_a_line_of_its_own_model():
    author = Line(Usage(input_text=20, output_text=18, output_reasoning=12), "gpt-6-vector")
    assert read_whole(usage=USAGE, svg_usage=SVG).lines == (Line(MADE), author)


def test_reasoning_that_the_total_holds_beside_the_output_comes_on_top():
    [_, author] = read_whole(usage=USAGE, svg_usage={**SVG, "total_tokens": 62}).lines
    assert author.usage == Usage(input_text=20, output_text=30, output_reasoning=12)


def test_images_without_a_usage_are_counted():
    assert read_whole(data=[{"url": "a"}, {"url": "b"}]) == Reading((Line(Usage(output_images=2)),), "reported")


@pytest.mark.parametrize(
    "members",
    [
        {"usage": {**USAGE, "total_tokens": 1}},
        {"usage": {**USAGE, "input_tokens": "50"}},
        {"usage": {**USAGE, "output_tokens": -1}},
        {"usage": USAGE, "svg_usage": {**SVG, "total_tokens": 51}},
    ],
)
def test_a_usage_that_makes_no_sense_is_none(members: dict[str, object]):
    assert read_whole(**members) == Reading(flags=(INCONSISTENT,))


@pytest.mark.parametrize("answer", [{"error": {"message": "no"}}, {"type": "error", "code": "no"}])
def test_an_error_is_noticed(answer: dict[str, object]):
    assert read(json.dumps(answer).encode(), ABOUT) == Reading(flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize(("payload", "fault"), [(b"{", NotJson), (b"[1]", msgspec.ValidationError)])
def test_what_is_no_answer_raises(payload: bytes, fault: type[Exception]):
    with pytest.raises(fault):
        read(payload, ABOUT)
