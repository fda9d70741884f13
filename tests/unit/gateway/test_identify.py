import pytest

from gateway.faults import Refusal
from gateway.identify import LABEL_CHARS_MAX, METADATA_BYTES_MAX, TAGS_MAX, Caller, identify
from tests.support.stages import NOW_S, caller_of, request_of, view_of

LIST = "/v1/models"
VIEW = view_of()


def refusal(path: str, *lines: bytes, token: str = "", key: str = "") -> str:
    found = identify(request_of(path, b"", *lines, token=token), view_of(key=key), NOW_S)
    assert isinstance(found, Refusal)
    assert "lk-test" not in found.message
    return found.code


@pytest.mark.parametrize(
    ("line", "slot"),
    [
        (b"Authorization: Bearer lk-test", b"authorization"),
        (b"authorization: bearer  lk-test", b"authorization"),
        (b"X-API-Key: lk-test", b"x-api-key"),
        (b"api-key: lk-test", b"api-key"),
        (b"x-goog-api-key: lk-test", b"x-goog-api-key"),
    ],
)
def test_a_key_is_found_in_each_provider_s_slot(line, slot):
    caller = caller_of(request_of(LIST, b"", line, token=""), VIEW)
    assert (caller.key.id, caller.project.id, caller.slot, caller.by_path) == ("test", "web", slot, False)
    assert caller.path == LIST


@pytest.mark.parametrize(
    ("query", "left"),
    [("key=lk-test", b""), ("a=1&key=lk-test&b=2", b"a=1&b=2"), ("key=lk-test&b=2", b"b=2"), ("key=lk%2Dtest", b"")],
)
def test_a_key_in_the_query_is_taken_out_of_it(query, left):
    caller = caller_of(request_of(f"/gemini/v1beta/models?{query}", token=""), VIEW)
    assert (caller.query, caller.slot) == (left, b"")


@pytest.mark.parametrize(
    ("path", "lines", "left", "slot"),
    [
        ("/k/lk-test/openai/v1/models", (), "/openai/v1/models", b""),
        ("/k/lk-test/v1/models", (b"authorization: Bearer sk-own",), "/v1/models", b"authorization"),
        ("/k/lk-test/anthropic/v1/models", (b"x-api-key: own",), "/anthropic/v1/models", b"x-api-key"),
        ("/k/lk-test", (), "", b""),
    ],
)
def test_a_key_in_the_path_leaves_the_client_s_own_where_it_is(path, lines, left, slot):
    caller = caller_of(request_of(path, b"", *lines, token=""), VIEW)
    assert (caller.path, caller.slot, caller.by_path) == (left, slot, True)


def test_a_client_s_own_key_may_stand_in_the_query_beside_one_in_the_path():
    caller = caller_of(request_of("/k/lk-test/gemini/v1beta/models?key=own&a=1", token=""), VIEW)
    assert caller.query == b"key=own&a=1"


@pytest.mark.parametrize(
    ("path", "lines", "code"),
    [
        (LIST, (), "missing_key"),
        (LIST, (b"authorization: Basic bGstdGVzdA==",), "missing_key"),
        (LIST, (b"authorization: lk-test",), "missing_key"),
        (LIST, (b"authorization: Bearer",), "missing_key"),
        (LIST, (b"x-api-key:",), "missing_key"),
        ("/k", (), "missing_key"),
        (LIST + "?key=", (), "missing_key"),
        (LIST, (b"authorization: Bearer lk-wrong",), "invalid_key"),
        (LIST, (b"authorization: Bearer lk-test2",), "invalid_key"),
        (LIST, (b"authorization: Bearer \xff\xfe",), "invalid_key"),
        ("/k/lk-wrong/v1/models", (b"authorization: Bearer lk-test",), "ambiguous_credentials"),
        ("/k/lk-wrong/v1/models", (b"authorization: Bearer own",), "invalid_key"),
        ("/k/lk-test/v1/models", (b"authorization: Bearer lk-test",), "ambiguous_credentials"),
        (LIST, (b"authorization: Bearer lk-test", b"x-api-key: lk-test"), "ambiguous_credentials"),
        (LIST, (b"authorization: Bearer lk-test", b"authorization: Bearer lk-test"), "ambiguous_credentials"),
        (LIST + "?key=lk-test", (b"api-key: other",), "ambiguous_credentials"),
        (LIST + "?key=lk-test&key=other", (), "ambiguous_credentials"),
    ],
)
def test_no_key_a_bad_key_and_several_keys_are_refused(path, lines, code):
    assert refusal(path, *lines) == code


