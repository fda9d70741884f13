"""Owns projects: made, renamed, archived. The flush publishes what gateways must know (publish/outbox.py)."""

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import conflict
from control_plane.audit.service import record
from control_plane.db.ids import new_id
from control_plane.projects.schema import ProjectCreate, ProjectEdit, ProjectOut
from control_plane.projects.tables import Project
from control_plane.work import Work


def listed(*, archived: bool) -> Select[Project]:
    """The projects that are in use, or those that are not."""
    return select(Project).where(Project.archived_at_ms.is_not(None) if archived else Project.archived_at_ms.is_(None))


async def find(work: Work, project_id: str, *, to_change: bool = False) -> Project:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(Project).where(Project.id == project_id)
    return await find_one(work.session, query, "project", to_change=to_change)


async def create(work: Work, wanted: ProjectCreate) -> Project:
    """Raises Problem 409 where the name is taken."""
    await _name_is_free(work, wanted.name)
    project = Project(
        id=new_id("prj", work.now_ms),
        org_id=work.org_id,
        owner_id=work.principal.id,
        name=wanted.name,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
        archived_at_ms=None,
    )
    work.session.add(project)
    await record(work, "project:create", f"project:{project.id}", after=render(project))
    return project


async def change(work: Work, project_id: str, wanted: ProjectEdit, if_match: str | None) -> Project:
    """Raises Problem 404, 409 where the name is taken, 412 where it was changed meanwhile."""
    project = await find(work, project_id, to_change=True)
    before = render(project)
    edit(project, if_match, work.now_ms)
    if wanted.name is not msgspec.UNSET and wanted.name != project.name:
        await _name_is_free(work, wanted.name)
        project.name = wanted.name
    await record(work, "project:update", f"project:{project.id}", before=before, after=render(project))
    return project


async def archive(work: Work, project_id: str, if_match: str | None) -> None:
    """Its keys work no more, at once; an archived one stays so. Raises Problem 404, 412."""
    project = await find(work, project_id, to_change=True)
    if project.archived_at_ms is not None:
        return
    before = render(project)
    edit(project, if_match, work.now_ms)
    project.archived_at_ms = work.now_ms
    await record(work, "project:archive", f"project:{project.id}", before=before, after=render(project))


def render(project: Project) -> ProjectOut:
    return ProjectOut(project.id, project.owner_id, project.name, project.created_at_ms, project.archived_at_ms)


async def _name_is_free(work: Work, name: str) -> None:
    if (await work.session.execute(select(Project.id).where(Project.name == name))).first() is not None:
        raise conflict(f"There is a project {name!r} already; take another name")
