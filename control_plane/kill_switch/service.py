"""Owns kill switches: thrown and released. The flush publishes them (publish/outbox.py), and gateways cut at once."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import UNSET
from sqlalchemy import Select, select

from control_plane.api.find import find_one
from control_plane.api.problems import invalid
from control_plane.audit.service import record
from control_plane.auth.tables import Organization
from control_plane.db.ids import new_id
from control_plane.keys.tables import ApiKey
from control_plane.kill_switch.schema import CallsUnderWay, KillSwitchOut, KillSwitchRelease, KillSwitchTrigger
from control_plane.kill_switch.tables import KillSwitch
from control_plane.projects.tables import Project
from control_plane.publish.acceptable import accept
from control_plane.publish.compile import compile_row
from control_plane.publish.tables import GatewayNode
from control_plane.work import Work
from gateway.contract import policy

# Workers report each second, or say that they are there each five; what did not for so long is not there.
SILENT_MS = 15_000


def listed(*, all: bool) -> Select[KillSwitch]:
    """Those that are active, or the released ones too."""
    query = select(KillSwitch)
    return query if all else query.where(KillSwitch.active)


async def trigger(work: Work, wanted: KillSwitchTrigger) -> tuple[KillSwitch, bool]:
    """The switch that ends such calls, and whether it is new. Raises Problem 400, 404.

    One that is active already and leaves no more open than was asked for is the answer: nothing is thrown twice.
    """
    await _alone(work)
    await _check_project(work, wanted.project_id)
    _check_dimensions(wanted.scope)
    for active in await _active(work, wanted.project_id):
        if active.scope == wanted.scope and set(active.allow) <= set(wanted.allow):
            return active, False
    switch = KillSwitch(
        id=new_id("kill", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        scope=dict(wanted.scope),
        active=True,
        reason=wanted.reason,
        allow=list(wanted.allow),
        activated_by=work.principal.actor,
        activated_at_ms=work.now_ms,
        released_by=None,
        released_at_ms=None,
    )
    _check_acceptable(switch)
    await _check_key(work, wanted.scope)
    work.session.add(switch)
    await record(work, "kill_switch:trigger", f"kill_switch:{switch.id}", after=render(switch))
    return switch, True


async def release(work: Work, wanted: KillSwitchRelease) -> list[KillSwitch]:
    """Those that were active and are not any more. Raises Problem 400, 404."""
    await _alone(work)
    switches = await _named(work, wanted)
    for switch in switches:
        before = render(switch)
        switch.active, switch.released_by, switch.released_at_ms = False, work.principal.actor, work.now_ms
        await record(work, "kill_switch:release", f"kill_switch:{switch.id}", before=before, after=render(switch))
    return list(switches)


async def under_way(work: Work) -> CallsUnderWay:
    """Of the organization's projects alone; a worker that is silent has none."""
    own = set((await work.session.execute(select(Project.id))).scalars())
    silent_ms = work.now_ms - SILENT_MS
    said = await work.session.execute(select(GatewayNode.inflight_by_project).where(GatewayNode.seen_at_ms > silent_ms))
    by_project: Counter[str] = Counter()
    for inflight in said.scalars():
        by_project.update({id: calls for id, calls in inflight.items() if id in own})
    return CallsUnderWay(by_project.total(), dict(by_project))


def render(switch: KillSwitch) -> KillSwitchOut:
    return KillSwitchOut(
        switch.id,
        switch.project_id,
        switch.scope,
        switch.active,
        switch.reason,
        switch.allow,
        switch.activated_by,
        switch.activated_at_ms,
        switch.released_by,
        switch.released_at_ms,
    )


async def _alone(work: Work) -> None:
    """Nobody else of the organization throws or releases one until the transaction ends."""
    query = select(Organization.id).where(Organization.id == work.org_id).with_for_update(key_share=True)
    await work.session.execute(query)


async def _named(work: Work, wanted: KillSwitchRelease) -> Sequence[KillSwitch]:
    """The active ones of those that are to be released."""
    if wanted.id is not UNSET and wanted.project_id is UNSET:
        switch = await find_one(work.session, select(KillSwitch).where(KillSwitch.id == wanted.id), "kill switch")
        return [switch] if switch.active else []
    if wanted.project_id is not UNSET and wanted.id is UNSET:
        await _check_project(work, wanted.project_id)
        return await _active(work, wanted.project_id)
    raise invalid("body", "name one: id of a kill switch, or project_id (null: the whole organization)")


async def _active(work: Work, project_id: str | None) -> Sequence[KillSwitch]:
    query = select(KillSwitch).where(KillSwitch.active, KillSwitch.project_id == project_id).order_by(KillSwitch.id)
    return (await work.session.execute(query)).scalars().all()


async def _check_project(work: Work, project_id: str | None) -> None:
    """An archived one too: calls of it may be under way."""
    if project_id is None:
        return
    await find_one(work.session, select(Project.id).where(Project.id == project_id), "project")


def _check_dimensions(scope: Mapping[policy.Dimension, str]) -> None:
    for dimension in scope.keys() & {"org", "project"}:
        raise invalid("body/scope", f"{dimension} is said by project_id, null for the whole organization; remove it")


async def _check_key(work: Work, scope: Mapping[policy.Dimension, str]) -> None:
    """A revoked one too: calls of it may be under way."""
    key_id = scope.get("key")
    if key_id is None:
        return
    if (await work.session.execute(select(ApiKey.id).where(ApiKey.id == key_id))).first() is None:
        raise invalid("body/scope", f"there is no key {key_id!r} here; GET /v1/keys lists them")


def _check_acceptable(switch: KillSwitch) -> None:
    """Raises Problem 400 with all that a gateway would find wrong; stand-ins are there for what its scope names."""
    item = compile_row(switch)
    assert item is not None
    assert isinstance(item.body, policy.KillSwitch)
    scope = item.body.scope
    project = policy.Project(id=scope.get("project", "any"), org_id=switch.org_id)
    upstream = policy.Upstream(name=scope.get("upstream", "any"), provider="openai", origin="https://example.com")
    key = policy.Key(id=scope.get("key", "any"), project_id=project.id, sha256="0" * 64)
    accept(
        policy.Policy(projects=(project,), keys=(key,), upstreams=(upstream,), kill_switches=(item.body,)),
        "kill_switches",
        {},
    )
