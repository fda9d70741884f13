import pytest

from gateway.wire.headers import (
    REQUEST_ID_HEADERS,
    keeps_alive,
    nominated,
    request_head,
    request_reader,
    response_head,
    response_reader,
    without_secret,
)
from gateway.wire.http1 import Head

LINE = b"POST /v1/x HTTP/1.1\r\n"
SECRET = b"sk-of-the-policy"


def asked(*lines: bytes) -> Head:
    return request_reader().request(b"\r\n".join((b"POST /v1/x HTTP/1.1", *lines)) + b"\r\n\r\n")


def answered(*lines: bytes) -> Head:
    return response_reader().response(b"\r\n".join((b"HTTP/1.1 200 OK", *lines)) + b"\r\n\r\n")


def sent(
    *lines, credential=(b"authorization", b"Bearer " + SECRET), extra=(), identity_only=False, has_body=True
) -> list[bytes]:
    """The header lines that go to the provider for those of a client, a length of 5 among them."""
    before, after = request_head(
        LINE,
        asked(*lines),
        host=b"api",
        credential=credential,
        extra=extra,
        has_body=has_body,
        identity_only=identity_only,
    )
    assert before.startswith(LINE)
    assert after.endswith(b"\r\n\r\n")
    return (before + b"5" + after).removeprefix(LINE).removesuffix(b"\r\n\r\n").split(b"\r\n")


def passed(*lines: bytes, content_length: bool = True, decoded: bool = False) -> list[bytes]:
    """The header lines that go to the client for those of a provider."""
    head = response_head(b"", answered(*lines), content_length=content_length, decoded=decoded, ours=b"ours: 1\r\n")
    return head.removesuffix(b"\r\n\r\n").split(b"\r\n")


def test_what_is_not_the_gateway_s_business_is_kept_in_order_and_case():
    lines = (
        b"Host: gw",
        b"X-Stainless-Lang: python",
        b"Authorization: Bearer lk",
        b"accept: */*",
        b"Content-Length: 9",
    )
    assert sent(*lines, b"X-Twice: 1", b"X-Twice: 2") == [
        b"Host: api",
        b"X-Stainless-Lang: python",
        b"Authorization: Bearer sk-of-the-policy",
        b"accept: */*",
        b"Content-Length: 5",
        b"X-Twice: 1",
        b"X-Twice: 2",
    ]


def test_a_host_comes_first_and_a_length_last_where_the_client_sent_none():
    assert sent(b"x: 1", b"api-key: lk", credential=(b"api-key", SECRET)) == [
        b"host: api",
        b"x: 1",
        b"api-key: sk-of-the-policy",
        b"content-length: 5",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: keep-alive",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: close",
        b"Proxy-Authorization: Basic x",
        b"proxy-authenticate: Basic",
        b"TE: trailers",
        b"Trailer: x",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"X-LensAI-User: u",
        b"x-lensai-anything: u",
    ],
)
def test_what_ends_at_this_hop_is_not_forwarded(line):
    assert sent(b"host: gw", line, b"x: 1") == [
        b"host: api",
        b"x: 1",
        b"authorization: Bearer " + SECRET,
        b"content-length: 5",
    ]


def test_what_connection_nominates_ends_here_too():
    lines = sent(b"host: gw", b"Connection: close, X-Mine", b"connection: x-also", b"x-mine: 1", b"X-Also: 1", b"x: 1")
    assert lines[1:2] == [b"x: 1"]


def test_a_credential_a_host_or_the_framing_cannot_be_nominated_away():
    names = b"authorization, host, content-length, content-type, content-encoding, x-api-key, api-key, x-goog-api-key"
    lines = (b"host: gw", b"connection: " + names, b"authorization: lk", b"content-type: a", b"content-encoding: gzip")
    assert sent(*lines, b"content-length: 9") == [
        b"host: api",
        b"authorization: Bearer sk-of-the-policy",
        b"content-type: a",
        b"content-encoding: gzip",
        b"content-length: 5",
    ]
    assert nominated(asked(b"connection: " + names)) == frozenset()


def test_a_policy_s_credential_takes_the_place_of_every_one_of_the_caller_s():
    lines = sent(b"host: gw", b"x-api-key: a", b"Authorization: b", b"authorization: c", b"api-key: d")
    assert lines == [b"host: api", b"Authorization: Bearer sk-of-the-policy", b"content-length: 5"]


