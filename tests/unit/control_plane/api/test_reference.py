"""What the API says of itself is what it does: a valid document, and answers as described, for any input."""

import re
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# Of each operation, on each database; `--hypothesis-seed` and a larger number look further.
EXAMPLES = 3
# Streams never end; they have tests of their own over a real server.
STREAMS = ("/v1/gateway/policy/stream",)
AS_DESCRIBED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ONCE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


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
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert (page.headers["x-frame-options"], page.headers["x-content-type-options"]) == ("DENY", "nosniff")
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


async def test_whatever_is_sent_is_answered_as_described(either_plane):
    headers = await either_plane.token(await either_plane.organization())
    headers["x-lensai-node"] = "node-1"
    document = (await either_plane.client.get("/docs/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [one.ok() for one in schema.get_all_operations()]
    for case in [case for one in operations if one.path not in STREAMS for case in made_up(one)]:
        asked = case.as_transport_kwargs(base_url="http://control.test", headers=headers)
        asked.pop("cookies", None)
        if "data" in asked:
            asked["content"] = asked.pop("data")
        case.validate_response(await either_plane.client.request(**asked), checks=AS_DESCRIBED, headers=headers)


def made_up(operation: Any) -> list[Any]:
    """Requests of an operation as it is described."""
    found: list[Any] = []

    @ONCE
    @given(case=operation.as_strategy())
    def keep(case: Any) -> None:
        found.append(case)

    keep()
    return found


HOSTILE = ["a\x00b", "\U0010ffff" * 300, 2**63, 10**400, -1, 1e308, [["\x00"]], {"user": "\x00"}]
BODIES = {
    "projects": {"name": "A"},
    "tokens": {"name": "A", "role": "viewer", "expires_at_ms": 4102444800000},
    "invitations": {"email": "ada@example.com", "role": "viewer"},
    "credentials": {"name": "A", "provider": "openai", "secret": "sk-0123456789"},
    "upstreams": {"name": "a", "provider": "openai", "origin": "https://api.openai.com", "region": "", "base_path": ""},
    "budgets": {"limit_usd": 1, "name": "", "scope": {}, "ceiling_usd": 1, "time_zone": "UTC", "thresholds": [90]},
    "quotas": {"unit": "tokens", "limit": 1, "name": "", "scope": {}, "values_max": 1, "ceiling_usd": None},
    "kill-switch/trigger": {"reason": "", "scope": {}, "allow": []},
    "alert-rules": {"name": "A", "trigger": "anomaly", "target": {"channel": "email", "address": "a@example.com"},
                    "anomaly": {"factor": 2, "floor_usd": 1}},
}  # fmt: skip


@pytest.mark.parametrize("collection", BODIES)
async def test_c18_no_text_and_no_number_breaks_a_database(either_plane, collection):
    plane, body = either_plane, BODIES[collection]
    headers = await plane.token(await plane.organization())
    for name in body:
        for value in HOSTILE:
            answer = await plane.client.post(f"/v1/{collection}", headers=headers, json={**body, name: value})
            assert answer.status_code < 500, (name, value, answer.text)
    # Lone halves of pairs, bytes that are no text, nesting without an end.
    for raw in (b'{"name":"\\ud800"}', b'{"name":"\xff"}', b"{", b"\x00", b"[" * 100_000):
        answer = await plane.client.post(f"/v1/{collection}", headers=headers, content=raw)
        assert answer.status_code == 400, (raw[:30], answer.text)


@pytest.mark.parametrize("path", ["projects", "keys", "budgets", "audit", "alerts", "alert-rules", "sessions"])
async def test_no_address_breaks_a_database(either_plane, path):
    headers = await either_plane.token(await either_plane.organization())
    for text in ("%00", "%F0%90", "'", "9" * 400, "-1", "\U0010ffff"):
        asked = [f"/v1/{path}/{text}", f"/v1/{path}/{text}/status"]
        asked += [f"/v1/{path}?{name}={text}" for name in ("cursor", "limit", "project_id", "actor", "from_ms", "all")]
        for address in asked:
            answer = await either_plane.client.get(address, headers=headers)
            assert answer.status_code < 500, (address, answer.text)
