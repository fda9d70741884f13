"""The head that the provider is sent."""

import re
import time

import pytest

from gateway.examine import Call
from gateway.outgoing import outgoing_head
from gateway.sandbox.request import RequestReader
from gateway.sandbox.sigv4 import ACCESS_KEY, SECRET_KEY, verify
from tests.support.stages import caller_of, request_of, route_of, view_of

BODY = b'{"messages":[]}'
CALL = Call("m", False, "", BODY, False, BODY)
SIGNED = (
    b"authorization: AWS4-HMAC-SHA256 Credential=lk-test/20270115/x/bedrock/aws4_request, Signature=0",
    b"x-amz-date: 20270115T000000Z", b"x-amz-security-token: theirs", b"x-amz-content-sha256: abc",
    b"amz-sdk-invocation-id: 1", b"content-type: application/json",
)  # fmt: skip


def test_a_plain_head_has_the_policy_s_credential_in_the_caller_s_slot():
    view = view_of('[credentials.openai]\nsecret = "sk-ours"')
    request = request_of("/v1/embeddings", BODY, b"x-tra: 1")
    before, after = outgoing_head(request, caller_of(request, view), route_of(request, view), CALL)
    assert before.splitlines()[:3] == [
        b"POST /v1/embeddings HTTP/1.1", b"host: api.openai.com", b"authorization: Bearer sk-ours",
    ]  # fmt: skip
    assert after == b"\r\nx-tra: 1\r\n\r\n"


def test_a_signed_request_carries_the_new_signature_and_nothing_of_the_old_one():
    view = view_of('[credentials.bedrock]\nsecret = "AKIA:key"')
    request = request_of("/bedrock/model/amazon.nova-micro-v1%3A0/converse", BODY, *SIGNED, token="")
    before, after = outgoing_head(request, caller_of(request, view), route_of(request, view), CALL)
    lines = (before + b"0" + after).splitlines()
    assert lines[0] == b"POST /model/amazon.nova-micro-v1%3A0/converse HTTP/1.1"
    assert sum(line.startswith(b"authorization: AWS4-HMAC-SHA256 Credential=AKIA/") for line in lines) == 1
    assert [line.partition(b":")[0] for line in lines[1:-1]] == [
        b"host", b"content-length", b"authorization", b"amz-sdk-invocation-id", b"content-type", b"x-amz-date",
    ]  # fmt: skip
    assert b"theirs" not in before + after


@pytest.mark.parametrize("origin", ["https://bedrock.example", "https://bedrock.example:443", "http://127.0.0.1:80"])
@pytest.mark.parametrize("lines", [(), (b"content-type: application/json",)], ids=["without a type", "with a type"])
def test_exactly_what_is_sent_is_signed(origin: str, lines: tuple[bytes, ...]):
    view = view_of(
        f'[credentials.bedrock]\nsecret = "{ACCESS_KEY}:{SECRET_KEY}"\n[upstreams.bedrock]\norigin = "{origin}"'
    )
    request = request_of("/bedrock/model/a.b-v1%3A0/converse", BODY, *lines)
    before, after = outgoing_head(request, caller_of(request, view), route_of(request, view), CALL)
    [sent] = RequestReader().feed(before + b"%d" % len(BODY) + after + BODY)
    assert verify(sent, "bedrock", time.time()) is None
    signed = re.findall(r"SignedHeaders=([^,]+)", sent.headers["authorization"])[0].split(";")
    assert set(signed) <= sent.headers.keys()
