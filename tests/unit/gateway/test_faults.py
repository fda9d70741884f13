"""What the gateway answers itself: the provider's own error shape, and never a retry that cannot help."""

import json

import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer

from gateway.faults import CODES, QuotaHit, Refusal, SwitchHit, render_answer, render_stream_error, rfc3339

DIALECTS = ("openai", "azure", "anthropic", "gemini")
BAD_KEY = Refusal("invalid_key", "This key is unknown")
FULL = Refusal("overloaded", "Try again", retry_after_s=1)


def answer(refusal: Refusal, dialect: str, *, close: bool = False) -> tuple[list[str], dict]:
    head, _, body = render_answer(refusal, dialect, "req_1", close=close).partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    assert f"content-length: {len(body)}" in lines
    return lines, json.loads(body)


@pytest.mark.parametrize("dialect", ["openai", "azure"])
def test_openai_s_shape(dialect):
    lines, body = answer(BAD_KEY, dialect)
    assert lines[0] == "HTTP/1.1 401 Unauthorized"
    assert body == {
        "error": {
            "message": "This key is unknown (LensAI request req_1)",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_key",
        }
    }


def test_anthropic_s_shape():
    assert answer(BAD_KEY, "anthropic")[1] == {
        "type": "error",
        "error": {
            "type": "authentication_error",
            "message": "This key is unknown (LensAI request req_1)",
            "details": {"error_code": "invalid_key"},
        },
        "request_id": "req_1",
    }


def test_gemini_s_shape():
    assert answer(BAD_KEY, "gemini")[1] == {
        "error": {
            "code": 401,
            "message": "This key is unknown (LensAI request req_1)",
            "status": "UNAUTHENTICATED",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_KEY", "domain": "lensai"}
            ],
        }
    }


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_code_has_an_answer_that_says_whether_to_retry(code, dialect):
    lines, _ = answer(Refusal(code, "Because"), dialect)
    assert lines[0].split(" ")[1] == str(CODES[code].status)
    assert lines[0].split(" ", 2)[2], "a reason phrase for people"
    assert ("x-should-retry: false" in lines) is not CODES[code].retryable
    assert "x-lensai-request-id: req_1" in lines
    assert f"x-lensai-error: {code}" in lines


def test_only_a_passing_condition_says_when_to_try_again():
    assert "retry-after: 1" in answer(FULL, "openai")[0]
    assert not any(line.startswith("retry-after") for line in answer(BAD_KEY, "openai")[0])


def test_a_connection_that_ends_says_so():
    assert "connection: close" in answer(FULL, "openai", close=True)[0]
    assert "connection: close" not in answer(FULL, "openai")[0]


def test_a_request_that_was_none_has_no_id():
    wire = render_answer(Refusal("malformed_request", "No HTTP"), "openai", "", close=True)
    assert b"request-id" not in wire
    assert b"(LensAI request" not in wire


@pytest.mark.parametrize(
    ("dialect", "endpoint", "begins", "ends"),
    [
        ("openai", "chat.completions", b'data: {"error":{', b"}\n\n"),
        ("openai", "responses", b'event: error\ndata: {"type":"error","code":"upstream_broken"', b"}\n\n"),
        ("anthropic", "messages", b'event: error\ndata: {"type":"error","error":{', b"}\n\n"),
        ("gemini", "generate_content", b'data: {"error":{"code":502', b"}\r\n\r\n"),
    ],
)
def test_a_stream_ends_with_the_provider_s_own_error_event(dialect, endpoint, begins, ends):
    event = render_stream_error(Refusal("upstream_broken", "It broke"), dialect, endpoint, "req_1")
    assert event.startswith(begins)
    assert event.endswith(ends)
    assert event.count(b"data:") == 1


