"""Owns the routes of ingest: keys that sign, redaction rules, and the batches themselves."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.ingest import service
from control_plane.ingest.receive import Receiver, Taken
from control_plane.ingest.redact import Rules
from control_plane.ingest.schema import (
    IngestKeyCreate,
    IngestKeyEdit,
    IngestKeyOut,
    IngestKeyRotate,
    IngestKeyWithSecret,
    RedactionOut,
)
from control_plane.ingest.tables import IngestKey

# Nothing in between may keep what is shown once.
_SHOWN_ONCE = {"cache-control": "no-store"}


class IngestKeys(Controller):
    path = "/ingest-keys"
    tags = ("Ingest",)

    @get(needs="ingest:read", summary="List ingest keys")
    async def list_ingest_keys(
        self, work: InWork, revoked: FromQuery[bool] = False, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[IngestKeyOut]:
        return await page(work.session, service.listed(revoked=revoked), IngestKey.id, cursor, limit, service.render)

    @post(needs="ingest:write", summary="Create an ingest key; its secret is in this answer alone")
    async def create_ingest_key(self, work: InWork, data: JSONBody[IngestKeyCreate]) -> Response[IngestKeyWithSecret]:
        made = await service.create(work, data)
        return Response(service.render_once(made), headers=etag(made.key) | _SHOWN_ONCE)

    @get("/{ingest_key_id:str}", needs="ingest:read", summary="One ingest key")
    async def get_ingest_key(self, work: InWork, ingest_key_id: FromPath[str]) -> Response[IngestKeyOut]:
        key = await service.find(work, ingest_key_id)
        return Response(service.render(key), headers=etag(key))

    @patch("/{ingest_key_id:str}", needs="ingest:write", summary="Rename an ingest key, or let it report more or less")
    async def edit_ingest_key(
        self, work: InWork, ingest_key_id: FromPath[str], data: JSONBody[IngestKeyEdit], if_match: IfMatch = None
    ) -> Response[IngestKeyOut]:
        key = await service.change(work, ingest_key_id, data, if_match)
        return Response(service.render(key), headers=etag(key))

    @delete("/{ingest_key_id:str}", needs="ingest:write", summary="Revoke an ingest key, within five seconds")
    async def revoke_ingest_key(self, work: InWork, ingest_key_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.revoke(work, ingest_key_id, if_match)

    @post("/{ingest_key_id:str}/rotate", needs="ingest:write", summary="Another secret; the old one signs for a while")
    async def rotate_ingest_key(
        self, work: InWork, ingest_key_id: FromPath[str], data: JSONBody[IngestKeyRotate]
    ) -> Response[IngestKeyWithSecret]:
        made = await service.rotate(work, ingest_key_id, data)
        return Response(service.render_once(made), headers=etag(made.key) | _SHOWN_ONCE)


class Redactions(Controller):
    path = "/redaction"
    tags = ("Ingest",)

    @get(needs="ingest:read", summary="What is redacted before a reported event is stored")
    async def get_redaction(self, work: InWork) -> Response[RedactionOut]:
        row = await service.redaction(work)
        return Response(service.render_redaction(row), headers=etag(row) if row is not None else {})

    @put(needs="ingest:write", summary="State all redaction rules; they hold within five seconds")
    async def put_redaction(
        self, work: InWork, data: JSONBody[Rules], if_match: IfMatch = None
    ) -> Response[RedactionOut]:
        row = await service.redact(work, data, if_match)
        return Response(service.render_redaction(row), headers=etag(row))


class Events(Controller):
    path = "/events"
    tags = ("Ingest",)

    @post(signed=True, status_code=200, summary="Report events: a signed batch, JSON array or NDJSON, perhaps gzipped")
    async def report_events(self, request: Request[Any, Any, Any], receiver: NamedDependency[Receiver]) -> Taken:
        """What the receiver before the framework takes by itself (receive.py), for a path that is spelled otherwise."""
        return await receiver.take(request.scope["headers"], request.receive)
