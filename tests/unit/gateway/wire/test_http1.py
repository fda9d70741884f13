import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.headers import request_reader, response_reader
from gateway.wire.http1 import (
    CHUNK_LINE_BYTES_MAX,
    FORM_BYTES_MAX,
    KNOWN_FORMS_MAX,
    KNOWN_LINES_MAX,
    TRAILER_BYTES_MAX,
    UNFITTED_HEADS_MAX,
    ChunkedReader,
    Framing,
    Head,
    HttpFault,
    RepeatedHead,
    ResponseReader,
    check_host,
    check_target,
    framing,
)


def request(*lines: bytes, first: bytes = b"POST /v1/x HTTP/1.1") -> Head:
    return request_reader().request(b"\r\n".join((first, *lines)) + b"\r\n\r\n")


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    lines = (b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces if piece)
    return b"".join(lines) + b"0\r\n" + trailer + b"\r\n"


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


ANSWER_LINES = (
    b"Date: Mon, 23 Nov 2026 10:00:00 GMT",
    b"content-type: application/json",
    b"X-Request-Id:req_1",
    b"content-length: 5",
    b"x-ratelimit-reset-tokens: 0s",
)


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((first, *lines)) + b"\r\n\r\n"


def read(reader: ResponseReader, head: bytes) -> tuple[object, ...] | None:
    """What a reader makes of a head; None: it refuses it."""
    try:
        found = reader.response(head)
    except HttpFault:
        return None
    return found.first.groups()[:3], found.values, found.lines


def taught(*heads: bytes) -> ResponseReader:
    """A reader that has learnt the forms of these."""
    reader = response_reader()
    for head in heads:
        for _ in range(UNFITTED_HEADS_MAX):
            reader.response(head)
    return reader


def feed_bytes(wire: bytes) -> None:
    reader = ChunkedReader()
    for byte in wire:
        reader.feed(bytes([byte]))


def test_a_head_is_read_in_order_and_case():
    head = request(b"Host: gw", b"X-One:  1 \t", b"x-TWO:", b"Content-Length: 5", first=b"POST /v1/x?a=1 HTTP/1.0")
    assert head.first.groups() == (b"POST", b"/v1/x?a=1", b"0")
    assert [(header.name, header.value) for header in head.headers] == [
        (b"Host", b"gw"),
        (b"X-One", b"1"),
        (b"x-TWO", b""),
        (b"Content-Length", b"5"),
    ]
    assert head.values == {b"host": b"gw", b"content-length": b"5"}


def test_an_answer_s_head_may_have_no_reason():
    reader = response_reader()
    assert reader.response(b"HTTP/1.1 200 OK then\r\n\r\n").first.groups() == (b"1", b"200", b"OK then")
    assert reader.response(b"HTTP/1.0 204\r\n\r\n").first.groups() == (b"0", b"204", None)
    assert reader.response(b"HTTP/1.1 503 \r\n\r\n").first[3] == b""


@pytest.mark.parametrize(
    "head",
    [
        answer(*ANSWER_LINES),
        answer(*(line.replace(b"1", b"77") for line in ANSWER_LINES), first=b"HTTP/1.0 404"),
        answer(*(line.replace(b":", b": \t ") for line in ANSWER_LINES)),
        answer(*(line + b" \t" for line in ANSWER_LINES)),
        answer(*(line.partition(b":")[0] + b": " for line in ANSWER_LINES)),
        answer(*(line.lower() for line in ANSWER_LINES)),
        answer(*ANSWER_LINES, b"content-length: 5"),
        answer(*ANSWER_LINES[:-1]),
        answer(*reversed(ANSWER_LINES)),
        answer(*ANSWER_LINES, b"transfer-encoding: chunked"),
        answer(*ANSWER_LINES[:-1], b"x-ratelimit-reset-tokens: 0\n"),
        answer(*ANSWER_LINES[:-1], b"x-ratelimit-reset-tokens: \x00"),
        answer(*ANSWER_LINES[:-1], b"x-ratelimit-reset-tokens : 0"),
        answer(*ANSWER_LINES, first=b"HTTP/1.1 2000 OK"),
        answer(*ANSWER_LINES)[:-2],
        answer(*ANSWER_LINES) + b"x",
    ],
)
def test_a_head_is_read_alike_whether_its_form_is_known_or_not(head: bytes):
    assert read(taught(answer(*ANSWER_LINES)), head) == read(response_reader(), head)


