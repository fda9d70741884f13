import pytest
from sqlalchemy import select

from control_plane.api.find import find_one
from control_plane.api.problems import Problem
from control_plane.projects.tables import Project


async def _made(plane, org_id: str) -> str:
    headers = await plane.token(org_id)
    made = await plane.client.post("/v1/projects", json={"name": "Search"}, headers=headers)
    return made.json()["id"]


@pytest.mark.parametrize("to_change", [False, True])
async def test_the_row_that_is_named_is_found(either_plane, to_change):
    org_id = await either_plane.organization()
    project_id = await _made(either_plane, org_id)
    async with either_plane.parts.database.writing(org_id) as session:
        query = select(Project).where(Project.id == project_id)
        assert (await find_one(session, query, "project", to_change=to_change)).name == "Search"


async def test_what_is_not_there_and_what_is_somebody_elses_are_told_alike(plane):
    org_id, other_id = await plane.organization(), await plane.organization("Other")
    project_id = await _made(plane, other_id)
    said: list[tuple[int, str]] = []
    for wanted in ("prj_none", project_id):
        async with plane.parts.database.reading(org_id) as session:
            with pytest.raises(Problem) as fault:
                await find_one(session, select(Project).where(Project.id == wanted), "project")
        said.append((fault.value.status, fault.value.detail))
    assert said == [(404, "There is no such project here; list them to see which there are")] * 2
