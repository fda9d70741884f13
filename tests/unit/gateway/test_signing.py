"""Requests to AWS are signed with the policy's credential, and a secret never shows."""

import re

from gateway.signing import Headers, Signer

URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-micro-v1%3A0/converse"
AUTHORIZATION = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=AKIA/\d{8}/eu-west-1/bedrock/aws4_request, SignedHeaders=([a-z0-9;-]+),"
    rb" Signature=[0-9a-f]{64}"
)


SENT = ((b"host", b"bedrock-runtime.eu-west-1.amazonaws.com"), (b"content-type", b"application/json"))


def signed(secret: str, body: bytes = b"{}", sent: Headers = SENT) -> dict[bytes, bytes]:
    signer = Signer.of(secret, "eu-west-1")
    assert signer is not None
    return dict(signer.headers("POST", URL, sent, body))


def test_host_date_and_content_type_are_signed():
    headers = signed("AKIA:key")
    found = AUTHORIZATION.fullmatch(headers[b"authorization"])
    assert found
    assert found[1] == b"content-type;host;x-amz-date"
    assert headers.keys() == {b"authorization", b"x-amz-date"}


def test_what_is_not_sent_is_not_signed():
    found = AUTHORIZATION.fullmatch(signed("AKIA:key", sent=SENT[:1])[b"authorization"])
    assert found
    assert found[1] == b"host;x-amz-date"


def test_the_host_is_signed_as_it_is_sent():
    with_port = ((b"host", SENT[0][1] + b":443"), SENT[1])
    assert signed("AKIA:key", sent=with_port)[b"authorization"] != signed("AKIA:key")[b"authorization"]


def test_a_session_token_is_sent_and_signed():
    headers = signed("AKIA:key:to/ken+=")
    assert headers[b"x-amz-security-token"] == b"to/ken+="
    assert b"x-amz-security-token" in headers[b"authorization"]


def test_the_body_is_signed_too():
    assert signed("AKIA:key")[b"authorization"] != signed("AKIA:key", b"[]")[b"authorization"]


def test_an_api_key_signs_nothing():
    assert Signer.of("ABSKQmVkcm9jaw==", "eu-west-1") is None


def test_a_signer_shows_no_secret():
    assert repr(Signer.of("AKIA:key:token", "eu-west-1")) == "Signer(access_key_id='AKIA', region='eu-west-1')"
