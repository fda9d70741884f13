"""The SDKs of the clouds straight against the sandbox: every call is understood, and is what the models demand."""

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import FileMetadata, Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from botocore.exceptions import ClientError, EventStreamError
from google.genai.errors import ClientError as GoogleError
from google.genai.types import UploadFileConfig
from pydantic import TypeAdapter

from tests.support.processes import running_sandbox
from tests.support.sdk_calls import FROZEN, client
from tests.support.sdk_calls_clouds import (
    ASKED,
    AWS_KEYS,
    CLOUD_CALLS,
    CONVERSED,
    HAIKU,
    anthropic_bedrock,
    anthropic_vertex,
    bedrock,
    bedrock_key,
    vertex,
)

KEY = "sandbox-key"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


# What items must validate as: the SDKs construct their models unchecked. boto3 checks by its own model.
_MODELS: dict[str, Any] = {
    "bedrock.messages.anthropic": Message,
    "bedrock.messages.stream.anthropic": RawMessageStreamEvent,
    "vertex.messages.anthropic": Message,
    "vertex.messages.stream.anthropic": RawMessageStreamEvent,
    "vertex.messages.count_tokens.anthropic": MessageTokensCount,
    "anthropic.messages.search.stream": RawMessageStreamEvent,
    "anthropic.messages.iterations": BetaMessage,
}


@pytest.mark.parametrize("name", CLOUD_CALLS)
def test_every_call_is_answered_as_its_models_demand_and_again_the_same(sandbox: str, name: str):
    told = CLOUD_CALLS[name].run(sandbox, KEY)

    assert told
    for item in told if name in _MODELS else ():
        TypeAdapter[Any](_MODELS[name]).validate_python(item)
    assert CLOUD_CALLS[name].run(sandbox, KEY) == told


@pytest.mark.parametrize("name", [name for name in CLOUD_CALLS if name.endswith(".signed")])
def test_a_signature_and_a_key_open_the_same_door(sandbox: str, name: str):
    keyed = name.removesuffix(".signed").removesuffix(".session")

    assert CLOUD_CALLS[name].run(sandbox, KEY) == CLOUD_CALLS[keyed].run(sandbox, KEY)


def test_a_batch_is_what_its_models_demand(sandbox: str):
    made, looked, ended, *others = CLOUD_CALLS["anthropic.messages.batches"].run(sandbox, KEY)

    for batch in (made, looked, ended):
        TypeAdapter(MessageBatch).validate_python(batch)
    assert (looked["processing_status"], ended["processing_status"]) == ("in_progress", "ended")
    for result in others[:2]:
        TypeAdapter(MessageBatchIndividualResponse).validate_python(result)
    assert [result["custom_id"] for result in others[:2]] == ["first", "second"]


def test_a_file_is_what_its_models_demand(sandbox: str):
    made, *_ = CLOUD_CALLS["anthropic.files"].run(sandbox, KEY)

    TypeAdapter(FileMetadata).validate_python(made)


def test_gemini_uploads_a_file(sandbox: str):
    config = UploadFileConfig(mime_type="text/plain", display_name="a note")
    with client("gemini", sandbox, KEY) as api:
        made = api.files.upload(file=io.BytesIO(b"night"), config=config)

        assert (made.size_bytes, made.display_name) == (5, "a note")
        assert api.files.get(name=made.name).sha256_hash == made.sha256_hash
        assert [file.name for file in api.files.list()] == [made.name]
        api.files.delete(name=made.name)
        assert list(api.files.list()) == []


def converse(sandbox: str, model: str = HAIKU, headers: Any = FROZEN, **credentials: str) -> Any:
    with closing(bedrock(sandbox, headers, **credentials)) as api:
        return api.converse(modelId=model, messages=CONVERSED)


def test_the_bill_has_what_boto3_was_told(sandbox: str):
    httpx.post(sandbox + "/_sandbox/reset")
    headers = {"x-sandbox-cached-tokens": "100", "x-sandbox-cache-write-1h-tokens": "7"}
    answer = converse(sandbox, headers=headers, **AWS_KEYS)

    line = httpx.get(sandbox + "/_sandbox/bill").json()["lines"][-1]
    usage = answer["usage"]
    assert line["id"] == answer["ResponseMetadata"]["RequestId"]
    assert (line["model"], line["dialect"]) == (HAIKU, "bedrock")
    assert usage["cacheDetails"] == [{"ttl": "1h", "inputTokens": 7}]
    assert line["amount_nanousd"] == usage["inputTokens"] * 1100 + 100 * 110 + 7 * 2200 + usage["outputTokens"] * 5500


def test_boto3_raises_its_own_errors(sandbox: str):
    wrong = {**AWS_KEYS, "aws_secret_access_key": "another"}
    with pytest.raises(ClientError, match=r"\(InvalidSignatureException\).*signature we calculated does not match"):
        converse(sandbox, **wrong)
    with bedrock_key("lk-a-key-of-the-gateway"), pytest.raises(ClientError, match=r"\(AccessDeniedException\)"):
        converse(sandbox)
    with pytest.raises(ClientError, match=r"\(ValidationException\).*model identifier is invalid"):
        converse(sandbox, "us.anthropic.claude-9", **AWS_KEYS)
    with pytest.raises(ClientError, match=r"\(ThrottlingException\)"):
        converse(sandbox, headers={"x-sandbox-fail-status": "429"}, **AWS_KEYS)


def test_a_failure_in_the_middle_of_a_binary_stream_is_raised(sandbox: str):
    headers = {"x-sandbox-error-after-chunks": "3"}
    with closing(bedrock(sandbox, headers, **AWS_KEYS)) as api:
        opened = api.converse_stream(modelId=HAIKU, messages=CONVERSED)["stream"]
        with closing(opened) as stream, pytest.raises(EventStreamError, match="internalServerException"):
            list(stream)


def test_anthropics_clients_of_the_clouds_raise_their_own_errors(sandbox: str):
    with anthropic_bedrock(sandbox, "wrong") as api, pytest.raises(anthropic.PermissionDeniedError):
        api.messages.create(model=HAIKU, max_tokens=5, messages=ASKED)
    with anthropic_vertex(sandbox, "wrong") as api, pytest.raises(anthropic.AuthenticationError):
        api.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=ASKED)
    with anthropic_vertex(sandbox, KEY) as api, pytest.raises(anthropic.NotFoundError):
        api.messages.create(model="claude-9", max_tokens=5, messages=ASKED)


def test_vertex_raises_its_own_errors(sandbox: str):
    with vertex(sandbox, "wrong") as api, pytest.raises(GoogleError, match="invalid authentication credentials"):
        api.models.generate_content(model="gemini-2.5-flash", contents="hello")
    with vertex(sandbox, KEY) as api, pytest.raises(GoogleError, match="Publisher Model"):
        api.models.generate_content(model="gemini-9", contents="hello")
