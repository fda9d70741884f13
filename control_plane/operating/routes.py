"""Owns `GET /metrics`: for a scraper that shows the token of the settings; without a token there is no such page."""

import hmac
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from control_plane.api.problems import Problem, not_found
from control_plane.operating.read import Reader
from control_plane.operating.telemetry import Telemetry
from control_plane.settings import Settings

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@get("/metrics", public=True, include_in_schema=False)
async def metrics(
    request: Request[Any, Any, Any],
    settings: NamedDependency[Settings],
    telemetry: NamedDependency[Telemetry],
    readings: NamedDependency[Reader],
) -> Response[bytes]:
    """What this process counted, and what the database and the lake say."""
    if not settings.metrics_token:
        raise not_found("page")
    expected = f"Bearer {settings.metrics_token}".encode()
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
        raise Problem(401, "unauthenticated", "Send the token of the settings: Authorization: Bearer …")
    return Response(telemetry.page(await readings.read()), media_type=_TEXT, headers={"cache-control": "no-store"})
