"""Owns the routes of retention: times, holds, erasures."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.retention import service
from control_plane.retention.schema import (
    ErasureCreate,
    ErasureOut,
    HoldCreate,
    HoldOut,
    RetentionEdit,
    RetentionOut,
)
from control_plane.retention.tables import ErasureRequest, LegalHold


class Retention(Controller):
    path = "/retention"
    tags = ("Retention",)

    @get(needs="retention:read", summary="How long calls and their sums are kept")
    async def get_retention(self, work: InWork) -> Response[RetentionOut]:
        own = await service.setting(work)
        return Response(await service.shown(work, own), headers=etag(own))

    @patch(needs="retention:write", summary="Keep less long than the plan does")
    async def edit_retention(
        self, work: InWork, data: JSONBody[RetentionEdit], if_match: IfMatch = None
    ) -> Response[RetentionOut]:
        """What is past the new time goes within the hour, and does not come back by a longer one."""
        own = await service.change(work, data, if_match)
        return Response(await service.shown(work, own), headers=etag(own))

    @get("/holds", needs="retention:read", summary="List legal holds")
    async def list_holds(
        self, work: InWork, released: FromQuery[bool] = False, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[HoldOut]:
        found = service.holds(released=released)
        return await page(work.session, found, LegalHold.id, cursor, limit, service.render_hold)

    @post("/holds", needs="retention:write", summary="Hold: nothing is deleted or erased until it is released")
    async def create_hold(self, work: InWork, data: JSONBody[HoldCreate]) -> HoldOut:
        return service.render_hold(await service.hold(work, data))

    @get("/holds/{hold_id:str}", needs="retention:read", summary="One legal hold")
    async def get_hold(self, work: InWork, hold_id: FromPath[str]) -> HoldOut:
        return service.render_hold(await service.find_hold(work, hold_id))

    @delete("/holds/{hold_id:str}", needs="retention:write", summary="Release a legal hold")
    async def release_hold(self, work: InWork, hold_id: FromPath[str]) -> None:
        await service.release(work, hold_id)

    @get("/erasures", needs="retention:read", summary="List erasures")
    async def list_erasures(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[ErasureOut]:
        found = service.erasures()
        return await page(work.session, found, ErasureRequest.id, cursor, limit, service.render_erasure)

    @post("/erasures", needs="retention:write", summary="Erase a user from all calls; what they cost stays")
    async def create_erasure(self, work: InWork, data: JSONBody[ErasureCreate]) -> ErasureOut:
        return service.render_erasure(await service.erase(work, data))

    @get("/erasures/{erasure_id:str}", needs="retention:read", summary="How far an erasure is")
    async def get_erasure(self, work: InWork, erasure_id: FromPath[str]) -> ErasureOut:
        return service.render_erasure(await service.find_erasure(work, erasure_id))
