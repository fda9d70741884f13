"""Owns what the stages are given in their tests: requests as they are read off the wire, views of a policy's TOML."""

from gateway.identify import Caller, identify
from gateway.policy import PolicyView
from gateway.policy_toml import compile_policy
from gateway.request import Request
from gateway.route import Route, RouteTable
from gateway.wire.headers import request_reader
from pricing.catalog import Catalog
from tests.support.data_plane import TOKEN, call, policy

NOW_S = 1_800_000_000
LISTED = Catalog.load().listed


def view_of(upstreams: str = "", key: str = "") -> PolicyView:
    """A view of a policy with those upstreams' tables and further fields of its one key."""
    return PolicyView(compile_policy(policy(upstreams, key), {}, source="test"))


def request_of(path: str, body: bytes = b"", *lines: bytes, token: str = TOKEN, method: str = "") -> Request:
    """The request that a client's bytes are."""
    head = call(path, body, *lines, token=token).removesuffix(body)
    if method:
        head = method.encode() + head[head.index(b" ") :]
    request = request_from(head)
    request.body = body
    return request


def request_from(head: bytes) -> Request:
    return Request.read(request_reader().request(head), arrived_ns=NOW_S * 10**9, started_ns=7)


def caller_of(request: Request, view: PolicyView) -> Caller:
    caller = identify(request, view, NOW_S)
    assert isinstance(caller, Caller), caller
    return caller


def route_of(request: Request, view: PolicyView) -> Route:
    route = RouteTable(view).route(request, caller_of(request, view))
    assert isinstance(route, Route), route
    return route
