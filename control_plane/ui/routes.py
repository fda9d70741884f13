"""Owns the routes of the web UI: the documents of its pages, and the files that belong to them.

Whoever asks gets them; they hold nothing of anybody. Without a build the API is the same, and `/` says what is missing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from litestar import MediaType, Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from control_plane.api import problems
from control_plane.api.problems import not_found
from control_plane.auth.principal import COOKIE
from control_plane.auth.sign_in_page import sign_in_page_response
from control_plane.ui.bundle import INDEX, File, sent

Files = Mapping[str, File]
UiFiles = NamedDependency[Files]

# The first parts of the pages' addresses; src/app/router.tsx has the same, and a test compares them. The build writes a
# document for each (documents.ts), for `/`, and for addresses below a page's.
PAGES: Final = (
    "alerts", "audit", "backtest", "budgets", "keys", "kill-switch", "members", "onboarding", "projects", "providers",
    "reconciliation", "requests", "settings", "usage",
)  # fmt: skip

_MISSING: Final = """The web UI of this control plane was not built. The API works: /docs describes it.

With Node 20.19 or newer, in the sources of LensAI:

    make ui

then start the control plane again. Packages that were released bring the UI with them.
"""


@get("/", public=True, include_in_schema=False)
async def home(request: Request[Any, Any, Any], ui_files: UiFiles) -> Response[Any]:
    """The UI, or how to get it."""
    if not ui_files:
        return Response(_MISSING, media_type=MediaType.TEXT, headers={"cache-control": "no-store"})
    return _document(request, ui_files, "home")


@get("/sign-in", public=True, include_in_schema=False)
async def sign_in(request: Request[Any, Any, Any], ui_files: UiFiles) -> Response[Any]:
    """The UI's page, or one that needs no build."""
    return _answer(request, ui_files[INDEX]) if ui_files else sign_in_page_response()


@get([path for page in PAGES for path in (f"/{page}", f"/{page}/{{rest:path}}")], public=True, include_in_schema=False)
async def page(request: Request[Any, Any, Any], ui_files: UiFiles) -> Response[Any]:
    """What the document shows at first is the page's; the rest of the address is read in the browser."""
    first, _, rest = request.url.path.strip("/").partition("/")
    return _document(request, ui_files, "other" if rest else first)


@get("/assets/{name:str}", public=True, include_in_schema=False)
async def asset(request: Request[Any, Any, Any], ui_files: UiFiles, name: FromPath[str]) -> Response[bytes]:
    return _file(request, ui_files, f"assets/{name}")


@get(["/favicon.svg", "/theme.js"], public=True, include_in_schema=False)
async def loose(request: Request[Any, Any, Any], ui_files: UiFiles) -> Response[bytes]:
    """Files whose names hold no hash."""
    return _file(request, ui_files, request.url.path.lstrip("/"))


def ui(files: Files) -> Router:
    """All of it, over the files of a build."""
    handlers = [home, sign_in, page, asset, loose]
    provided = Provide(lambda: files, sync_to_thread=False)
    return Router("/", route_handlers=handlers, dependencies={"ui_files": provided})


def nowhere(files: Files) -> Callable[[Request[Any, Any, Any], NotFoundException], Response[Any]]:
    """What an address that leads nowhere answers: to a browser the UI, which says so, to a program the problem."""

    def answer(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
        reads = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not files or not reads or request.url.path.startswith("/v1/"):
            return problems.answer(request, error)
        page = _answer(request, files[INDEX])
        page.status_code = 404
        return page

    return answer


def _document(request: Request[Any, Any, Any], files: Files, name: str) -> Response[Any]:
    """A browser that shows a session, even one that is over, gets the document that shows the page's frame."""
    return _file(request, files, f"pages/{name}.html" if COOKIE in request.cookies else INDEX)


def _file(request: Request[Any, Any, Any], files: Files, name: str) -> Response[bytes]:
    if name not in files:
        raise not_found("file")
    return _answer(request, files[name])


def _answer(request: Request[Any, Any, Any], file: File) -> Response[bytes]:
    chosen = sent(file, request.headers.get("accept-encoding", ""))
    return Response(chosen.body, media_type=file.media_type, headers=chosen.headers)
