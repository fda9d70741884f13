"""Owns the routes of the kill switch."""

from litestar import Controller, Response, get, post
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, JSONBody

from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, InWork, Limit
from control_plane.kill_switch import service
from control_plane.kill_switch.schema import (
    CallsUnderWay,
    KillSwitchOut,
    KillSwitchRelease,
    KillSwitchTrigger,
    Released,
)
from control_plane.kill_switch.tables import KillSwitch


class KillSwitches(Controller):
    path = "/kill-switch"
    tags = ("Kill switch",)

    @get(needs="kill_switch:read", summary="Kill switches that are active; with all=true released ones too")
    async def list_kill_switches(
        self, work: InWork, all: FromQuery[bool] = False, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[KillSwitchOut]:
        return await page(work.session, service.listed(all=all), KillSwitch.id, cursor, limit, service.render)

    @get("/calls", needs="kill_switch:read", summary="Calls under way, by project: what a kill switch would end now")
    async def calls_under_way(self, work: InWork) -> CallsUnderWay:
        """As gateways said within the last seconds; streams and sessions are calls until they end."""
        return await service.under_way(work)

    @post(
        "/trigger",
        needs="kill_switch:write",
        urgent=True,
        summary="End the calls of a project, those under way too",
        responses={200: ResponseSpec(KillSwitchOut, generate_examples=False, description="Ended already, by this one")},
    )
    async def trigger(self, work: InWork, data: JSONBody[KillSwitchTrigger]) -> Response[KillSwitchOut]:
        """201 for a new one; 200 with the one that ends such calls already."""
        switch, is_new = await service.trigger(work, data)
        return Response(service.render(switch), status_code=201 if is_new else 200)

    @post("/release", needs="kill_switch:write", urgent=True, status_code=200, summary="Let calls through again")
    async def release(self, work: InWork, data: JSONBody[KillSwitchRelease]) -> Released:
        """Releasing what is released already changes nothing."""
        return Released([service.render(switch) for switch in await service.release(work, data)])
