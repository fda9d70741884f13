from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar, get

from control_plane.api.access import unguarded
from control_plane.auth.roles import ROLES, may
from control_plane.ui.routes import PAGES
from tests.support.api_routes import Endpoint, endpoints
from tests.support.control_plane import Browser, ControlPlane, control_plane

# Endpoints that refuse a role by themselves, beyond what the table of permissions says, and why.
REFUSES_ITSELF: dict[str, str] = {}


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """One that answers as often as a test asks."""
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with control_plane(url, tmp_path, requests_per_minute=1_000_000) as plane:
        yield plane


def of_people(plane: ControlPlane) -> list[Endpoint]:
    return [one for one in endpoints(plane.app) if one.guarded and not one.gateway and not one.signed]


async def ask(plane: ControlPlane, endpoint: Endpoint, headers: dict[str, str], query: str = ""):
    path = endpoint.filled({}) + query
    json = {} if endpoint.method in ("POST", "PUT", "PATCH") else None
    return await plane.client.request(endpoint.method, path, headers=headers, json=json)


@pytest.mark.parametrize("role", ROLES)
async def test_cve_2026_35029_a_role_may_exactly_what_the_table_says_on_every_endpoint(plane, role):
    headers = await plane.token(await plane.organization(), role)
    wrong = []
    for endpoint in of_people(plane):
        answer = await ask(plane, endpoint, headers)
        refused = answer.status_code == 403
        if refused == may(role, endpoint.needs) and str(endpoint) not in REFUSES_ITSELF:
            wrong.append(f"{endpoint}: {answer.status_code}")
        if answer.status_code in (401, 405) or answer.status_code >= 500:
            wrong.append(f"{endpoint}: {answer.status_code} {answer.text}")
    assert wrong == []