@pytest.mark.parametrize("key", ["disabled = true", "expires_at = 2020-01-01T00:00:00Z"])
def test_a_key_that_is_over_is_refused(key):
    assert refusal(LIST, token="lk-test", key=key) == "invalid_key"


def test_a_key_holds_until_the_second_it_expires():
    request, view = request_of(LIST), view_of(key="expires_at = 2027-01-15T08:00:00Z")
    assert isinstance(identify(request, view, 1_800_000_000 - 1), Caller)
    assert isinstance(identify(request, view, 1_800_000_000), Refusal)


def test_a_request_says_whose_call_it_is():
    lines = (
        b"X-LensAI-User: \xc3\xa4nne@example.com",
        b"x-lensai-team: search",
        b"x-lensai-route: summaries",
        b"x-lensai-tags: a, b,,a",
        b'x-lensai-metadata: {"ticket": 7}',
    )
    caller = caller_of(request_of(LIST, b"", *lines), view_of(key='user_id = "ci"\nteam = "t"\ntags = ["fixed"]'))
    assert (caller.user_id, caller.team, caller.route) == ("änne@example.com", "search", "summaries")
    assert caller.tags == ("fixed", "a", "b")
    assert caller.metadata == '{"ticket": 7}'


def test_a_key_says_whose_call_it_is_where_the_request_does_not():
    caller = caller_of(request_of(LIST), view_of(key='user_id = "ci"\nteam = "t"\ntags = ["fixed"]'))
    assert (caller.user_id, caller.team, caller.tags, caller.route) == ("ci", "t", ("fixed",), "")


@pytest.mark.parametrize(
    "line",
    [
        b"x-lensai-user:",
        b"x-lensai-user: " + b"u" * (LABEL_CHARS_MAX + 1),
        b"x-lensai-team: a\tb",
        b"x-lensai-route:",
        b"x-lensai-tags: " + b",".join(b"t%d" % n for n in range(TAGS_MAX + 1)),
        b"x-lensai-tags: " + b"t" * (LABEL_CHARS_MAX + 1),
        b"x-lensai-metadata: [1]",
        b"x-lensai-metadata: {",
        b"x-lensai-metadata: " + b"[" * 2000,
        b'x-lensai-metadata: {"a":"' + b"x" * METADATA_BYTES_MAX + b'"}',
        b'x-lensai-metadata: {"a":"\xff"}',
    ],
)
def test_attribution_out_of_bounds_is_refused(line):
    assert refusal(LIST, line, token="lk-test") == "invalid_header"


@pytest.mark.parametrize(
    "line",
    [b"x-lensai-user: " + b"u" * LABEL_CHARS_MAX, b"x-lensai-tags: " + b",".join(b"%d" % n for n in range(TAGS_MAX))],
)
def test_attribution_at_its_bounds_is_not(line):
    caller_of(request_of(LIST, b"", line), VIEW)


SOCKET = b"sec-websocket-protocol: realtime, openai-insecure-api-key."


def test_a_browser_s_key_stands_in_the_name_of_a_protocol():
    caller = caller_of(request_of(LIST, b"", SOCKET + b"lk-test", token=""), VIEW)
    # No credential of the policy can take its place there: it goes where the API's others are.
    assert (caller.key.id, caller.slot, caller.by_path) == ("test", b"", False)


@pytest.mark.parametrize(
    ("path", "lines", "token", "code"),
    [
        (LIST, (SOCKET + b"lk-wrong",), "", "invalid_key"),
        (LIST, (SOCKET,), "", "missing_key"),
        (LIST, (SOCKET + b"lk-test",), "lk-test", "ambiguous_credentials"),
        (LIST, (SOCKET + b"lk-test, openai-insecure-api-key.lk-test",), "", "ambiguous_credentials"),
        (LIST, (SOCKET + b"lk-test", SOCKET + b"another"), "", "ambiguous_credentials"),
        (LIST + "?key=lk-test", (SOCKET + b"lk-test",), "", "ambiguous_credentials"),
        ("/k/lk-test" + LIST, (SOCKET + b"lk-test",), "", "ambiguous_credentials"),
    ],
)
def test_a_key_in_a_protocol_is_a_credential_like_any_other(path, lines, token, code):
    assert refusal(path, *lines, token=token) == code


def test_with_the_key_in_the_path_a_protocol_holds_the_client_s_own():
    caller = caller_of(request_of("/k/lk-test" + LIST, b"", SOCKET + b"sk-own", token=""), VIEW)
    assert (caller.slot, caller.by_path) == (b"sec-websocket-protocol", True)