def test_a_form_with_a_line_that_is_looked_at_twice_is_not_learnt():
    twice = answer(b"x-request-id: 1", b"x-request-id: 2")
    reader = taught(twice)
    assert reader.response(twice).values == {b"x-request-id": b"1, 2"}
    assert reader.response(answer(b"x-request-id: 3", b"x-request-id: 4")).values == {b"x-request-id": b"3, 4"}


def test_a_form_that_takes_long_to_compile_is_not_learnt():
    lines = [b"x-%d: 1" % number for number in range(FORM_BYTES_MAX // 8)]
    assert taught(answer(*lines))._forms == []


def test_forms_that_are_no_longer_sent_make_room():
    heads = [answer(b"x-%d: 1" % number, b"content-length: %d" % number) for number in range(KNOWN_FORMS_MAX + 2)]
    reader = taught(*heads)
    for _ in range(2):
        for number, head in enumerate(heads):
            assert reader.response(head).values == {b"content-length": b"%d" % number}


@given(st.data())
def test_changed_heads_are_read_alike_whether_their_form_is_known_or_not(data: st.DataObject):
    head = answer(*ANSWER_LINES)
    reader, changed = taught(head), bytearray(head)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from((b"\r\n", b"\r\n\r\n", b" ", b":", b"\r\ncontent-length: 9"))
        )
    assert read(reader, bytes(changed)) == read(response_reader(), bytes(changed))


def test_a_marked_header_sent_twice_is_joined_and_named():
    head = request(b"accept-encoding: gzip", b"Accept-Encoding: br")
    assert head.values[b"accept-encoding"] == b"gzip, br"
    assert head.repeated == {b"accept-encoding"}


@pytest.mark.parametrize(
    "line",
    [
        b"no colon",
        b": no name",
        b"space : 1",
        b" folded",
        b"\tfolded",
        b"na me: 1",
        b"n\xc3\xa4me: 1",
        b"a: \x00",
        b"a: b\rc",
        b"a: b\nc: d",
        b"a: \x7f",
        b"a: \x0b",
        b"a\r: 1",
        b"(a): 1",
    ],
)
def test_a_malformed_line_is_refused(line):
    with pytest.raises(HttpFault) as fault:
        request(b"host: gw", line)
    # Nothing of it is quoted, for it may be a secret.
    assert line.decode("latin-1") not in str(fault.value)


@pytest.mark.parametrize(
    "first",
    [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"get / HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / http/1.1",
        b"GET /",
        b"GET /\x00 HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b" GET / HTTP/1.1",
        b"A" * 17 + b" / HTTP/1.1",
        b"",
    ],
)
def test_a_malformed_request_line_is_refused(first):
    with pytest.raises(HttpFault):
        request(first=first)


@pytest.mark.parametrize("first", [b"HTTP/1.1 600 X", b"HTTP/1.1 20 X", b"HTTP/1.1  200", b"HTTP/2 200", b"ICY 200 OK"])
def test_a_malformed_status_line_is_refused(first):
    with pytest.raises(HttpFault):
        response_reader().response(first + b"\r\n\r\n")


def test_lines_that_hold_a_secret_are_not_kept():
    reader = request_reader()
    secrets = (b"Authorization: Bearer s", b"x-api-key: s", b"API-Key: s", b"x-goog-api-key: s")
    secrets += (b"cookie: s", b"Proxy-Authorization: s")
    reader.request(b"GET / HTTP/1.1\r\naccept: */*\r\n" + b"\r\n".join(secrets) + b"\r\n\r\n")
    assert list(reader._known) == [b"accept: */*"]


def test_the_lines_kept_are_bounded_in_number_and_length():
    reader = request_reader()
    for n in range(KNOWN_LINES_MAX * 2 + 10):
        reader.request(b"GET / HTTP/1.1\r\nx-n: %d\r\nx-long: %b\r\n\r\n" % (n, b"y" * 300))
        assert len(reader._known) <= KNOWN_LINES_MAX
    assert all(line.startswith(b"x-n") for line in reader._known)


@given(st.lists(st.sampled_from([b"Host: a", b"host: a", b"Host:a", b"HOST: a ", b"Host: b", b"x-lensai-user: u"])))
def test_a_line_is_read_alike_whoever_sent_one_like_it_before(lines):
    seasoned = request_reader()
    for line in lines:
        seasoned.request(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n")
    head = b"GET / HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    assert seasoned.request(head)[1:] == request_reader().request(head)[1:]


def test_a_bad_line_is_refused_each_time():
    reader = request_reader()
    for _ in range(2):
        with pytest.raises(HttpFault):
            reader.request(b"GET / HTTP/1.1\r\nbad line\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), Framing(None, False)),
        ((b"content-length: 0",), Framing(0, False)),
        ((b"Content-Length: 005",), Framing(5, False)),
        ((b"Transfer-Encoding: Chunked",), Framing(None, True)),
    ],
)
def test_framing_is_read(lines, expected):
    assert framing(request(*lines)) == expected


@pytest.mark.parametrize(
    "lines",
    [
        (b"content-length: 5", b"transfer-encoding: chunked"),
        (b"content-length: 5", b"content-length: 5"),
        (b"content-length: 5, 5",),
        (b"content-length: +5",),
        (b"content-length: -0",),
        (b"content-length: 0x5",),
        (b"content-length: 5 5",),
        (b"content-length:",),
        (b"content-length: " + b"9" * 16,),
        (b"content-length: \xb2",),
        (b"transfer-encoding:",),
        (b"transfer-encoding: identity",),
        (b"transfer-encoding: gzip, chunked",),
        (b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
        (b"transfer-encoding: chunked,",),
        (b"transfer-encoding: xchunked",),
    ],
)
def test_framing_that_can_be_read_in_two_ways_is_refused(lines):
    with pytest.raises(HttpFault):
        framing(request(*lines))


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/v1/chat/completions",
        b"/a%20b",
        b"/v1beta/models/g:stream?alt=sse",
        b"/a?b=c%2F/..",
        b"/...",
        b"/a.b",
        b"/~x",
    ],
)
def test_a_canonical_target_passes(target):
    check_target(target)


