"""Two organizations never see each other: every endpoint that takes an id, or gives a list, is asked for the other's.

What there is to ask for is made through the API itself, by the examples of its own description; a feature that is added
later is in here by having routes.
"""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.api_routes import Endpoint, endpoints, example_body, references
from tests.support.control_plane import Browser, ControlPlane, control_plane

# Bodies of `POST path` that their schema alone does not describe, with what must stand in them beside ids.
BODIES: dict[str, dict[str, Any]] = {
    "/v1/alert-rules": {"trigger": "threshold", "target": {"channel": "email", "address": "a@example.com"}},
    "/v1/credentials": {"provider": "openai", "secret": "sk-of-an-example-0123456789"},
    "/v1/price-overrides": {"upstream": "*", "model": "gpt-4o", "multiplier": "0.9"},
}
# Endpoints for which no id can be made here, and why.
WITHOUT_ID: dict[str, str] = {
    "/v1/alerts/{alert_id}": "made by a job; unit/control_plane/alerts/test_routes.py asks for another's",
    "/v1/alerts/{alert_id}/retry": "the same",
    "/v1/metrics/calls/{request_id}": "landed by a gateway; unit/control_plane/analytics/test_calls.py asks for it",
    "/v1/reconciliation/imports/{import_id}": "its body is a provider's file; unit/control_plane/reconciliation/"
    "test_routes.py asks for another's",
}


class Tenant(NamedTuple):
    """An owner's browser, and the id of one of each thing there is, by the name of the path's parameter."""

    browser: Browser
    ids: dict[str, str]


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with control_plane(url, tmp_path, requests_per_minute=1_000_000) as plane:
        yield plane


@pytest.fixture
async def tenants(plane: ControlPlane) -> tuple[Tenant, Tenant]:
    return await tenant(plane, "First"), await tenant(plane, "Second")


async def tenant(plane: ControlPlane, name: str) -> Tenant:
    email = f"owner@{name.lower()}.example"
    await plane.member(await plane.organization(name), email, "owner")
    made = Tenant(await plane.browser(email), {})
    while await _make_what_can_be(plane, made):
        pass
    return made


async def _make_what_can_be(plane: ControlPlane, made: Tenant) -> bool:
    """Whether something came to be: what others refer to is made before them."""
    before = len(made.ids)
    # By name: an erasure before the hold that would forbid it.
    for endpoint in sorted(_with_ids(plane), key=lambda one: one.path):
        parameter = endpoint.parameters[0]
        collection = endpoint.path.partition("/{")[0]
        if parameter not in made.ids and (id := await _one_of(plane, made, collection)):
            made.ids[parameter] = id
    return len(made.ids) > before


async def _one_of(plane: ControlPlane, made: Tenant, collection: str) -> str:
    """The id of a thing that is made, or is there already."""
    there = {one.method: one for one in endpoints(plane.app) if one.path == collection}
    if (post := there.get("POST")) is not None:
        answer = await made.browser.request("POST", collection, json=_body(plane, post, made.ids))
        if answer.status_code == 201:
            return answer.json()["id"]
    if "GET" in there:
        found = (await made.browser.request("GET", collection)).json()
        items = found.get("items", []) if isinstance(found, dict) else []
        return items[0]["id"] if items else ""
    return ""


def _body(plane: ControlPlane, endpoint: Endpoint, ids: dict[str, str]) -> Any:
    described = example_body(plane.app, endpoint, ids)
    given = BODIES.get(endpoint.path, {})
    return {**described, **given} if isinstance(described, dict) else described


def _with_ids(plane: ControlPlane) -> list[Endpoint]:
    """Those of the API; pages, their files and its description are the same for everybody."""
    api = [one for one in endpoints(plane.app) if one.path.startswith("/v1/") and not one.gateway]
    return [one for one in api if one.parameters and one.path not in WITHOUT_ID]


async def test_there_is_something_to_ask_for_at_every_endpoint_with_an_id(plane, tenants):
    for one in tenants:
        missing = {str(endpoint) for endpoint in _with_ids(plane) if not set(endpoint.parameters) <= set(one.ids)}
        assert missing == set()
    assert not set(tenants[0].ids.values()) & set(tenants[1].ids.values())
    paths = {endpoint.path for endpoint in endpoints(plane.app)}
    assert set(WITHOUT_ID) <= paths
    assert set(BODIES) <= paths


async def test_what_is_anothers_is_not_there_at_any_endpoint(plane, tenants):
    mine, theirs = tenants
    wrong = []
    for endpoint in _with_ids(plane):
        body = _body(plane, endpoint, mine.ids)
        answer = await mine.browser.request(endpoint.method, endpoint.filled(theirs.ids), json=body)
        if answer.status_code != 404:
            wrong.append(f"{endpoint} of another: {answer.status_code} {answer.text}")
    assert wrong == []
    for endpoint in _with_ids(plane):
        if endpoint.method == "GET":
            answer = await theirs.browser.request("GET", endpoint.filled(theirs.ids))
            assert answer.status_code == 200, f"{endpoint} of one's own: {answer.text}"


async def test_ones_own_is_there_at_the_same_endpoints(plane, tenants):
    """Or the test before would prove nothing."""
    mine, _ = tenants
    for method in ("GET", "PATCH", "PUT", "POST"):
        for endpoint in _with_ids(plane):
            if endpoint.method == method:
                body = _body(plane, endpoint, mine.ids)
                answer = await mine.browser.request(method, endpoint.filled(mine.ids), json=body)
                assert answer.status_code not in (403, 404), f"{endpoint}: {answer.text}"


async def test_37618_no_list_and_no_cursor_shows_what_is_anothers(plane, tenants):
    mine, theirs = tenants
    beyond = base64.urlsafe_b64encode(b"zzz_" + b"z" * 26).decode().rstrip("=")
    for endpoint in endpoints(plane.app):
        if endpoint.method != "GET" or endpoint.parameters or endpoint.public or endpoint.gateway:
            continue
        cursors = [base64.urlsafe_b64encode(id.encode()).decode().rstrip("=") for id in theirs.ids.values()]
        for query in ("", f"?cursor={beyond}", *(f"?cursor={cursor}" for cursor in cursors)):
            seen = (await mine.browser.request("GET", endpoint.path + query)).text
            assert [id for id in theirs.ids.values() if id in seen] == [], str(endpoint)


async def test_nothing_of_ones_own_can_refer_to_what_is_anothers(plane, tenants):
    mine, theirs = tenants
    for endpoint in endpoints(plane.app):
        if endpoint.method not in ("POST", "PATCH", "PUT") or endpoint.public or endpoint.gateway:
            continue
        for name in references(plane.app, endpoint, theirs.ids):
            body = {**_body(plane, endpoint, mine.ids), name: theirs.ids[name]}
            answer = await mine.browser.request(endpoint.method, endpoint.filled(mine.ids), json=body)
            assert answer.status_code in (400, 404, 409, 422), f"{endpoint} {name}: {answer.status_code} {answer.text}"