@pytest.mark.parametrize("endpoint", ["responses", "responses.retrieve"])
def test_an_error_of_the_responses_api_is_numbered_and_names_the_request(endpoint):
    event = render_stream_error(Refusal("upstream_broken", "It broke"), "openai", endpoint, "req_1", number=7)
    assert json.loads(event.removeprefix(b"event: error\ndata: ")) == {
        "type": "error",
        "code": "upstream_broken",
        "message": "It broke (LensAI request req_1)",
        "param": None,
        "sequence_number": 7,
    }


def test_in_a_stream_of_lines_or_an_array_it_is_json_alone():
    event = render_stream_error(Refusal("upstream_broken", "It broke"), "ollama", "chat", "req_1", bare=True)
    assert event == b'{"error":"It broke (LensAI request req_1)"}'


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("upstream_timeout", "modelTimeoutException"),
        ("upstream_broken", "internalServerException"),
        ("budget_exhausted_midstream", "throttlingException"),
        ("kill_switch", "validationException"),
    ],
)
def test_a_binary_stream_ends_with_an_exception_that_aws_s_sdk_knows(code, kind):
    buffer = EventStreamBuffer()
    buffer.add_data(render_stream_error(Refusal(code, "It broke"), "bedrock", "converse", "req_1"))
    (message,) = list(buffer)
    assert message.headers == {
        ":exception-type": kind, ":content-type": "application/json", ":message-type": "exception",
    }  # fmt: skip
    assert message.payload == b'{"message":"It broke (LensAI request req_1)"}'


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("bedrock", {"message": "No (LensAI request req_1)"}),
        ("cohere", {"message": "No (LensAI request req_1)", "id": "req_1"}),
        ("ollama", {"error": "No (LensAI request req_1)"}),
        ("voyage", {"detail": "No (LensAI request req_1)"}),
    ],
)
def test_the_other_providers_shapes(dialect, body):
    answer = render_answer(Refusal("key_scope", "No"), dialect, "req_1", close=False)
    head, _, text = answer.partition(b"\r\n\r\n")
    assert msgspec.json.decode(text) == body
    assert (b"x-amzn-errortype: AccessDeniedException" in head) == (dialect == "bedrock")


