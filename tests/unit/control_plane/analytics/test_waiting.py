import asyncio
from pathlib import Path

import pytest

from control_plane.analytics.waiting import answered, as_problem
from control_plane.api.problems import Problem
from control_plane.lake import snapshot
from control_plane.lake.curated import open_tables
from control_plane.lake.cycle import curate
from control_plane.lake.query import TooBusy, TookTooLong, TooLarge, Unanswered
from tests.support.control_plane import START_MS
from tests.support.lake_calls import land, varied


class Asking:
    """A request whose client stays until it is told to leave."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self):
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_an_answer_is_passed_on():
    async def answer():
        return 7

    assert await answered(Asking(), answer()) == 7


async def test_who_hangs_up_ends_the_question():
    request, ended = Asking(), []

    async def answer():
        try:
            request.leaves.set()
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(Problem) as gone:
        await answered(request, answer())
    assert gone.value.status == 499
    assert ended == [True]


@pytest.mark.parametrize(
    ("fault", "status"),
    [(TooBusy("x"), 503), (TookTooLong("x"), 422), (TooLarge("x"), 422), (Unanswered("x"), 503)],
)
async def test_a_lake_that_does_not_answer_is_a_problem_that_says_what_to_do(fault, status):
    async def answer():
        raise fault

    with pytest.raises(Problem) as problem:
        await answered(Asking(), answer())
    assert problem.value.status == status
    assert ("again" in problem.value.detail) == (status == 503)
    assert ("retry-after" in problem.value.headers) == (status == 503)
    assert as_problem(fault).code == problem.value.code


async def test_a_lake_that_nobody_curates_says_what_an_operator_does(plane, monkeypatch):
    monkeypatch.setattr(snapshot, "FRESH_ROWS_MAX", 10)
    org_id = await plane.organization()
    land(Path(plane.parts.settings.lake), varied(org_id, 20, START_MS // 1000))
    headers = await plane.token(org_id)
    told = await plane.client.get("/v1/metrics/summary", headers=headers)
    assert (told.status_code, told.json()["code"], told.headers["retry-after"]) == (503, "not_curated", "30")
    assert "lensai lake curate" in told.json()["detail"]
    list(curate(open_tables(plane.parts.settings.lake), plane.clock()))
    assert (await plane.client.get("/v1/metrics/summary", headers=headers)).json()["total"]["calls"] == 20
