"""Owns that budgets and quotas name what there is, and hold nothing that a gateway would refuse."""

from collections.abc import Mapping

from sqlalchemy import select

from control_plane.api.problems import invalid
from control_plane.budgets.tables import Budget, Quota
from control_plane.keys.tables import ApiKey
from control_plane.projects.tables import Project
from control_plane.publish.acceptable import accept
from control_plane.publish.compile import compile_row
from control_plane.work import Work
from gateway.contract import policy
from gateway.quota_rules import EACH

_SCOPE = "body/scope"


async def check_project(work: Work, project_id: str | None) -> None:
    """Raises Problem 400 where it is not one of the organization's that is in use."""
    if project_id is None:
        return
    query = select(Project.id).where(Project.id == project_id, Project.archived_at_ms.is_(None))
    if (await work.session.execute(query)).first() is None:
        raise invalid("body/project_id", "there is no such project in use here; GET /v1/projects lists them")


def check_dimensions(scope: Mapping[policy.Dimension, str]) -> None:
    """Raises Problem 400 for what the row itself says."""
    for dimension in scope.keys() & {"org", "project"}:
        raise invalid(_SCOPE, f"{dimension} is said by project_id, null for all of the organization; remove it")


async def check_key(work: Work, scope: Mapping[policy.Dimension, str]) -> None:
    """Raises Problem 400 where a scope names a key of which neither it nor one that took its place is in use here."""
    key_id = scope.get("key", EACH)
    if key_id == EACH:
        return
    found: str | None = key_id
    while found is not None:
        query = select(ApiKey.revoked_at_ms, ApiKey.replaced_by).where(ApiKey.id == found)
        revoked_at_ms, found = (await work.session.execute(query)).one_or_none() or (0, None)
        if revoked_at_ms is None:
            return
    raise invalid(_SCOPE, f"there is no key {key_id!r} in use here; GET /v1/keys lists them")


def check_acceptable(row: Budget | Quota, places: Mapping[str, str]) -> None:
    """Raises Problem 400 with all that a gateway would find wrong. `places`: its fields -> where the request has them.

    What a gateway's own file may have (upstreams) is not known here: a scope that names nothing touches nothing.
    """
    quota = compiled(row)
    scope = quota.scope
    project = policy.Project(id=scope.get("project", "any"), org_id=row.org_id)
    upstream = policy.Upstream(name=scope.get("upstream", "any"), provider="openai", origin="https://example.com")
    key = policy.Key(id=scope.get("key", "any"), project_id=project.id, sha256="0" * 64)
    accept(policy.Policy(projects=(project,), keys=(key,), upstreams=(upstream,), quotas=(quota,)), "quotas", places)


def compiled(row: Budget | Quota) -> policy.Quota:
    """What gateways are told of it."""
    item = compile_row(row)
    assert item is not None
    assert isinstance(item.body, policy.Quota)
    return item.body
