"""Owns keys: made, narrowed, rotated, revoked. The secret leaves once, with the answer; its SHA-256 stays.

The flush publishes what gateways must know (publish/outbox.py).
"""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import conflict, invalid
from control_plane.audit.service import record
from control_plane.auth.tokens import Token, new_token
from control_plane.db.ids import new_id
from control_plane.keys.schema import KeyCreate, KeyEdit, KeyOut, KeyRotate, KeyWithSecret
from control_plane.keys.tables import ApiKey
from control_plane.projects.tables import Project
from control_plane.publish.acceptable import accept
from control_plane.publish.compile import compile_row
from control_plane.work import Work
from gateway.contract import policy

# What a rotated key hands on: what it may be used for, and for whom.
_HANDED_ON = (
    "project_id", "name", "mode", "on_disconnect", "upstreams", "endpoints", "models", "user_id", "team", "tags",
    "expires_at_s", "disabled",
)  # fmt: skip


class Made(NamedTuple):
    """A new key, and what its callers send."""

    key: ApiKey
    secret: str


def listed(*, project_id: str | None, revoked: bool) -> Select[ApiKey]:
    """The keys that are not revoked, or those that are; of one project or of all."""
    query = select(ApiKey).where(ApiKey.revoked_at_ms.is_not(None) if revoked else ApiKey.revoked_at_ms.is_(None))
    return query if project_id is None else query.where(ApiKey.project_id == project_id)


async def find(work: Work, key_id: str, *, to_change: bool = False) -> ApiKey:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(ApiKey).where(ApiKey.id == key_id)
    return await find_one(work.session, query, "key", to_change=to_change)


async def create(work: Work, wanted: KeyCreate) -> Made:
    """Raises Problem 400 for what a gateway would refuse, 409 where the project is archived."""
    await _check_project(work, wanted.project_id)
    _check_expiry(work, wanted.expires_at_s)
    made = _made(work, msgspec.to_builtins(wanted) | {"disabled": False, "replaces": []})
    await record(work, "key:create", f"key:{made.key.id}", after=render(made.key))
    return made


async def change(work: Work, key_id: str, wanted: KeyEdit, if_match: str | None) -> ApiKey:
    """Raises Problem 400, 404, 409 where it is revoked, 412 where it was changed meanwhile."""
    key = await find(work, key_id, to_change=True)
    if key.revoked_at_ms is not None:
        raise conflict("This key is revoked and stays so; make another")
    before = render(key)
    edit(key, if_match, work.now_ms)
    if wanted.expires_at_s is not msgspec.UNSET:
        _check_expiry(work, wanted.expires_at_s)
    for field, value in msgspec.to_builtins(wanted).items():
        setattr(key, field, value)
    _check(key)
    await record(work, "key:update", f"key:{key.id}", before=before, after=render(key))
    return key


async def rotate(work: Work, key_id: str, wanted: KeyRotate) -> Made:
    """A new key for the same uses and under the same limits; the old one ends after the overlap.

    Raises Problem 404, 409 where it has ended.
    """
    old = await find(work, key_id, to_change=True)
    _check_rotates(work, old)
    await _check_project(work, old.project_id)
    before = render(old)
    edit(old, None, work.now_ms)
    handed_on = {field: getattr(old, field) for field in _HANDED_ON}
    made = _made(work, handed_on | {"replaces": [*old.replaces, old.id]})
    old.replaced_by = made.key.id
    if wanted.overlap_minutes:
        ends_at_s = work.now_s + 60 * wanted.overlap_minutes
        old.expires_at_s = ends_at_s if old.expires_at_s is None else min(old.expires_at_s, ends_at_s)
    else:
        old.revoked_at_ms = work.now_ms
    await record(work, "key:rotate", f"key:{old.id}", before=before, after=render(old))
    await record(work, "key:create", f"key:{made.key.id}", after=render(made.key))
    return made


async def revoke(work: Work, key_id: str, if_match: str | None) -> None:
    """It works no more, at once; a revoked one stays so. Raises Problem 404, 412."""
    key = await find(work, key_id, to_change=True)
    if key.revoked_at_ms is not None:
        return
    before = render(key)
    edit(key, if_match, work.now_ms)
    key.revoked_at_ms = work.now_ms
    await record(work, "key:revoke", f"key:{key.id}", before=before, after=render(key))


def render(key: ApiKey) -> KeyOut:
    return KeyOut(**_shown(key))


def render_once(made: Made) -> KeyWithSecret:
    return KeyWithSecret(**_shown(made.key), secret=made.secret)


def _shown(key: ApiKey) -> dict[str, Any]:
    return {field: getattr(key, field) for field in KeyOut.__struct_fields__}


def _made(work: Work, uses: dict[str, Any]) -> Made:
    token = new_token("lk-")
    key = _row(work, token, uses)
    _check(key)
    work.session.add(key)
    return Made(key, token.secret)


def _row(work: Work, token: Token, uses: dict[str, Any]) -> ApiKey:
    return ApiKey(
        **uses,
        id=new_id("key", work.now_ms),
        org_id=work.org_id,
        prefix=token.prefix,
        hash=token.sha256,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
        revoked_at_ms=None,
        replaced_by=None,
        used_at_s=None,
    )


async def _check_project(work: Work, project_id: str) -> None:
    query = select(Project.archived_at_ms).where(Project.id == project_id)
    project = (await work.session.execute(query)).one_or_none()
    if project is None:
        raise invalid("body/project_id", "there is no such project here; GET /v1/projects lists them")
    if project.archived_at_ms is not None:
        raise conflict("The project is archived: its keys work no more; take another project")


def _check_expiry(work: Work, expires_at_s: int | None) -> None:
    if expires_at_s is not None and expires_at_s <= work.now_s:
        raise invalid("body/expires_at_s", "is past; name a time to come, or DELETE the key to revoke it")


def _check_rotates(work: Work, key: ApiKey) -> None:
    if key.replaced_by is not None:
        raise conflict(f"This key was rotated already, to {key.replaced_by}; rotate that one")
    if key.revoked_at_ms is not None or (key.expires_at_s is not None and key.expires_at_s <= work.now_s):
        raise conflict("This key works no more; make another")


def _check(key: ApiKey) -> None:
    """Raises Problem 400. Upstreams are names: those of the gateway's own file are not known here."""
    compiled = compile_row(key)
    published = compiled.body if compiled else None
    assert isinstance(published, policy.Key), "what is revoked is not checked"
    named = tuple(policy.Upstream(name, "openai", "https://stand.in") for name in set(key.upstreams or ()))
    stood_in = policy.Policy(projects=(policy.Project(key.project_id),), keys=(published,), upstreams=named)
    accept(stood_in, "keys", {})
