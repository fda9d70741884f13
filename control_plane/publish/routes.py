"""Owns the routes that gateways use: the policy as a stream or at a time, and what they report."""

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from control_plane.api.paging import Page
from control_plane.api.parameters import InWork
from control_plane.api.problems import invalid
from control_plane.publish import reports
from control_plane.publish.feed import Feed
from control_plane.publish.schema import GatewayOut
from gateway.contract.publishing import Report

_LINES = "application/x-ndjson"
# A proxy in between must pass each line on as it comes: nginx's and others' sign for it.
_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}

Since = Annotated[int, QueryParameter(ge=0, description="The version that the gateway has; 0 for none")]
Nonce = Annotated[str, QueryParameter(min_length=16, max_length=64, description="Random; each line repeats it")]
Node = Annotated[str, HeaderParameter(name="x-lensai-node", description="Which worker speaks; as in the report")]


class Gateway(Controller):
    path = "/gateway"
    tags = ("Gateways",)

    @get("/policy", gateway=True, summary="The policy since a version, as signed lines")
    async def policy(self, feed: NamedDependency[Feed], since: Since, nonce: Nonce) -> Stream:
        return Stream(feed.answer(since, nonce), media_type=_LINES, headers=_UNBUFFERED)

    @get("/policy/stream", gateway=True, summary="The same, and every change from then on as it is made")
    async def policy_stream(
        self, request: Request[Any, Any, Any], feed: NamedDependency[Feed], since: Since, nonce: Nonce
    ) -> Stream:
        token_id = request.scope["state"]["gateway"].id
        return Stream(feed.stream(since, nonce, token_id), media_type=_LINES, headers=_UNBUFFERED)

    @post("/reports", gateway=True, status_code=204, summary="What a worker counted since its last report")
    async def report(self, work: InWork, request: Request[Any, Any, Any], node: Node, data: JSONBody[Report]) -> None:
        """Taken whole or not at all; one that was taken may be sent again."""
        if node != data.node:
            raise invalid("body/node", f"the header x-lensai-node says {node!r}; send the report of that worker")
        await reports.take(work.session, data, request.scope["state"]["gateway"].id, work.now_ms)


class Gateways(Controller):
    path = "/gateways"
    tags = ("Gateways",)

    @get("", needs="organization:read", summary="The gateways' workers: which policy each has, and when it was seen")
    async def list_gateways(self, work: InWork) -> Page[GatewayOut]:
        return Page(await reports.gateways(work.session))
