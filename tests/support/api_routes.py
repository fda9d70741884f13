"""Owns the API as a test sees it whole: every endpoint there is, requests that fit its description, and raw ones."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

_PARAMETER = re.compile(r"\{(\w+)\}")
# Well formed, and nobody's.
NOBODYS_ID = "prj_00000000000000000000000000"


class Endpoint(NamedTuple):
    """`path` has its parameters as `{name}`."""

    method: str
    path: str
    needs: str | None
    public: bool
    gateway: bool
    signed: bool = False

    @property
    def guarded(self) -> bool:
        return not self.public

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    def filled(self, ids: Mapping[str, str]) -> str:
        """The path with an id for each parameter; for one that has none, nobody's."""
        return _PARAMETER.sub(lambda found: ids.get(found[1], NOBODYS_ID), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def endpoints(app: Litestar) -> list[Endpoint]:
    """All of the application's, but OPTIONS."""
    return sorted(_endpoints(app))


def _endpoints(app: Litestar) -> Iterator[Endpoint]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler):
                opt = handler.opt
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield Endpoint(
                        method,
                        route.path_format,
                        opt.get("needs"),
                        bool(opt.get("public")),
                        bool(opt.get("gateway")),
                        bool(opt.get("signed")),
                    )


def body_schema(app: Litestar, endpoint: Endpoint) -> dict[str, Any] | None:
    """The JSON schema of what an endpoint takes; None if it takes nothing."""
    operation = _document(app)["paths"].get(endpoint.path, {}).get(endpoint.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else _resolved(app, content["schema"])


def example_body(app: Litestar, endpoint: Endpoint, ids: Mapping[str, str]) -> Any:
    """What the schema demands, by its own examples; a property that is named like an id in `ids` has that."""
    schema = body_schema(app, endpoint)
    return None if schema is None else _example(app, schema, ids)


def references(app: Litestar, endpoint: Endpoint, ids: Mapping[str, str]) -> list[str]:
    """Properties, demanded or not, that are ids of other things."""
    schema = body_schema(app, endpoint) or {}
    return [name for name in schema.get("properties", {}) if name in ids]


async def raw(app: Litestar, method: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body of a request whose target stands as it is, as a server hands it on."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("latin-1"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("control.test", 80),
        "state": {},
        "extensions": {},
    }
    sent: list[Any] = []

    told = iter([{"type": "http.request", "body": b"{}", "more_body": False}])
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if (message := next(told, None)) is not None:
            return message
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            ended.set()

    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@cache
def _document(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


def _resolved(app: Litestar, schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = _document(app)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _example(app: Litestar, schema: dict[str, Any], ids: Mapping[str, str]) -> Any:
    schema = _resolved(app, schema)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("examples"):
        return schema["examples"][0]
    for choice in ("enum", "oneOf", "anyOf"):
        if choice in schema:
            first = schema[choice][0]
            return first if choice == "enum" else _example(app, first, ids)
    kind = schema.get("type", "object")
    if kind == "object":
        demanded = {name: schema["properties"][name] for name in schema.get("required", ())}
        return {name: ids.get(name) or _example(app, inner, ids) for name, inner in demanded.items()}
    return {"string": "example", "integer": schema.get("minimum", 1), "number": 1, "boolean": False, "array": []}[kind]
