"""Owns which calls a kill switch ends. Pure: who calls, where to and what for go in, the switch comes out.

A caller chooses some of what is said of a call (x-lensai-user, -team, -route), so those dimensions match what the body,
the key or the endpoint says as well, and what stays open is named by its endpoint alone: no header gets a call out of a
switch.
"""

from collections.abc import Callable, Collection, Mapping

import msgspec

from gateway.contract.policy import Dimension, KillSwitch, Policy
from gateway.examine import Call
from gateway.faults import Refusal, SwitchHit
from gateway.identify import Caller
from gateway.model_names import Listed, names_of
from gateway.route import Route

_Values = Callable[[Caller, Route, Call], Collection[str]]


def _users(caller: Caller, _route: Route, call: Call) -> Collection[str]:
    return (call.user_id, call.end_user, caller.user_id, caller.key.user_id)


# What a call is, in each dimension. An empty value is none: no scope names it.
_VALUES: Mapping[Dimension, _Values] = {
    # "model" is beside them: it takes the price list.
    "org": lambda caller, _route, _call: (caller.project.org_id,),
    "project": lambda caller, _route, _call: (caller.project.id,),
    "key": lambda caller, _route, _call: (caller.key.id, *caller.key.replaces),
    "user": _users,
    "team": lambda caller, _route, _call: (caller.team, caller.key.team),
    "provider": lambda _caller, route, _call: (route.destination.provider.name,),
    "upstream": lambda _caller, route, _call: (route.destination.upstream.name,),
    "route": lambda caller, route, _call: (caller.route, route.endpoint.name),
    "tag": lambda caller, _route, _call: caller.tags,
}


class _Switch(msgspec.Struct, frozen=True):
    """A kill switch, ready to be asked."""

    refusal: Refusal  # of the calls that it ends
    allowed: frozenset[str]
    scope: tuple[tuple[_Values, str], ...]
    everybodys: bool  # it names an upstream and no organization: not what an organization calls by the same name

    def ends(self, caller: Caller, route: Route, call: Call) -> bool:
        if route.endpoint.name in self.allowed:
            return False
        if self.everybodys and route.destination.upstream.org_id:
            return False
        return all(value in values(caller, route, call) for values, value in self.scope)


class KillSwitches:
    """The kill switches of one policy; made once for it."""

    __slots__ = ("_switches",)

    def __init__(self, policy: Policy, listed: Listed) -> None:
        def models(_caller: Caller, route: Route, call: Call) -> Collection[str]:
            return names_of(route, call, listed)

        values_of: Mapping[Dimension, _Values] = {**_VALUES, "model": models}
        self._switches = tuple(
            _Switch(
                refusal_of(row),
                frozenset(row.allow),
                tuple((values_of[name], value) for name, value in row.scope.items()),
                "upstream" in row.scope and "org" not in row.scope,
            )
            for row in policy.kill_switches
        )

    def __bool__(self) -> bool:
        return bool(self._switches)

    def find(self, caller: Caller, route: Route, call: Call) -> Refusal | None:
        """What the first switch that ends such a call answers."""
        for switch in self._switches:
            if switch.ends(caller, route, call):
                return switch.refusal
        return None


def refusal_of(switch: KillSwitch) -> Refusal:
    """What the calls that a switch ends are answered; with the switch itself, for programs."""
    scope: dict[str, str] = {**switch.scope}
    reason = f": {switch.reason}" if switch.reason else ""
    return Refusal(
        "kill_switch",
        f"The kill switch {switch.id!r} ends such calls{reason}. Whoever runs this gateway opens it again",
        hit=SwitchHit(switch.id, scope, switch.reason),
    )
