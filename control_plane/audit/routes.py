"""Owns the routes of the audit log: reading it, checking its chain, a signed export."""

from dataclasses import replace
from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from control_plane.api.paging import LIMIT_DEFAULT, Page
from control_plane.api.parameters import Cursor, InWork, Limit
from control_plane.audit import export, reading
from control_plane.audit.reading import Filters
from control_plane.audit.schema import AuditOut, Checked
from control_plane.audit.service import record
from control_plane.db.engine import Database

_LINES = "application/x-ndjson"
_Time = Annotated[int | None, QueryParameter(ge=0, le=2**53, description="UTC, milliseconds since the epoch")]


class Audit(Controller):
    path = "/audit"
    tags = ("Audit log",)

    @get(needs="audit:read", summary="Actions, newest first")
    async def list_entries(
        self,
        work: InWork,
        actor: FromQuery[str | None] = None,
        action: FromQuery[str | None] = None,
        subject: FromQuery[str | None] = None,
        from_ms: _Time = None,
        to_ms: _Time = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT_DEFAULT,
    ) -> Page[AuditOut]:
        """Of one actor (`user:usr_…`), one action (`project:create`), one subject (`project:prj_…`), one time."""
        filters = Filters(actor, action, subject, from_ms, to_ms)
        return await reading.listed(work.session, filters, cursor, limit)

    @get("/verify", needs="audit:read", summary="Whether the chain holds, and its first broken link if not")
    async def verify(self, work: InWork) -> Checked:
        return await reading.check(work.session, work.org_id)

    @get(
        "/export",
        needs="audit:export",
        media_type=_LINES,
        summary="The whole log as lines of JSON, the last one signed",
    )
    async def export(self, work: InWork, database: NamedDependency[Database]) -> Stream:
        """A line for each entry, and `{"manifest":{…},"signature":"…"}`. `lensai audit verify FILE` checks it."""
        async with database.writing(work.org_id) as session:
            await record(replace(work, session=session), "audit:export", f"organization:{work.org_id}")
        lines = export.lines(database, work.keyring, work.org_id, work.now_ms)
        headers = {"content-disposition": f'attachment; filename="audit-{work.org_id}.ndjson"'}
        return Stream(lines, media_type=_LINES, headers=headers)