HIT = QuotaHit("users", "usd", "month", {"user": "Zoë\r\n"}, 25 * 10**9, 310_000_000, 120_000_000, 1_800_000_000)
SPENT = Refusal("budget_exceeded", "Spent", hit=HIT)
KILLED = Refusal("kill_switch", "No", hit=SwitchHit("stop", {"user": "zoe"}, "It loops"))
DETAILS = {
    "quota": "users", "unit": "usd", "window": "month", "scope": {"user": "Zoë\r\n"}, "limit": "25.000000000",
    "wanted": "0.310000000", "remaining": "0.120000000", "resets_at": "2027-01-15T08:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["openai", "azure", "anthropic", "gemini", "bedrock", "cohere", "ollama", "voyage"])
def test_a_quota_that_was_hit_is_named_in_headers_of_every_dialect(dialect):
    lines, _ = answer(SPENT, dialect)
    assert lines[0] == "HTTP/1.1 402 Payment Required"
    assert [line for line in lines if line.startswith("x-lensai-quota")] == [
        "x-lensai-quota: users",
        "x-lensai-quota-remaining: 0.120000000",
        "x-lensai-quota-reset: 2027-01-15T08:00:00Z",
    ]
    assert "x-should-retry: false" in lines
    assert not any(line.startswith("retry-after") for line in lines)


def test_its_details_stand_where_the_shape_leaves_room():
    openai = answer(SPENT, "openai")[1]["error"]
    assert (openai["type"], openai["code"], openai["lensai"]) == ("insufficient_quota", "budget_exceeded", DETAILS)
    anthropic = answer(SPENT, "anthropic")[1]["error"]
    assert anthropic["type"] == "billing_error"
    assert anthropic["details"] == {"error_code": "budget_exceeded", "lensai": DETAILS}
    google = answer(SPENT, "gemini")[1]["error"]
    assert (google["code"], google["status"]) == (402, "RESOURCE_EXHAUSTED")
    (info,) = google["details"]
    assert (info["reason"], info["domain"]) == ("BUDGET_EXCEEDED", "lensai")
    assert info["metadata"] == DETAILS | {"scope": "user=Zoë\r\n"}


def test_what_is_not_known_of_a_quota_is_null_and_in_no_header():
    hit = QuotaHit("at-once", "concurrent", "total", limit=8)
    lines, body = answer(Refusal("rate_limited", "Full", 1, hit), "openai")
    details = body["error"]["lensai"]
    assert (details["limit"], details["remaining"], details["resets_at"]) == (8, None, None)
    assert [line for line in lines if line.startswith("x-lensai-quota")] == ["x-lensai-quota: at-once"]
    (info,) = answer(Refusal("rate_limited", "Full", 1, hit), "gemini")[1]["error"]["details"]
    assert info["metadata"] == {"quota": "at-once", "unit": "concurrent", "window": "total", "scope": "", "limit": "8"}


@pytest.mark.parametrize("dialect", ["openai", "azure", "anthropic", "gemini", "bedrock", "cohere", "ollama", "voyage"])
def test_a_kill_switch_is_named_in_a_header_of_every_dialect(dialect):
    lines, _ = answer(KILLED, dialect)
    assert "x-lensai-kill-switch: stop" in lines
    assert not any(line.startswith("x-lensai-quota") for line in lines)


def test_a_kill_switch_s_details_stand_where_the_shape_leaves_room():
    details = {"kill_switch": "stop", "scope": {"user": "zoe"}, "reason": "It loops"}
    assert answer(KILLED, "openai")[1]["error"]["lensai"] == details
    assert answer(KILLED, "anthropic")[1]["error"]["details"] == {"error_code": "kill_switch", "lensai": details}
    (info,) = answer(KILLED, "gemini")[1]["error"]["details"]
    assert (info["reason"], info["metadata"]) == ("KILL_SWITCH", details | {"scope": "user=zoe"})


def test_a_budget_for_clients_that_know_429_alone_is_not_retried_either():
    refusal = Refusal("budget_exceeded", "Spent", hit=HIT, as_429=True)
    lines, body = answer(refusal, "openai")
    assert (lines[0], refusal.status) == ("HTTP/1.1 429 Too Many Requests", 429)
    assert "x-should-retry: false" in lines
    assert not any(line.startswith("retry-after") for line in lines)
    assert body["error"]["type"] == "insufficient_quota"
    assert answer(refusal, "gemini")[1]["error"]["code"] == 429
    assert "x-amzn-errortype: ServiceQuotaExceededException" in answer(refusal, "bedrock")[0]


def test_a_rate_limit_is_retried_unless_waiting_does_not_help():
    lines, _ = answer(Refusal("rate_limited", "Wait", 7), "openai")
    assert (lines[0], "retry-after: 7" in lines) == ("HTTP/1.1 429 Too Many Requests", True)
    assert "x-should-retry: false" not in lines
    assert "x-should-retry: false" in answer(Refusal("rate_limited", "Too large", retry=False), "openai")[0]


@pytest.mark.parametrize(
    ("dialect", "endpoint", "where"),
    [
        ("openai", "chat.completions", lambda body: body["error"]["lensai"]),
        ("openai", "responses", lambda body: body["lensai"]),
        ("anthropic", "messages", lambda body: body["error"]["details"]["lensai"]),
    ],
)
def test_a_stream_that_ends_for_a_budget_says_the_same(dialect, endpoint, where):
    refusal = Refusal("budget_exhausted_midstream", "Spent", hit=HIT)
    event = render_stream_error(refusal, dialect, endpoint, "req_1")
    assert where(json.loads(event.partition(b"data: ")[2])) == DETAILS


def test_moments_are_utc_to_the_second():
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