@pytest.mark.parametrize(
    "target",
    [
        b"*", b"http://h/", b"h:443", b"", b"//a", b"/a//b", b"/a/", b"/./a", b"/a/..", b"/../a", b"/a/./b",
        b"/%2e%2e/a", b"/a%2Fb", b"/a%5cb", b"/a%00", b"/a%0d%0a", b"/a%7f", b"/a%252e", b"/a%2", b"/a%zz", b"/a;b",
        b"/a\\b", b"/a#b", b"/a?b#c", b'/a?"', b"/a?<", b"/a?b\\c",
    ],
)  # fmt: skip
def test_any_other_spelling_of_a_target_is_refused(target):
    with pytest.raises(HttpFault):
        check_target(target)


@pytest.mark.parametrize("host", [b"gw", b"gw:8080", b"127.0.0.1:1", b"[::1]", b"[::1]:8080", b"a_b.c-d"])
def test_a_host_passes(host):
    check_host(request(b"host: " + host), http10=False)


@pytest.mark.parametrize("host", [b"", b"a b", b"u@h", b"h/p", b"h, i", b"h:", b"h:123456", b"[::1", b"a" * 256, b"h?"])
def test_a_malformed_host_is_refused(host):
    with pytest.raises(HttpFault):
        check_host(request(b"host: " + host), http10=False)