async def test_every_endpoint_but_the_public_ones_wants_to_know_who_asks(plane):
    pages = {f"/{page}" for page in PAGES}
    public = {
        str(one)
        for one in endpoints(plane.app)
        if one.public and not one.path.startswith("/docs") and one.path.partition("/{")[0] not in pages
    }
    assert public == {
        "GET /",
        "GET /assets/{name}",
        "GET /favicon.svg",
        "GET /healthz",
        "GET /metrics",  # to whoever shows the token of the settings; tests/unit/control_plane/operating/test_routes.py
        "GET /readyz",
        "GET /sign-in",
        "GET /sign-in.js",
        "GET /theme.js",
        "POST /v1/auth/links",
        "POST /v1/auth/sessions",
    }
    for endpoint in endpoints(plane.app):
        if endpoint.guarded:
            answer = await ask(plane, endpoint, {})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), str(endpoint)
            assert answer.headers["www-authenticate"] == ("LensAI-Signature" if endpoint.signed else "Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_credential_for_something_else_is_none(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "owner")
    token = (await plane.token(org_id))["authorization"].removeprefix("Bearer ")
    gateway = (await plane.gateway())["authorization"].removeprefix("Bearer ")
    cookie = (await plane.browser("ada@example.com")).cookie.partition("=")[2]
    link = await plane.link("ada@example.com")
    for endpoint in endpoints(plane.app):
        if endpoint.public:
            continue
        fits_bearer = gateway if endpoint.gateway else token
        for secret in {token, gateway, cookie, link} - {fits_bearer}:
            answer = await ask(plane, endpoint, {"authorization": f"Bearer {secret}"})
            assert answer.status_code == 401, str(endpoint)
        for secret in {token, gateway, cookie, link} - ({cookie} if not endpoint.gateway else set()):
            answer = await ask(plane, endpoint, {"cookie": f"lensai_session={secret}"})
            assert answer.status_code == 401, str(endpoint)


async def test_a_wrong_token_is_not_saved_by_a_good_cookie(plane):
    await plane.member(await plane.organization(), "ada@example.com", "owner")
    browser = await plane.browser("ada@example.com")
    headers = {"cookie": browser.cookie, "authorization": "Bearer lst_wrong"}
    assert (await plane.client.get("/v1/session", headers=headers)).status_code == 401


async def test_a_cookie_is_found_among_those_of_others(plane):
    await plane.member(await plane.organization(), "ada@example.com", "owner")
    cookie = (await plane.browser("ada@example.com")).cookie
    for headers in (f"a=b; {cookie}", f'x="q;{cookie}', f"@@@=[]{{}}; {cookie}; y", f";;{cookie};"):
        assert (await plane.client.get("/v1/session", headers={"cookie": headers})).status_code == 200
    for headers in (f"x{cookie}", f"x={cookie}", cookie.upper(), f"{cookie.replace('=', '=x')}"):
        assert (await plane.client.get("/v1/session", headers={"cookie": headers})).status_code == 401


async def test_c04_a_browsers_change_needs_the_token_of_its_own_session_on_every_endpoint(plane):
    org_id = await plane.organization()
    for email in ("ada@example.com", "eve@example.com"):
        await plane.member(org_id, email, "owner")
    ada, eve = await plane.browser("ada@example.com"), await plane.browser("eve@example.com")
    changing = [one for one in of_people(plane) if one.method not in ("GET", "HEAD")]
    assert len(changing) > 10
    for endpoint in changing:
        for shown in ("", eve.csrf, ada.csrf[:-1], ada.csrf + "x", "\xe9", "seal1.", "."):
            answer = await ada.request(endpoint.method, endpoint.filled({}), csrf=shown, json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (str(endpoint), shown)
    made = await ada.request("POST", "/v1/projects", json={"name": "A"})
    assert made.status_code == 201
    assert (await ada.request("GET", "/v1/projects", csrf="")).status_code == 200


async def test_a_token_against_forgery_is_good_while_its_key_is_in_the_ring(plane):
    await plane.member(await plane.organization(), "ada@example.com", "owner")
    browser = await plane.browser("ada@example.com")
    ring = plane.parts.keyring
    ring.secrets = {"seal2": b"2" * 32, **ring.secrets}
    ring.current = "seal2"
    assert (await browser.request("POST", "/v1/projects", json={"name": "A"})).status_code == 201
    del ring.secrets["seal1"]
    assert (await browser.request("POST", "/v1/projects", json={"name": "B"})).status_code == 403


@pytest.mark.parametrize("path", ["/v1/auth/links", "/v1/auth/sessions"])
async def test_a_page_of_another_site_signs_nobody_in(plane, path):
    for origin in ("https://evil.example", "null", "http://control.test.evil.example", "http://control.test:81"):
        answer = await plane.client.post(path, json={}, headers={"origin": origin})
        assert answer.status_code == 403, origin
    for origin in ("http://control.test", "http://127.0.0.1:8000"):
        answer = await plane.client.post(path, json={}, headers={"origin": origin})
        assert answer.status_code == 400, origin


async def test_who_is_signed_in_already_signs_in_without_a_token_against_forgery(plane):
    await plane.member(await plane.organization(), "ada@example.com", "owner")
    browser = await plane.browser("ada@example.com")
    browser.csrf = ""
    assert (await browser.sign_in(await plane.link("ada@example.com"))).status_code == 201


async def test_options_tells_methods_and_nothing_more(plane):
    answer = await plane.client.options("/v1/projects")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_route_that_does_not_say_who_may_use_it_is_found():
    @get("/v1/open")
    async def forgotten() -> str:
        return ""

    @get("/elsewhere", needs="no:such")
    async def misspelt() -> str:
        return ""

    @get("/v1/said", needs="projects:read")
    async def said() -> str:
        return ""

    found = unguarded(Litestar([forgotten, misspelt, said], openapi_config=None))
    assert sorted(entry.split()[-1] for entry in found) == ["/elsewhere", "/v1/open"]


async def test_a_browser_without_a_session_has_a_problem_and_no_cookie(plane):
    browser = Browser(plane)
    browser.cookie = "lensai_session=lss_none"
    answer = await browser.request("GET", "/v1/session")
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
