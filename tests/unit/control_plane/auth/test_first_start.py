import asyncio

from control_plane.auth.first_start import ensure_owner
from tests.support.control_plane import Browser


async def test_the_first_start_makes_an_owner_who_signs_in_by_the_link(either_plane):
    plane = either_plane
    url = await ensure_owner(plane.parts.database, plane.parts.settings, plane.clock())
    assert url.startswith("http://127.0.0.1:8000/sign-in#token=lml_")
    browser = Browser(plane)
    answer = await browser.sign_in(url.partition("#token=")[2])
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["organization"]["role"]) == ("owner@localhost", "owner")
    assert (await browser.request("POST", "/v1/projects", json={"name": "First"})).status_code == 201


async def test_a_later_start_makes_nobody(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    assert await ensure_owner(plane.parts.database, plane.parts.settings, plane.clock()) is None


async def test_of_processes_that_start_at_once_one_makes_the_owner(either_plane):
    plane = either_plane
    starts = (ensure_owner(plane.parts.database, plane.parts.settings, plane.clock()) for _ in range(5))
    urls = await asyncio.gather(*starts)
    assert sorted(url is not None for url in urls) == [False] * 4 + [True]
