"""Owns the routes of providers: credentials, upstreams, price overrides."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from sqlalchemy import select

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.providers import service
from control_plane.providers.schema import (
    CredentialCreate,
    CredentialEdit,
    CredentialOut,
    CredentialRotate,
    PriceCreate,
    PriceEdit,
    PriceOut,
    UpstreamCreate,
    UpstreamEdit,
    UpstreamOut,
)
from control_plane.providers.tables import PriceOverride, ProviderCredential, Upstream


class Credentials(Controller):
    path = "/credentials"
    tags = ("Providers",)

    @get(needs="providers:read", summary="List credentials, without their secrets")
    async def list_credentials(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[CredentialOut]:
        query = select(ProviderCredential)
        return await page(work.session, query, ProviderCredential.id, cursor, limit, service.render_credential)

    @post(needs="providers:write", summary="Store a provider's secret; it is never shown again")
    async def create_credential(self, work: InWork, data: JSONBody[CredentialCreate]) -> Response[CredentialOut]:
        return _credential(await service.create_credential(work, data))

    @get("/{credential_id:str}", needs="providers:read", summary="One credential, without its secret")
    async def get_credential(self, work: InWork, credential_id: FromPath[str]) -> Response[CredentialOut]:
        return _credential(await service.find_credential(work, credential_id))

    @patch("/{credential_id:str}", needs="providers:write", summary="Rename a credential")
    async def edit_credential(
        self, work: InWork, credential_id: FromPath[str], data: JSONBody[CredentialEdit], if_match: IfMatch = None
    ) -> Response[CredentialOut]:
        return _credential(await service.rename_credential(work, credential_id, data, if_match))

    @delete("/{credential_id:str}", needs="providers:write", summary="Delete a credential that no upstream uses")
    async def delete_credential(self, work: InWork, credential_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.delete_credential(work, credential_id, if_match)

    @post(
        "/{credential_id:str}/rotate", needs="providers:write", status_code=200, summary="Put another secret in place"
    )
    async def rotate_credential(
        self, work: InWork, credential_id: FromPath[str], data: JSONBody[CredentialRotate]
    ) -> Response[CredentialOut]:
        return _credential(await service.rotate_credential(work, credential_id, data))


class Upstreams(Controller):
    path = "/upstreams"
    tags = ("Providers",)

    @get(needs="providers:read", summary="List the organization's upstreams")
    async def list_upstreams(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[UpstreamOut]:
        return await page(work.session, select(Upstream), Upstream.id, cursor, limit, service.render_upstream)

    @post(needs="providers:write", summary="Create an upstream: where calls go, and with whose credential")
    async def create_upstream(self, work: InWork, data: JSONBody[UpstreamCreate]) -> Response[UpstreamOut]:
        return _upstream(await service.create_upstream(work, data))

    @get("/{upstream_id:str}", needs="providers:read", summary="One upstream")
    async def get_upstream(self, work: InWork, upstream_id: FromPath[str]) -> Response[UpstreamOut]:
        return _upstream(await service.find_upstream(work, upstream_id))

    @patch("/{upstream_id:str}", needs="providers:write", summary="Change an upstream, its deployment map included")
    async def edit_upstream(
        self, work: InWork, upstream_id: FromPath[str], data: JSONBody[UpstreamEdit], if_match: IfMatch = None
    ) -> Response[UpstreamOut]:
        return _upstream(await service.change_upstream(work, upstream_id, data, if_match))

    @delete("/{upstream_id:str}", needs="providers:write", summary="Delete an upstream")
    async def delete_upstream(self, work: InWork, upstream_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.delete_upstream(work, upstream_id, if_match)


class PriceOverrides(Controller):
    path = "/price-overrides"
    tags = ("Providers",)

    @get(needs="providers:read", summary="List price overrides")
    async def list_prices(self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[PriceOut]:
        return await page(work.session, select(PriceOverride), PriceOverride.id, cursor, limit, service.render_price)

    @post(needs="providers:write", summary="State a negotiated or self-hosted price")
    async def create_price(self, work: InWork, data: JSONBody[PriceCreate]) -> Response[PriceOut]:
        return _price(await service.create_price(work, data))

    @get("/{price_id:str}", needs="providers:read", summary="One price override")
    async def get_price(self, work: InWork, price_id: FromPath[str]) -> Response[PriceOut]:
        return _price(await service.find_price(work, price_id))

    @patch("/{price_id:str}", needs="providers:write", summary="Change a price override")
    async def edit_price(
        self, work: InWork, price_id: FromPath[str], data: JSONBody[PriceEdit], if_match: IfMatch = None
    ) -> Response[PriceOut]:
        return _price(await service.change_price(work, price_id, data, if_match))

    @delete("/{price_id:str}", needs="providers:write", summary="Delete a price override")
    async def delete_price(self, work: InWork, price_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.delete_price(work, price_id, if_match)


def _credential(credential: ProviderCredential) -> Response[CredentialOut]:
    return Response(service.render_credential(credential), headers=etag(credential))


def _upstream(upstream: Upstream) -> Response[UpstreamOut]:
    return Response(service.render_upstream(upstream), headers=etag(upstream))


def _price(price: PriceOverride) -> Response[PriceOut]:
    return Response(service.render_price(price), headers=etag(price))
