"""Owns ingest keys and redaction rules: made, rotated, revoked, stated. The secret leaves once, with the answer.

Receivers hear of a change within seconds (known.py); nothing here is published to gateways.
"""

import secrets
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import FieldProblem, Problem, conflict, invalid
from control_plane.audit.service import record
from control_plane.auth import organizations
from control_plane.auth.tokens import new_token
from control_plane.db.ids import new_id
from control_plane.ingest.known import context_of
from control_plane.ingest.redact import Rules, fault_of
from control_plane.ingest.schema import (
    IngestKeyCreate,
    IngestKeyEdit,
    IngestKeyOut,
    IngestKeyRotate,
    IngestKeyWithSecret,
    RedactionOut,
)
from control_plane.ingest.tables import IngestKey, Redaction
from control_plane.projects.tables import Project
from control_plane.work import Work

_HASH_KEY_BYTES = 32


class Made(NamedTuple):
    """A key, and the secret that was just made for it."""

    key: IngestKey
    secret: str


def listed(*, revoked: bool) -> Select[IngestKey]:
    """The keys that sign, or those that were revoked."""
    ended = IngestKey.revoked_at_ms
    return select(IngestKey).where(ended.is_not(None) if revoked else ended.is_(None))


async def find(work: Work, key_id: str, *, to_change: bool = False) -> IngestKey:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(IngestKey).where(IngestKey.id == key_id)
    return await find_one(work.session, query, "ingest key", to_change=to_change)


async def create(work: Work, wanted: IngestKeyCreate) -> Made:
    """Raises Problem 400 for a project that is not there, 409 where it is archived."""
    if wanted.project_id is not None:
        await _check_project(work, wanted.project_id)
    token = new_token("lis_")
    key = IngestKey(
        id=new_id("igk", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        name=wanted.name,
        prefix=token.prefix,
        sealed="",
        previous_until_ms=None,
        events_per_s=wanted.events_per_s,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
        revoked_at_ms=None,
    )
    key.sealed = work.keyring.seal(token.secret, context_of(key))
    work.session.add(key)
    await record(work, "ingest_key:create", f"ingest_key:{key.id}", after=render(key))
    return Made(key, token.secret)


async def change(work: Work, key_id: str, wanted: IngestKeyEdit, if_match: str | None) -> IngestKey:
    """Raises Problem 404, 409 where it is revoked, 412 where it was changed meanwhile."""
    key = await _usable(work, key_id)
    before = render(key)
    edit(key, if_match, work.now_ms)
    for field, value in msgspec.to_builtins(wanted).items():
        setattr(key, field, value)
    await record(work, "ingest_key:update", f"ingest_key:{key.id}", before=before, after=render(key))
    return key


async def rotate(work: Work, key_id: str, wanted: IngestKeyRotate) -> Made:
    """Another secret for the same key; the one before signs until the overlap ends. Raises Problem 404, 409."""
    key = await _usable(work, key_id)
    before = render(key)
    edit(key, None, work.now_ms)
    token, context = new_token("lis_"), context_of(key)
    current = work.keyring.open(key.sealed, context).partition("\n")[0]
    kept = [token.secret, current] if wanted.overlap_minutes else [token.secret]
    key.sealed = work.keyring.seal("\n".join(kept), context)
    key.prefix = token.prefix
    key.previous_until_ms = work.now_ms + 60_000 * wanted.overlap_minutes if wanted.overlap_minutes else None
    await record(work, "ingest_key:rotate", f"ingest_key:{key.id}", before=before, after=render(key))
    return Made(key, token.secret)


async def revoke(work: Work, key_id: str, if_match: str | None) -> None:
    """It signs no more within seconds; a revoked one stays so. Raises Problem 404, 412."""
    key = await find(work, key_id, to_change=True)
    if key.revoked_at_ms is not None:
        return
    before = render(key)
    edit(key, if_match, work.now_ms)
    key.revoked_at_ms = work.now_ms
    await record(work, "ingest_key:revoke", f"ingest_key:{key.id}", before=before, after=render(key))


async def redaction(work: Work) -> Redaction | None:
    """The organization's row, if it ever stated rules."""
    return (await work.session.execute(select(Redaction))).scalar_one_or_none()


async def redact(work: Work, wanted: Rules, if_match: str | None) -> Redaction:
    """All rules are those that are named. Raises Problem 400 for a pattern that is none, 412."""
    _check_patterns(wanted)
    # One after the other: the first two at once would find no row to wait for.
    await organizations.own(work, to_change=True)
    row = await redaction(work)
    before = render_redaction(row)
    if row is None:
        row = Redaction(
            id=new_id("red", work.now_ms), org_id=work.org_id, rules={}, sealed="", version=0, updated_at_ms=0
        )
        row.sealed = work.keyring.seal(secrets.token_hex(_HASH_KEY_BYTES), context_of(row))
        work.session.add(row)
    edit(row, if_match, work.now_ms)
    row.rules = msgspec.to_builtins(wanted)
    await record(work, "redaction:update", f"redaction:{row.id}", before=before, after=render_redaction(row))
    return row


def render(key: IngestKey) -> IngestKeyOut:
    return IngestKeyOut(**_shown(key))


def render_once(made: Made) -> IngestKeyWithSecret:
    return IngestKeyWithSecret(**_shown(made.key), secret=made.secret)


def render_redaction(row: Redaction | None) -> RedactionOut:
    if row is None:
        return RedactionOut(Rules(), None)
    return RedactionOut(msgspec.convert(row.rules, Rules), row.updated_at_ms)


def _shown(key: IngestKey) -> dict[str, Any]:
    return {field: getattr(key, field) for field in IngestKeyOut.__struct_fields__}


async def _usable(work: Work, key_id: str) -> IngestKey:
    key = await find(work, key_id, to_change=True)
    if key.revoked_at_ms is not None:
        raise conflict("This ingest key is revoked and stays so; make another")
    return key


async def _check_project(work: Work, project_id: str) -> None:
    query = select(Project.archived_at_ms).where(Project.id == project_id)
    project = (await work.session.execute(query)).one_or_none()
    if project is None:
        raise invalid("body/project_id", "there is no such project here; GET /v1/projects lists them")
    if project.archived_at_ms is not None:
        raise conflict("The project is archived: nothing is reported for it any more; take another project")


def _check_patterns(rules: Rules) -> None:
    wrong = tuple(
        FieldProblem(f"body/patterns/{index}/pattern", fault)
        for index, rule in enumerate(rules.patterns)
        if (fault := fault_of(rule.pattern))
    )
    if wrong:
        raise Problem(400, "invalid", "Some patterns cannot be used; see errors", errors=wrong)
