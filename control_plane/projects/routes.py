"""Owns the routes of projects."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.projects import service
from control_plane.projects.schema import ProjectCreate, ProjectEdit, ProjectOut
from control_plane.projects.tables import Project


class Projects(Controller):
    path = "/projects"
    tags = ("Projects",)

    @get(needs="projects:read", summary="List projects")
    async def list_projects(
        self, work: InWork, archived: FromQuery[bool] = False, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[ProjectOut]:
        return await page(work.session, service.listed(archived=archived), Project.id, cursor, limit, service.render)

    @post(needs="projects:write", summary="Create a project")
    async def create_project(self, work: InWork, data: JSONBody[ProjectCreate]) -> Response[ProjectOut]:
        project = await service.create(work, data)
        return Response(service.render(project), headers=etag(project))

    @get("/{project_id:str}", needs="projects:read", summary="One project")
    async def get_project(self, work: InWork, project_id: FromPath[str]) -> Response[ProjectOut]:
        project = await service.find(work, project_id)
        return Response(service.render(project), headers=etag(project))

    @patch("/{project_id:str}", needs="projects:write", summary="Rename a project")
    async def edit_project(
        self, work: InWork, project_id: FromPath[str], data: JSONBody[ProjectEdit], if_match: IfMatch = None
    ) -> Response[ProjectOut]:
        project = await service.change(work, project_id, data, if_match)
        return Response(service.render(project), headers=etag(project))

    @delete("/{project_id:str}", needs="projects:write", summary="Archive a project: its keys work no more")
    async def archive_project(self, work: InWork, project_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.archive(work, project_id, if_match)
