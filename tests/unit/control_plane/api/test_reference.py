"""What the API says of itself is what it does: a valid document, and answers as described, for any input."""

import re

import jsonschema_rs
import pytest
import schemathesis

OPERATIONS_EXAMPLES = 15
# Streams never end; they have tests of their own over a real server.
STREAMS = ("/v1/gateway/policy/stream",)


@pytest.fixture
async def document(plane):
    answer = await plane.client.get("/docs/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(document):
    return [(method, path, one) for path, methods in document["paths"].items() for method, one in methods.items()]


async def test_every_operation_says_what_it_is_and_how_it_fails(document):
    assert document["openapi"].startswith("3.1")
    assert set(document["components"]["securitySchemes"]) == {"token", "session"}
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["tags"], (method, path)
        for status in ("400", "429", "503"):
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}


async def test_the_page_shows_every_operation_and_asks_nobody_else(plane, document):
    page = await plane.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for _, path, _ in operations(document):
        assert path.replace("<", "&lt;") in page.text
    assert re.findall(r"(?:src|href)=(?![\"']?/docs/openapi\.json)[^ >]*", page.text) == []
    assert "<script" not in page.text
    assert "url(" not in page.text


async def test_the_document_is_valid(document):
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    for each in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**each, "components": document["components"]})
