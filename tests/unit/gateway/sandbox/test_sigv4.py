from typing import Any

import pytest

from gateway.sandbox.request import Request, RequestReader
from gateway.sandbox.sigv4 import Mistake, verify
from tests.support.aws_signing import GOOD, NOW_S, URL, signed


def request(headers: dict[str, str], method: str = "POST", url: str = URL, body: bytes = b"{}") -> Request:
    lines = [f"{method} /{url.split('/', 3)[3]} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"content-length: {len(body)}")
    (read,) = RequestReader().feed("\r\n".join([*lines, "", ""]).encode() + body)
    return read


def kind_of(mistake: Mistake | None) -> str | None:
    return mistake and mistake.kind


@pytest.mark.parametrize("token", [{}, {"token": "sandbox-session"}])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_what_botocore_signed_is_accepted_in_any_region(token: dict[str, str], region: str):
    assert verify(request(signed({**GOOD, **token}, region=region)), "bedrock", NOW_S) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"url": URL.replace("%2F", "/")},
        {"url": URL.replace("converse", "converse-stream")},
        {"url": URL.replace("b=2", "b=3")},
        {"body": b"[]"},
        {"headers": {**signed(), "host": "elsewhere"}},
        {"headers": {**signed(), "Content-Type": "text/plain"}},
        {"headers": {**signed({**GOOD, "secret_key": "sandbox-secret-key-2"})}},
    ],
)
def test_whatever_a_signature_covers_may_not_change(changed: dict[str, Any]):
    mistake = verify(request(**{"headers": signed(), **changed}), "bedrock", NOW_S)

    assert mistake
    assert mistake.kind == "InvalidSignatureException"
    assert mistake.message.startswith("The request signature we calculated does not match the signature you provided.")


def test_what_it_does_not_cover_may():
    assert verify(request({**signed(), "X-Forwarded-For": "::1"}), "bedrock", NOW_S) is None


@pytest.mark.parametrize(
    "credentials",
    [{**GOOD, "access_key": "AKIAOTHER"}, {**GOOD, "access_key": "lk-a"}, {**GOOD, "token": "another-session"}],
)
def test_strangers_are_not_recognised(credentials: dict[str, str]):
    mistake = verify(request(signed(credentials)), "bedrock", NOW_S)

    assert mistake == ("UnrecognizedClientException", "The security token included in the request is invalid.")


def test_a_signature_lives_five_minutes_either_way():
    assert verify(request(signed()), "bedrock", NOW_S + 300) is None
    assert verify(request(signed()), "bedrock", NOW_S - 300) is None
    late, early = verify(request(signed()), "bedrock", NOW_S + 301), verify(request(signed()), "bedrock", NOW_S - 301)
    assert late
    assert late.message == (
        "Signature expired: 20251123T121320Z is now earlier than 20251123T121321Z (20251123T121821Z - 5 min.)"
    )
    assert early
    assert early.message.startswith("Signature not yet current: 20251123T121320Z is still later than")


def test_the_scope_names_the_service_and_the_day():
    for_s3 = verify(request(signed(service="s3")), "bedrock", NOW_S)
    of_yesterday = signed()
    of_yesterday["Authorization"] = of_yesterday["Authorization"].replace("/20251123/", "/20251122/")
    without_end = signed()
    without_end["Authorization"] = without_end["Authorization"].replace("aws4_request", "aws5_request")

    assert for_s3 == ("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'. ")
    assert "Date in Credential scope" in str(verify(request(of_yesterday), "bedrock", NOW_S))
    assert "valid terminator" in str(verify(request(without_end), "bedrock", NOW_S))


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        ("AWS4-HMAC-SHA256 Signature=1, SignedHeaders=host", "requires 'Credential' parameter"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host", "requires 'Signature' parameter"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=1", "requires 'SignedHeaders' parameter"),
        ("AWS4-HMAC-SHA256 Credential=a/b, Signature=1, SignedHeaders=host", "exactly 5 slash-delimited elements"),
    ],
)
def test_a_header_that_lacks_a_part_is_incomplete(authorization: str, text: str):
    mistake = verify(request({**signed(), "Authorization": authorization}), "bedrock", NOW_S)

    assert mistake
    assert mistake.kind == "IncompleteSignatureException"
    assert text in mistake.message


@pytest.mark.parametrize("name", ["host", "x-amz-date"])
def test_some_headers_must_be_signed(name: str):
    given = signed()
    given["Authorization"] = given["Authorization"].replace(f"{name};", "").replace(f";{name}", "")

    assert verify(request(given), "bedrock", NOW_S) == (
        "InvalidSignatureException",
        f"'{name}' must be a 'SignedHeader' in the AWS Authorization header.",
    )


def test_a_request_without_its_time_is_incomplete():
    given = {name: value for name, value in signed().items() if name != "X-Amz-Date"}

    assert kind_of(verify(request(given), "bedrock", NOW_S)) == "IncompleteSignatureException"
