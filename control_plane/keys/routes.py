"""Owns the routes of keys."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.keys import service
from control_plane.keys.schema import KeyCreate, KeyEdit, KeyOut, KeyRotate, KeyWithSecret
from control_plane.keys.tables import ApiKey

# Nothing in between may keep what is shown once.
_SHOWN_ONCE = {"cache-control": "no-store"}


class Keys(Controller):
    path = "/keys"
    tags = ("Keys",)

    @get(needs="keys:read", summary="List keys, of one project or of all")
    async def list_keys(
        self,
        work: InWork,
        project_id: FromQuery[str | None] = None,
        revoked: FromQuery[bool] = False,
        cursor: Cursor = None,
        limit: Limit = LIMIT_DEFAULT,
    ) -> Page[KeyOut]:
        query = service.listed(project_id=project_id, revoked=revoked)
        return await page(work.session, query, ApiKey.id, cursor, limit, service.render)

    @post(needs="keys:write", summary="Create a key; its secret is in this answer alone")
    async def create_key(self, work: InWork, data: JSONBody[KeyCreate]) -> Response[KeyWithSecret]:
        made = await service.create(work, data)
        return Response(service.render_once(made), headers=etag(made.key) | _SHOWN_ONCE)

    @get("/{key_id:str}", needs="keys:read", summary="One key")
    async def get_key(self, work: InWork, key_id: FromPath[str]) -> Response[KeyOut]:
        key = await service.find(work, key_id)
        return Response(service.render(key), headers=etag(key))

    @patch("/{key_id:str}", needs="keys:write", summary="Change what a key may be used for, or switch it off")
    async def edit_key(
        self, work: InWork, key_id: FromPath[str], data: JSONBody[KeyEdit], if_match: IfMatch = None
    ) -> Response[KeyOut]:
        key = await service.change(work, key_id, data, if_match)
        return Response(service.render(key), headers=etag(key))

    @delete("/{key_id:str}", needs="keys:write", summary="Revoke a key, at once")
    async def revoke_key(self, work: InWork, key_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.revoke(work, key_id, if_match)

    @post("/{key_id:str}/rotate", needs="keys:write", summary="A new key for the same uses; the old one ends")
    async def rotate_key(
        self, work: InWork, key_id: FromPath[str], data: JSONBody[KeyRotate]
    ) -> Response[KeyWithSecret]:
        made = await service.rotate(work, key_id, data)
        return Response(service.render_once(made), headers=etag(made.key) | _SHOWN_ONCE)
