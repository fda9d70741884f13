import pytest
from litestar import get

from control_plane import app as composition
from control_plane.app import Parts, create_app
from control_plane.settings import Settings
from tests.support.control_plane import control_plane, ring, still_parts


async def test_it_answers_whether_it_lives_and_reaches_its_database(either_plane):
    for path in ("/healthz", "/readyz"):
        answer = await either_plane.client.get(path)
        assert (answer.status_code, answer.text) == (200, "ok")


async def test_a_route_that_does_not_say_who_may_use_it_keeps_it_from_starting(tmp_path, monkeypatch):
    @get("/open", sync_to_thread=False)
    def open_to_all() -> str:
        return ""

    monkeypatch.setattr(composition, "FEATURES", (*composition.FEATURES, open_to_all))
    parts = Parts(Settings(data_dir=str(tmp_path)), ring("a"), ring("b"))
    with pytest.raises(AssertionError, match="/v1/open"):
        create_app(parts)
    await parts.close()


async def test_who_asks_too_often_is_told_when_to_come_again(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/x.sqlite"
    async with control_plane(url, tmp_path, requests_per_minute=2) as plane:
        headers = await plane.token(await plane.organization())
        answers = [await plane.client.get("/v1/projects", headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["content-type"] == "application/problem+json"
        assert int(answers[2].headers["retry-after"]) > 0
        # Another is not held up, and nobody's health check is.
        assert (await plane.client.get("/v1/projects", headers={"authorization": "Bearer lst_x"})).status_code != 429
        assert (await plane.client.get("/healthz")).status_code == 200


async def test_parts_are_those_an_application_has_now(plane, tmp_path):
    headers = await plane.token(await plane.organization())
    url = f"sqlite+aiosqlite:///{tmp_path}/other.sqlite"
    async with still_parts(url, tmp_path / "other", requests_per_minute=1) as (others, _clock):
        plane.app.state.parts = others
        answers = [(await plane.client.get("/v1/projects", headers=headers)).status_code for _ in range(2)]
        # The token is of the first database, and the count of the second limit.
        assert answers == [401, 429]
        plane.app.state.parts = plane.parts
    assert (await plane.client.get("/v1/projects", headers=headers)).status_code == 200


async def test_two_at_once_are_two_applications(plane, tmp_path):
    async with control_plane(f"sqlite+aiosqlite:///{tmp_path}/other.sqlite", tmp_path / "other") as other:
        headers = await other.token(await other.organization())
        assert (await other.client.get("/v1/projects", headers=headers)).status_code == 200
        assert (await plane.client.get("/v1/projects", headers=headers)).status_code == 401
