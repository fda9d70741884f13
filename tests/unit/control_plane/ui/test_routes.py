import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.exceptions import NotFoundException

from control_plane.auth.principal import COOKIE
from control_plane.ui.bundle import File, load
from control_plane.ui.routes import PAGES, nowhere, ui

SOURCES = Path(__file__).resolve().parents[4] / "control_plane" / "ui" / "src"


def browser(files: dict[str, File]) -> httpx.AsyncClient:
    handlers = {NotFoundException: nowhere(files)}
    app = Litestar([ui(files)], openapi_config=None, exception_handlers=handlers)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://control.test")


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>LensAI</title>")
    (tmp_path / "pages").mkdir()
    for name in ("home", "other", *PAGES):
        (tmp_path / "pages" / f"{name}.html").write_text(f"<!doctype html><h1>{name}</h1>")
    (tmp_path / "theme.js").write_text("let theme;")
    (tmp_path / "assets" / "index-a1.js").write_text("let a;")
    async with browser(load(tmp_path)) as client:
        yield client


async def test_every_page_is_the_same_document_to_whoever_shows_no_session(built):
    for path in ("/", "/sign-in", *(f"/{page}" for page in PAGES), "/projects/prj_1?tab=keys", "/requests/req_1"):
        answer = await built.get(path)
        assert (answer.status_code, answer.text) == (200, "<!doctype html><title>LensAI</title>"), path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_browser_that_shows_a_session_gets_the_document_of_the_page(built):
    built.cookies.set(COOKIE, "lss_over")
    named = {"/": "home", "/projects/prj_1": "other", "/requests/": "requests"}
    for path, name in (named | {f"/{page}": page for page in PAGES}).items():
        answer = await built.get(path)
        assert (answer.status_code, answer.text) == (200, f"<!doctype html><h1>{name}</h1>"), path
    assert (await built.get("/sign-in")).text == "<!doctype html><title>LensAI</title>"


async def test_no_document_is_kept_for_somebody_else(built):
    for path in ("/", "/keys", "/sign-in"):
        answer = await built.get(path)
        assert (answer.headers["vary"], answer.headers["cache-control"]) == ("accept-encoding, cookie", "no-cache")


async def test_files_are_served_by_their_exact_names(built):
    assert (await built.get("/assets/index-a1.js")).text == "let a;"
    assert (await built.get("/theme.js")).headers["content-type"].startswith("text/javascript")
    for path in (
        "/assets/index-b2.js",
        "/assets/..%2findex.html",
        "/assets/%2e%2e%2f%2e%2e%2froutes.py",
        "/favicon.svg",
    ):
        assert (await built.get(path)).status_code in (404, 500), path  # no problem details in this bare application
    assert (await built.get("/nothing")).status_code == 404


async def test_an_address_that_leads_nowhere_is_told_by_the_ui_to_browsers_alone(built):
    browses = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await built.get("/nonsense/a", headers=browses)
    assert (page.status_code, page.text) == (404, "<!doctype html><title>LensAI</title>")
    for answer in (
        await built.get("/nonsense"),
        await built.get("/v1/nonsense", headers=browses),
        await built.post("/nonsense", headers=browses),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    async with browser({}) as client:
        assert (await client.get("/nonsense", headers=browses)).json()["code"] == "not_found"


async def test_without_a_build_the_start_page_says_how_to_make_one_and_signing_in_still_works():
    async with browser({}) as client:
        home, sign_in = await client.get("/"), await client.get("/sign-in")
        assert "make ui" in home.text
        assert home.headers["content-type"].startswith("text/plain")
        assert 'src="/sign-in.js"' in sign_in.text


def test_the_pages_of_the_router_are_those_that_are_served():
    router = (SOURCES / "app" / "router.tsx").read_text()
    first = {path.split("/")[1] for path in re.findall(r'path: "(/[^"]*)"', router)} - {""}
    assert first - {"sign-in"} == set(PAGES)
