"""Owns service tokens: what programs of an organization prove themselves with."""

import msgspec
from sqlalchemy import Select, select

from control_plane.api.find import find_one
from control_plane.api.problems import invalid
from control_plane.audit.service import record
from control_plane.auth.members import may_hand_out
from control_plane.auth.schema import TokenCreate, TokenMade, TokenOut
from control_plane.auth.tables import ServiceToken
from control_plane.auth.tokens import new_token
from control_plane.db.ids import new_id
from control_plane.work import Work


def listed(*, revoked: bool) -> Select[ServiceToken]:
    """Those that work or have expired, or those that were revoked."""
    ended = ServiceToken.revoked_at_ms
    return select(ServiceToken).where(ended.is_not(None) if revoked else ended.is_(None))


async def create(work: Work, wanted: TokenCreate) -> TokenMade:
    """Raises Problem 400 for an end that is past, 403 for a role above one's own."""
    may_hand_out(work, wanted.role)
    if wanted.expires_at_ms is not None and wanted.expires_at_ms <= work.now_ms:
        raise invalid("body/expires_at_ms", "write a time that is still to come, in milliseconds")
    token = new_token("lst_")
    row = ServiceToken(
        id=new_id("tok", work.now_ms),
        org_id=work.org_id,
        name=wanted.name,
        prefix=token.prefix,
        sha256=token.sha256,
        role=wanted.role,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        expires_at_ms=wanted.expires_at_ms,
        revoked_at_ms=None,
        used_at_ms=None,
    )
    work.session.add(row)
    made = render(row)
    await record(work, "token:create", f"token:{row.id}", after=made)
    return TokenMade(**msgspec.structs.asdict(made), secret=token.secret)


async def revoke(work: Work, token_id: str) -> None:
    """It works no more, from the next request on; a revoked one stays so. Raises Problem 404."""
    query = select(ServiceToken).where(ServiceToken.id == token_id)
    row = await find_one(work.session, query, "token", to_change=True)
    if row.revoked_at_ms is not None:
        return
    before = render(row)
    row.revoked_at_ms = work.now_ms
    await record(work, "token:revoke", f"token:{row.id}", before=before, after=render(row))


def render(row: ServiceToken) -> TokenOut:
    return TokenOut(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        role=row.role,
        created_by=row.created_by,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        revoked_at_ms=row.revoked_at_ms,
        used_at_ms=row.used_at_ms,
    )
