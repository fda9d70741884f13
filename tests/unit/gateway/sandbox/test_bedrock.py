from typing import Any

import pytest

from gateway.sandbox import Options, Sandbox
from tests.support.aws_signing import NOW_S, URL, signed
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASKED = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


def converse(model: str = HAIKU, document: Any = ASKED, operation: str = "converse", **headers: Any) -> Told:
    return ask(new_sandbox(), f"/model/{model}/{operation}", document, **headers)


def test_errors_are_named_in_a_header_and_told_in_the_body():
    told = converse("us.anthropic.claude-9")

    assert (told.status, told.json) == (400, {"message": "The provided model identifier is invalid."})
    assert told.headers["x-amzn-errortype"] == "ValidationException"
    assert told.headers["x-amzn-requestid"].startswith("req_")


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"authorization": None}, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ({"authorization": "Basic abc"}, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ({"authorization": "Bearer lk-a"}, "AccessDeniedException", "Please make sure your API Key is valid."),
        ({"authorization": None, "x_api_key": "lk-a"}, "AccessDeniedException", "your API Key is valid."),
        ({"authorization": "AWS4-HMAC-SHA256 x"}, "IncompleteSignatureException", "requires 'Credential' parameter"),
    ],
)
def test_a_missing_wrong_or_leaked_credential_is_403(given: dict[str, Any], kind: str, text: str):
    told = converse(**given)

    assert (told.status, told.headers["x-amzn-errortype"]) == (403, kind)
    assert text in told.json["message"]


def test_a_signature_is_verified_by_a_clock_that_no_control_stops():
    headers = {name.lower(): value for name, value in signed().items()}
    path = "/" + URL.split("/", 3)[3]

    def asked(clock_s: float) -> Told:
        return ask(Sandbox(Options(clock_s=lambda: clock_s)), path, b"{}", x_sandbox_frozen="true", **headers)

    assert asked(NOW_S).headers["x-amzn-errortype"] == "ValidationException"  # past the door
    assert asked(NOW_S + 301).headers["x-amzn-errortype"] == "InvalidSignatureException"


@pytest.mark.parametrize(
    "model",
    [
        HAIKU.replace(":", "%3A"),
        "eu." + HAIKU.removeprefix("us."),
        "amazon.nova-lite-v1:0",
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-lite-v1%3A0",
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile%2F{HAIKU}",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fsandboxprofile",
    ],
)
def test_a_model_is_named_by_its_id_a_profile_or_an_arn(model: str):
    assert converse(model).status == 200


@pytest.mark.parametrize(
    ("model", "status", "text"),
    [
        (HAIKU.removeprefix("us."), 400, "with on-demand throughput isn’t supported"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile%2Fnone", 400, "model identifier is invalid"),
        ("arn:aws:s3:::x%2Famazon.nova-lite-v1:0", 400, "model identifier is invalid"),
        ("gpt-4o", 400, "model identifier is invalid"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", 404, "Unknown operation"),
    ],
)
def test_what_names_no_model_is_refused(model: str, status: int, text: str):
    told = converse(model)

    assert told.status == status
    assert text in told.json["message"]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{", "Unable to parse request body as JSON"),
        ({**ASKED, "stream": True}, "#: extraneous key [stream] is not permitted"),
        ({}, "#: required key [messages] not found"),
        ({"messages": []}, "#/messages: "),
    ],
)
def test_bodies_that_are_not_what_the_operation_takes_are_400(document: Any, text: str):
    told = converse(document=document)

    assert (told.status, told.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert text in told.json["message"]


@pytest.mark.parametrize(("status", "kind"), [(429, "ThrottlingException"), (424, "ModelErrorException")])
def test_a_failure_is_given_as_ordered(status: int, kind: str):
    told = converse(x_sandbox_fail_status=str(status))

    assert (told.status, told.headers["x-amzn-errortype"], told.entry) == (status, kind, None)


def test_accepted_keys_are_a_setting():
    sandbox = new_sandbox(key_prefixes=("ABSK",))
    path = "/model/amazon.nova-lite-v1:0/converse"

    assert ask(sandbox, path, ASKED, authorization=f"Bearer {KEY}").status == 403
    assert ask(sandbox, path, ASKED, authorization="Bearer ABSK1").status == 200
