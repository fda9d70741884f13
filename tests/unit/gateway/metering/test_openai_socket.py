"""Responses over a socket: each ends with its usage, as in the events of a stream."""

import json

import pytest

from gateway.metering.counts import PROVIDER_ERROR
from gateway.metering.openai_socket import ResponsesSession
from gateway.metering.reading import About, Line, Reading
from pricing.usage import Usage

USAGE = {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}
CREATE = {"type": "response.create", "model": "gpt-5.4", "input": "hi"}


def event(kind: str, answer_id: str = "resp_1", **members: object) -> dict[str, object]:
    response = {"id": answer_id, "model": "gpt-5.4-2026-03-05", "service_tier": "default", "usage": None, **members}
    return {"type": f"response.{kind}", "response": response}


def received(session: ResponsesSession, message: object) -> Reading | None:
    return session.received(json.dumps(message).encode())


def sent(session: ResponsesSession, message: object) -> None:
    session.sent(json.dumps(message).encode())


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_a_response_ends_with_its_usage(kind: str):
    session = ResponsesSession(About("openai"))
    sent(session, CREATE)
    assert received(session, event("created")) is None
    assert received(session, {"type": "response.output_text.delta", "delta": 'say "usage"'}) is None
    assert received(session, event(kind, usage=USAGE)) == Reading(
        (Line(Usage(input_text=4, output_text=2)),), "reported", "gpt-5.4-2026-03-05", "default", response_id="resp_1"
    )
    assert session.open == 0


def test_responses_come_one_after_another():
    session = ResponsesSession(About("openai"))
    ended = [
        reading.response_id
        for answer_id in ("resp_1", "resp_2")
        for kind in ("created", "completed")
        if (reading := received(session, event(kind, answer_id, usage=USAGE)))
    ]
    assert ended == ["resp_1", "resp_2"]


def test_what_has_not_ended_is_told_at_the_end():
    session = ResponsesSession(About("openai"))
    received(session, event("created"))
    sent(session, CREATE)
    assert session.open == 2
    [begun, asked] = session.pending()
    assert (begun.model, begun.response_id, begun.provenance) == ("gpt-5.4-2026-03-05", "resp_1", "unknown")
    assert asked == Reading(model="gpt-5.4")


def test_one_in_the_background_goes_on_without_the_socket():
    session = ResponsesSession(About("openai"))
    received(session, event("created", background=True, status="queued"))
    [reading] = session.pending()
    assert (reading.provenance, reading.work_id) == ("deferred", "resp_1")


def test_an_error_ends_what_was_asked_for():
    session = ResponsesSession(About("openai"))
    sent(session, CREATE)
    assert received(session, {"type": "error", "status": 400, "error": {"code": "no"}}) is None
    assert session.open == 0


def test_a_response_that_failed_is_unknown():
    session = ResponsesSession(About("openai"))
    reading = received(session, event("failed", error={"code": "server_error"}))
    assert reading is not None
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (PROVIDER_ERROR,))


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b'{"type":5}', b'{"type":"response.completed","response":[]}'])
def test_no_message_raises(payload: bytes):
    session = ResponsesSession(About("openai"))
    session.sent(payload)
    assert session.received(payload) is None
    assert session.pending() == ()
