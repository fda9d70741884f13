from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HELLO = [{"role": "user", "content": "hello"}]
PDF = {"type": "document_url", "document_url": "https://example.com/a.pdf"}


def call(path: str, document: Any, **headers: Any) -> Told:
    return ask(new_sandbox(), path, document, x_sandbox_provider="mistral", **headers)


def test_fill_in_the_middle_answers_as_chat_does():
    asked = {"model": "codestral-2508", "prompt": "def f(", "suffix": "return"}
    told = call("/v1/fim/completions", asked, x_sandbox_tokens="3")

    assert told.json["object"] == "chat.completion"
    assert told.entry
    assert (told.entry.endpoint, told.entry.tokens) == ("fim.completions", Tokens(input=4, output=3))
    streamed = call("/v1/fim/completions", {**asked, "stream": True}, x_sandbox_tokens="3").events
    assert streamed[-2]["usage"] == told.json["usage"]
    assert call("/v1/fim/completions", {**asked, "messages": HELLO}).status == 422
    assert call("/v1/fim/completions", {**asked, "model": "mistral-embed"}).status == 400


def test_an_agent_answers_with_its_model():
    told = call("/v1/agents/completions", {"agent_id": "ag_sandbox", "messages": HELLO})

    assert told.json["model"] == "mistral-small-latest"
    assert call("/v1/agents/completions", {"agent_id": "ag_no", "messages": HELLO}).status == 404
    assert call("/v1/agents/completions", {"agent_id": "ag_sandbox", "messages": HELLO, "model": "m"}).status == 422


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({}, Tokens(input_pages=3)),
        ({"pages": [1]}, Tokens(input_pages=1)),
        ({"document": {"type": "image_url", "image_url": "data:"}}, Tokens(input_pages=1)),
        ({"document_annotation_format": {"type": "json_object"}}, Tokens(input_annotated_pages=3)),
    ],
)
def test_ocr_bills_pages(more: dict[str, Any], tokens: Tokens):
    told = call("/v1/ocr", {"model": "mistral-ocr-4-0", "document": PDF, **more})

    assert told.json["usage_info"]["pages_processed"] == len(told.json["pages"])
    assert told.entry
    assert told.entry.tokens == tokens


@pytest.mark.parametrize("more", [{"pages": [3]}, {"pages": "0-1"}, {"model": "no"}, {"colour": "red"}])
def test_ocr_refuses_what_it_cannot(more: dict[str, Any]):
    assert call("/v1/ocr", {"model": "mistral-ocr-4-0", "document": PDF, **more}).status in (400, 422)
    assert call("/v1/ocr", {"model": "mistral-ocr-4-0", "document": PDF}, x_sandbox_tokens="5").status == 400


def test_nothing_is_flagged_and_nothing_billed():
    asked = {"model": "mistral-moderation-latest", "input": ["a", "b"]}
    told = call("/v1/moderations", asked)

    assert len(told.json["results"]) == 2
    assert not any(told.json["results"][0]["categories"].values())
    assert told.entry is None
    assert len(call("/v1/chat/moderations", {**asked, "input": HELLO}).json["results"]) == 1
    assert len(call("/v1/chat/moderations", {**asked, "input": [HELLO, HELLO]}).json["results"]) == 2


def test_a_file_is_acknowledged_and_not_kept():
    body = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nocr\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    form = "multipart/form-data; boundary=b"
    told = call("/v1/files", body, content_type=form)

    assert (told.json["bytes"], told.json["filename"], told.json["purpose"]) == (4, "a.pdf", "ocr")
    listed = ask(new_sandbox(), "/v1/files", method="GET", x_sandbox_provider="mistral").json
    assert listed["total"] == 0
    found = ask(new_sandbox(), "/v1/files/" + told.json["id"], method="GET", x_sandbox_provider="mistral")
    assert found.status == 404
    assert call("/v1/files", body.replace(b'"purpose"', b'"colour"'), content_type=form).status == 422
    assert call("/v1/files", body.replace(b'"file"', b'"visibility"'), content_type=form).status == 422
    assert call("/v1/files", b"{}").status == 422
