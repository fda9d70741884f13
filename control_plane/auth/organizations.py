"""Owns the organization itself, as its members see and name it."""

import msgspec
from sqlalchemy import select

from control_plane.api.etag import edit
from control_plane.audit.service import record
from control_plane.auth.schema import OrganizationEdit, OrganizationOut
from control_plane.auth.tables import Organization
from control_plane.work import Work


async def own(work: Work, *, to_change: bool = False) -> Organization:
    """`to_change`: nobody else changes it meanwhile; rows that refer to it may be added all the same."""
    query = select(Organization).where(Organization.id == work.org_id)
    return (await work.session.execute(query.with_for_update(key_share=True) if to_change else query)).scalar_one()


async def change(work: Work, wanted: OrganizationEdit, if_match: str | None) -> Organization:
    """Raises Problem 412 where it was changed meanwhile."""
    organization = await own(work, to_change=True)
    before = render(organization)
    edit(organization, if_match, work.now_ms)
    if wanted.name is not msgspec.UNSET:
        organization.name = wanted.name
    await record(
        work, "organization:update", f"organization:{organization.id}", before=before, after=render(organization)
    )
    return organization


def render(organization: Organization) -> OrganizationOut:
    return OrganizationOut(organization.id, organization.name, organization.created_at_ms)
