"""Owns the routes that gateways use: the policy as a stream or at a time, and what they report."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from control_plane.publish.feed import Feed

_LINES = "application/x-ndjson"
# A proxy in between must pass each line on as it comes: nginx's and others' sign for it.
_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}

Since = Annotated[int, QueryParameter(ge=0, description="The version that the gateway has; 0 for none")]
Nonce = Annotated[str, QueryParameter(min_length=16, max_length=64, description="Random; each line repeats it")]


class Gateway(Controller):
    path = "/gateway"
    tags = ("Gateways",)

    @get("/policy", gateway=True, summary="The policy since a version, as signed lines")
    async def policy(self, feed: NamedDependency[Feed], since: Since, nonce: Nonce) -> Stream:
        return Stream(feed.answer(since, nonce), media_type=_LINES, headers=_UNBUFFERED)

    @get("/policy/stream", gateway=True, summary="The same, and every change from then on as it is made")
    async def policy_stream(self, feed: NamedDependency[Feed], since: Since, nonce: Nonce) -> Stream:
        return Stream(feed.stream(since, nonce), media_type=_LINES, headers=_UNBUFFERED)
