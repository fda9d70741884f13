"""The outermost look at a message, which passes over audio; and the count of answers that are open."""

import pytest

from gateway.metering.openai_events import OpenAnswers, may_be
from gateway.metering.reading import Reading

DONE = frozenset((b"response.done",))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.output_audio.delta","delta":"AAAA","x":"response.done"}',
        b'{"type": "response.done.x"}',
        b' {\n "event_id" : "event_1" , "type" : "response.audio.delta"}',
    ],
)
def test_a_message_that_opens_with_another_type_is_passed_over(payload: bytes):
    assert not may_be(payload, DONE)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.done"}',
        b'{"event_id":"event_1","type":"response.done","response":{}}',
        b'{"response":{"metadata":{"type":"x"}},"type":"response.done"}',
        b'{"event_id":"\\"","type":"response.output_audio.delta"}',
        b'{"type":"response\\u002edone"}',
        b"",
        b"no json",
    ],
)
def test_whatever_else_may_be_it(payload: bytes):
    assert may_be(payload, DONE)


def test_an_answer_is_open_from_when_it_is_asked_for_until_it_ends():
    answers = OpenAnswers()
    answers.ask()
    assert len(answers) == 1
    answers.begin("resp_1", Reading(response_id="resp_1"))
    assert len(answers) == 1
    answers.end("resp_1")
    assert (len(answers), answers.pending(None)) == (0, ())


def test_an_answer_that_nobody_asked_for_counts_too():
    answers = OpenAnswers()
    answers.begin("resp_1", Reading(response_id="resp_1"))
    answers.ask()
    assert answers.pending("gpt-realtime") == (Reading(response_id="resp_1"), Reading(model="gpt-realtime"))


def test_an_error_ends_what_was_asked_for_and_nothing_that_had_begun():
    answers = OpenAnswers()
    answers.begin("resp_1", Reading())
    answers.ask()
    answers.refuse()
    answers.refuse()
    answers.end("resp_2")
    assert len(answers) == 1


def test_no_number_of_answers_fills_the_memory():
    answers = OpenAnswers()
    for number in range(1000):
        answers.ask()
        answers.ask()
        answers.begin(f"resp_{number}", Reading())
    assert len(answers) <= 512
