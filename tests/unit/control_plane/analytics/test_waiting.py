import asyncio

import pytest

from control_plane.analytics.waiting import answered, as_problem
from control_plane.api.problems import Problem
from control_plane.lake.query import TooBusy, TookTooLong, TooLarge, Unanswered


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