def test_there_is_one_host_or_with_http10_none():
    check_host(request(), http10=True)
    for head in (request(), request(b"host: a", b"host: a")):
        with pytest.raises(HttpFault):
            check_host(head, http10=False)


def test_a_repeated_head_differs_in_the_digits_of_its_length_alone():
    same = RepeatedHead(b"POST / HTTP/1.1\r\nA: 1\r\nContent-Length: 5\r\nB: 2\r\n\r\n")
    assert same.length(b"POST / HTTP/1.1\r\nA: 1\r\nContent-Length: 1234\r\nB: 2\r\n\r\n") == 1234
    for digits in (b"", b"-1", b"+1", b"1 ", b"1\r\nX: 1", b"0x1", b"5, 5", b"1" * 16, b"5\r\nContent-Length: 6"):
        assert same.length(b"POST / HTTP/1.1\r\nA: 1\r\nContent-Length: " + digits + b"\r\nB: 2\r\n\r\n") is None
    assert same.length(b"POST / HTTP/1.1\r\nA: 1\r\ncontent-length: 5\r\nB: 2\r\n\r\n") is None
    assert same.length(b"POST / HTTP/1.1\r\nA: 1\r\nContent-Length: 5\r\nB: 3\r\n\r\n") is None


@pytest.mark.parametrize(
    "line",
    [b"CONTENT-LENGTH: 5", b"contenT-lengtH: 5", b"Content-Length:5", b"content-length:  \t5", b"content-length: 5 \t"],
)
def test_a_repeated_head_has_its_length_however_that_is_spelled(line):
    head = b"POST / HTTP/1.1\r\nA: 1\r\n" + line + b"\r\nB: 2\r\n\r\n"
    same = RepeatedHead(head)
    assert same.length(head) == framing(request(*head.split(b"\r\n")[1:-2])).length == 5
    assert same.length(head.replace(b"5", b"1234")) == 1234


def test_a_head_without_a_length_is_repeated_by_itself_alone():
    same = RepeatedHead(b"GET / HTTP/1.1\r\nA: 1\r\n\r\n")
    assert same.length(b"GET / HTTP/1.1\r\nA: 1\r\n\r\n") == 0
    assert same.length(b"GET / HTTP/1.1\r\nA: 1\r\n\r\n5") is None
    assert same.length(b"GET / HTTP/1.1\r\nA: 1\r\nB: 1\r\n\r\n") is None


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 10_000)), st.binary(max_size=20))
def test_a_chunked_body_is_decoded_however_it_is_cut(pieces, cuts, behind):
    reader, body = ChunkedReader(), b""
    left = in_pieces(chunked(pieces) + behind, cuts)
    while left and not reader.done:
        body += b"".join(reader.feed(left.pop(0)))
    assert reader.done
    assert body == b"".join(pieces)
    assert reader.rest + b"".join(left) == behind


def test_a_chunked_body_is_decoded_byte_by_byte_with_extensions_and_trailers():
    wire = chunked([b"hello", b" world"], extension=b';a;b=c;d="e f"', trailer=b"X-Sum: 1\r\nx-more: 2\r\n")
    reader, body = ChunkedReader(), b""
    for byte in wire:
        assert not reader.done
        body += b"".join(reader.feed(bytes([byte])))
    assert (reader.done, reader.rest, body) == (True, b"", b"hello world")


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1), st.integers(1, 1000))
def test_a_truncated_body_is_never_done(pieces, missing):
    wire = chunked(pieces)
    reader = ChunkedReader()
    reader.feed(wire[: -min(missing, len(wire))])
    assert not reader.done


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([b"5\r\n", b"\r\n", b"0\r\n", b"hello", b"\r", b";a=b"]))
    )
)
def test_no_bytes_make_it_raise_anything_but_a_fault(pieces):
    reader = ChunkedReader()
    try:
        for piece in pieces:
            if reader.done:
                break
            reader.feed(piece)
    except HttpFault:
        pass


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=6))
def test_the_cuts_do_not_decide_what_passes(wire, cuts):
    def read(pieces: list[bytes]) -> tuple[bytes, bool] | None:
        reader, body = ChunkedReader(), b""
        try:
            for piece in pieces:
                if not reader.done:
                    body += b"".join(reader.feed(piece))
        except HttpFault:
            return None
        return body, reader.done

    whole, cut = read([wire]), read(in_pieces(wire, cuts))
    # A fault may be seen a little sooner in one piece than in several, or later; never a different body.
    assert whole == cut or None in (whole, cut)
    assert not (whole and whole[1] and cut != whole)
    assert not (cut and cut[1] and cut != whole)


