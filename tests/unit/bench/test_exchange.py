import json

import pytest

from bench import exchange
from bench.exchange import Stream, stamp_ns


def _split(request: bytes) -> tuple[list[str], dict[str, object]]:
    head, _, body = request.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), json.loads(body)


def _payloads(events: bytes) -> list[dict[str, object] | None]:
    """Of whole SSE events, the data; None for [DONE]."""
    data = [event.removeprefix(b"data: ") for event in events.removesuffix(b"\n\n").split(b"\n\n")]
    return [None if each == b"[DONE]" else json.loads(each) for each in data]


def test_request_is_whole_and_about_as_large_as_a_real_one() -> None:
    request = exchange.json_request("127.0.0.1:1", "/v1/chat/completions", "lsk-token")
    lines, body = _split(request)
    body_bytes = len(request.partition(b"\r\n\r\n")[2])
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    assert "authorization: Bearer lsk-token" in lines
    assert 800 <= body_bytes <= 1000
    assert f"Content-Length: {body_bytes}" in lines
    assert body["model"] == exchange.MODEL


@pytest.mark.parametrize("ask_usage", [True, False])
def test_stream_request_asks_for_usage_only_where_the_client_would(ask_usage: bool) -> None:
    lines, body = _split(exchange.stream_request("h", "/v1", "k", events=3, interval_us=500, ask_usage=ask_usage))
    assert "x-bench-events: 3" in lines
    assert "x-bench-interval-us: 500" in lines
    assert body.get("stream_options") == ({"include_usage": True} if ask_usage else None)


def test_answer_is_json_with_usage() -> None:
    assert 800 <= len(exchange.ANSWER) <= 1000
    assert json.loads(exchange.ANSWER)["usage"]["total_tokens"] == 224


def test_content_event_says_when_it_was_written() -> None:
    event = Stream(with_usage=False).content(1_234_567_890)
    assert stamp_ns(event) == 1_234_567_890
    (payload,) = _payloads(event)
    assert payload is not None
    assert "usage" not in payload


def test_asking_for_usage_changes_every_event_and_adds_one() -> None:
    plain, asked = Stream(with_usage=False), Stream(with_usage=True)
    (payload,) = _payloads(asked.content(1))
    assert payload is not None
    assert payload["usage"] is None
    finish, usage, done = _payloads(asked.ending)
    assert finish is not None
    assert usage is not None
    assert usage["choices"] == []
    assert usage["usage"]
    assert done is None
    assert len(_payloads(plain.ending)) == 2
    assert stamp_ns(plain.ending) is None


def test_requests_differ_in_length_and_answers_in_what_real_ones_never_repeat() -> None:
    variants = {len(exchange.json_request("h", "/", "k", variant)) for variant in range(exchange.REQUEST_VARIANTS)}
    assert len(variants) == exchange.REQUEST_VARIANTS
    one, other = (exchange.answer_fields(number).split(b"\r\n") for number in (1, 2))
    assert sum(line not in other for line in one) == 5
    assert one[-2:] == [b"", b""]
