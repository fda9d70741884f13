import asyncio

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


async def test_who_changes_a_row_and_who_adds_to_it_do_not_wait_in_a_circle(either_plane):
    org_id = await either_plane.organization()
    headers = await either_plane.token(org_id)
    project_id = await _made(either_plane, org_id)
    key = {"name": "ci", "project_id": project_id}
    budget = {**key, "limit_usd": "1", "period": "day"}
    for number in range(4):
        asked = [
            *(("PATCH", f"/v1/projects/{project_id}", {"name": f"P{number}{n}"}) for n in range(3)),
            *(("POST", path, body) for path, body in (("/v1/keys", key), ("/v1/budgets", budget)) for _ in range(3)),
        ]
        requests = (
            either_plane.client.request(method, path, json=body, headers=headers) for method, path, body in asked
        )
        assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200, 201}
