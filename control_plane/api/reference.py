"""Owns how the API describes itself: OpenAPI 3.1 with the errors every route can give, and a page to read it on.

The page is HTML of our own, without a script and without anything from another host.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPIMediaType, OpenAPIResponse, Operation, Schema, SecurityScheme
from litestar.openapi.spec.enums import OpenAPIType

from control_plane.api.problems import problem_spec
from control_plane.auth.principal import COOKIE

PATH = "/docs"
TITLE = "LensAI control plane"
VERSION = "1"

# What may be answered instead of what was asked for, and when.
_ANY = {
    400: "The request is not as described",
    429: "Too many requests; `retry-after` says when to come again",
    503: "The database does not answer; try again",
}
_SIGNED_IN = {401: "Nobody is signed in, or the token is unknown, revoked or expired"}
_ALLOWED = {403: "The role may not do this, or the CSRF header is missing"}
_WITH_ID = {404: "It is not there, or belongs to another organization"}
_CHANGES = {
    409: "It contradicts what is there",
    412: "It was changed since it was read (If-Match)",
    413: "The body is too large",
    422: "The Idempotency-Key was used for another request",
}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

# A page of text with a style of its own: it runs nothing, loads nothing and stands in nobody's frame.
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_bearer = SecurityScheme(
    type="http", scheme="bearer", description="A service token (`lst_…`), or a gateway's (`lgw_…`)"
)
_session = SecurityScheme(type="apiKey", security_scheme_in="cookie", name=COOKIE, description="A signed-in browser")


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title=TITLE,
        version=VERSION,
        render_plugins=[Page()],
        use_handler_docstrings=True,
        components=Components(security_schemes={"token": _bearer, "session": _session}),
        openapi_router=Router(
            PATH, route_handlers=[], opt={"public": True}, include_in_schema=False, response_headers=_HEADERS
        ),
    )


def answers_with(*media_types: str) -> type[Operation]:
    """The `operation_class` of a route whose answer is a file, in one of several forms beside the described one."""

    @dataclass
    class OfFiles(Operation):
        def __post_init__(self) -> None:
            answer = (self.responses or {})["200"]
            assert isinstance(answer, OpenAPIResponse)
            text = Schema(type=OpenAPIType.STRING)
            answer.content = {**(answer.content or {}), **{name: OpenAPIMediaType(schema=text) for name in media_types}}

    return OfFiles


def describe_errors(app: Litestar) -> None:
    """Adds to every route of the API the problems that it can answer with."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and route.path.startswith("/v1"):
                own = dict(handler.responses or {})
                handler.responses = {**_specs(_errors(route.path, handler)), **own}
                handler.security = _proofs(handler)


def _proofs(handler: HTTPRouteHandler) -> list[dict[str, list[str]]]:
    """What one of has to be shown."""
    if handler.opt.get("public"):
        return []
    return [{"token": []}] if handler.opt.get("gateway") else [{"token": []}, {"session": []}]


def _errors(path: str, handler: HTTPRouteHandler) -> dict[int, str]:
    errors = dict(_ANY)
    if not handler.opt.get("public"):
        errors |= _SIGNED_IN
    if handler.opt.get("needs"):
        errors |= _ALLOWED
    if "{" in path:
        errors |= _WITH_ID
    if handler.http_methods - _READS:
        errors |= _ALLOWED | _CHANGES
    return errors


def _specs(errors: Mapping[int, str]) -> dict[int, ResponseSpec]:
    return {status: problem_spec(meaning) for status, meaning in sorted(errors.items())}


class Page(OpenAPIRenderPlugin):
    """The reference at /docs: operations by tag, with parameters, bodies and answers."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return page(openapi_schema).encode()


_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h2{margin-top:3rem;border-bottom:1px solid #ddd}code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:#f6f6f4;padding:.75rem;overflow:auto}
details{margin:.5rem 0;border:1px solid #e3e3e0;padding:.5rem .75rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}pre{background:#222}details{border-color:#333}}
"""


def page(document: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    title = escape(document["info"]["title"])
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    lead = f'<h1>{title}</h1><p><a href="{PATH}/openapi.json">OpenAPI 3.1</a></p>'
    schemas = "".join(_schema(name, schema) for name, schema in document["components"].get("schemas", {}).items())
    return f"{head}{lead}{''.join(_groups(document))}<h2>Schemas</h2>{schemas}"


def _groups(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in cast(dict[str, Any], methods).items():
            for tag in operation.get("tags", ["Other"]):
                by_tag.setdefault(tag, []).append(_operation(path, method, operation))
    for tag, operations in sorted(by_tag.items()):
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    summary = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
    rows = [
        *map(_parameter, operation.get("parameters", ())),
        *_body(operation),
        *map(_response, operation["responses"].items()),
    ]
    text = escape(operation.get("description", ""))
    return f"<details><summary>{summary}</summary><p>{text}</p><table>{''.join(rows)}</table></details>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    return _row(parameter["name"], parameter["in"], parameter.get("description", ""))


def _body(operation: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield _row("body", kind, _reference(content.get("schema", {})))


def _response(response: tuple[str, Mapping[str, Any]]) -> str:
    status, told = response
    schemas = [_reference(content.get("schema", {})) for content in told.get("content", {}).values()]
    return _row(status, ", ".join(schemas), told.get("description", ""))


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _reference(schema: Mapping[str, Any]) -> str:
    return schema.get("$ref", "").rpartition("/")[2]


def _schema(name: str, schema: object) -> str:
    shown = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f"<details><summary><code>{escape(name)}</code></summary><pre>{escape(shown)}</pre></details>"