def test_a_client_s_own_key_is_passed_through():
    lines = sent(b"host: gw", b"x-api-key: theirs", credential=None)
    assert lines == [b"host: api", b"x-api-key: theirs", b"content-length: 5"]


def test_headers_of_the_policy_win():
    lines = sent(b"host: gw", b"OpenAI-Organization: theirs", b"x: 1", extra=((b"openai-organization", b"ours"),))
    assert lines == [
        b"host: api",
        b"x: 1",
        b"authorization: Bearer sk-of-the-policy",
        b"openai-organization: ours",
        b"content-length: 5",
    ]


def test_an_answer_that_must_be_read_is_asked_for_without_encoding():
    assert b"Accept-Encoding: gzip, br" in sent(b"Accept-Encoding: gzip, br")
    assert b"Accept-Encoding: identity" in sent(b"Accept-Encoding: gzip, br", identity_only=True)


def test_a_value_cannot_end_the_head_early():
    """The place of the length is found by a byte that no header line can hold."""
    before, after = request_head(
        LINE, asked(b"x: 1"), host=b"api", credential=None, extra=(), has_body=True, identity_only=False
    )
    assert b"\x00" not in before + after


def test_an_answer_is_passed_on_in_order_and_case_without_what_ends_here():
    lines = passed(
        b"Date: now",
        b"Connection: keep-alive, X-Hop",
        b"X-Hop: 1",
        b"Keep-Alive: timeout=5",
        b"X-LensAI-Request-Id: forged",
        b"Content-Length: 2",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
        b"Content-Encoding: gzip",
        b"X-Request-Id: r",
    )
    assert lines == [
        b"Date: now",
        b"Content-Length: 2",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
        b"Content-Encoding: gzip",
        b"X-Request-Id: r",
        b"ours: 1",
    ]


@pytest.mark.parametrize("name", REQUEST_ID_HEADERS)
def test_what_a_provider_calls_its_answer_is_read(name: bytes):
    assert answered(b"Date: now", name + b": 7").values == {name: b"7"}


def test_the_length_and_the_encoding_go_with_what_they_told_of():
    assert passed(b"content-length: 2", b"transfer-encoding: chunked", content_length=False) == [b"ours: 1"]
    assert passed(b"content-encoding: gzip", decoded=True) == [b"ours: 1"]


@pytest.mark.parametrize(
    ("lines", "http10", "kept"),
    [
        ((), False, True),
        ((), True, False),
        ((b"connection: close",), False, False),
        ((b"Connection: Close",), False, False),
        ((b"connection: x, close",), False, False),
        ((b"connection: x", b"connection: close"), False, False),
        ((b"connection: Keep-Alive",), True, True),
        ((b"connection: keep-alive",), False, True),
    ],
)
def test_whether_a_connection_is_kept(lines, http10, kept):
    assert keeps_alive(asked(*lines), http10=http10) is kept


def test_a_request_without_a_body_is_given_no_length():
    head = asked(b"Host: gw")
    before, after = request_head(
        LINE, head, host=b"api", credential=None, extra=(), has_body=False, identity_only=False
    )

    assert (before, after) == (LINE + b"Host: api\r\n\r\n", b"")


def cleaned(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> tuple[list[bytes], dict[bytes, bytes]]:
    """The whole head without the secret, by lines; and what is read of it."""
    head = without_secret(response_reader().response(b"\r\n".join((first, *lines, b"", b""))), b"sk-of-the-policy")
    return head.first.string.split(b"\r\n")[:-2], head.values


def test_what_holds_a_secret_is_taken_out_whole():
    lines, values = cleaned(
        b"Content-Type: text/plain",
        b"Authorization: Bearer sk-of-the-policy",
        b"X-Request-Id: echo-sk-of-the-policy-echo",
        b"Location: https://elsewhere.test/?key=sk-of-the-policy",
        b"Set-Cookie: a=1",
    )
    assert lines == [b"HTTP/1.1 200 OK", b"Content-Type: text/plain", b"Set-Cookie: a=1"]
    assert values == {b"content-type": b"text/plain"}


def test_a_reason_phrase_with_a_secret_is_none():
    assert cleaned(first=b"HTTP/1.1 401 Bad key sk-of-the-policy")[0] == [b"HTTP/1.1 401"]


def test_framing_stays_whatever_it_holds():
    odd = response_reader().response(b"HTTP/1.1 200 OK\r\ncontent-length: 12345678\r\nx: 12345678\r\n\r\n")
    assert without_secret(odd, b"12345678").lines == b"content-length: 12345678\r\n"