@pytest.mark.parametrize(
    "wire",
    [
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\n",
        b"-1\r\n",
        b"\r\n",
        b"FFFFFFFFFF\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5;a=b\x00\r\nhello",
        b'5;a="b\r\nhello',
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\n folded: 1\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused_whole_and_byte_by_byte(wire):
    with pytest.raises(HttpFault):
        ChunkedReader().feed(wire)
    with pytest.raises(HttpFault):
        feed_bytes(wire)


@pytest.mark.parametrize("endless", [b"1" * (CHUNK_LINE_BYTES_MAX + 2), b"0\r\nx: " + b"y" * (TRAILER_BYTES_MAX + 2)])
def test_a_line_that_does_not_end_is_given_up_on(endless):
    with pytest.raises(HttpFault, match="does not end"):
        feed_bytes(endless)


def test_many_trailers_are_given_up_on():
    with pytest.raises(HttpFault):
        ChunkedReader().feed(b"0\r\n" + b"x: 1\r\n" * (TRAILER_BYTES_MAX // 4 + 1))


@pytest.mark.parametrize(
    "name",
    [
        b"Transfer_Encoding", b"content_length", b"CONTENT_LENGTH", b"x_api_key", b"x-api_key",
        b"api_key", b"x_goog-api_key", b"proxy_authorization", b"content_type", b"content_encoding", b"keep_alive",
        b"x_lensai_user", b"x-lensai_user",
    ],
)  # fmt: skip
def test_a_name_that_cgi_takes_for_one_acted_on_here_is_refused(name):
    with pytest.raises(HttpFault):
        request(b"host: gw", name + b": 1")


@pytest.mark.parametrize("name", [b"user_agent", b"x_request_id", b"_", b"transfer__encoding", b"OpenAI_Organization"])
def test_other_names_may_have_underscores(name):
    assert request(b"host: gw", name + b": 1").headers[1].name == name


@pytest.mark.parametrize(
    "name",
    [
        b"X-HTTP-Method-Override",
        b"x-http-method",
        b"X-Method-Override",
        b"X_HTTP_METHOD_OVERRIDE",
        b"x-method_override",
    ],
)
def test_a_header_that_replaces_the_method_is_refused(name):
    with pytest.raises(HttpFault):
        request(b"host: gw", name + b": DELETE")


@pytest.mark.parametrize(
    "query",
    [
        b"_method=DELETE", b"a=1&_method=DELETE", b"a=1;_method=DELETE", b"%5Fmethod=DELETE", b"_METHOD=x", b"_method",
        b"$httpMethod=DELETE", b"alt=sse&%24httpMethod=GET", b"$httpHeaders=authorization:x", b"_method[]=DELETE",
        b"x-http-method-override=PUT", b"X-HTTP-Method=PUT", b"x-method-override=PUT", b"a=1%26_method=DELETE",
        b"?_method=DELETE",
    ],
)  # fmt: skip
def test_a_query_that_replaces_the_method_or_headers_is_refused(query):
    with pytest.raises(HttpFault):
        check_target(b"/v1/models?" + query)


@pytest.mark.parametrize(
    "query", [b"alt=sse", b"payment_method=card", b"_methods=1", b"a=_method", b"$alt=sse", b"key=k"]
)
def test_other_queries_pass(query):
    check_target(b"/v1/models?" + query)
