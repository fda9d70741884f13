import asyncio

from control_plane.auth.session_secret import OVERLAP_MS, RENEWED_AFTER_MS, Step, next_step
from control_plane.auth.tables import BrowserSession
from control_plane.auth.tokens import digest
from control_plane.settings import Settings
from tests.support.control_plane import Browser

DAY_S, OVERLAP_S = RENEWED_AFTER_MS // 1000, OVERLAP_MS // 1000
LASTS_S = Settings().session_s


async def signed_in(plane) -> Browser:
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    return await plane.browser("ada@example.com")


async def look(plane, cookie: str) -> tuple[int, str]:
    """The status of a request with this cookie, and the cookie it sets; the browser is not told."""
    answer = await plane.client.get("/v1/session", headers={"cookie": cookie})
    plane.client.cookies.clear()
    return answer.status_code, answer.headers.get("set-cookie", "").partition(";")[0]


async def test_a_session_goes_on_while_it_is_used_and_ends_when_it_is_not(plane):
    browser = await signed_in(plane)
    for _ in range(5):
        plane.clock.advance(LASTS_S - 1)
        assert (await browser.request("GET", "/v1/session")).status_code == 200
    plane.clock.advance(LASTS_S)
    assert (await browser.request("GET", "/v1/session")).status_code == 401


async def test_a_secret_is_new_each_day_and_the_old_one_is_nothing_a_minute_after_the_new_one_is_seen(either_plane):
    plane = either_plane
    old = (await signed_in(plane)).cookie
    assert await look(plane, old) == (200, "")
    plane.clock.advance(DAY_S)
    status, new = await look(plane, old)
    assert (status, new not in ("", old)) == (200, True)
    assert await look(plane, old) == (200, "")
    assert await look(plane, new) == (200, new)
    plane.clock.advance(OVERLAP_S - 1)
    assert (await look(plane, old))[0] == 200
    plane.clock.advance(1)
    assert (await look(plane, old))[0] == 401
    assert (await look(plane, new))[0] == 200


async def test_of_many_requests_at_once_one_changes_the_secret_and_all_are_served(either_plane):
    plane = either_plane
    old = (await signed_in(plane)).cookie
    plane.clock.advance(DAY_S)
    answers = await asyncio.gather(*(look(plane, old) for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    [new] = {cookie for _, cookie in answers if cookie}
    assert (await look(plane, new))[0] == 200


async def test_an_answer_with_a_new_secret_that_is_lost_signs_nobody_out(plane):
    old = (await signed_in(plane)).cookie
    plane.clock.advance(DAY_S)
    _, lost = await look(plane, old)
    plane.clock.advance(OVERLAP_S)
    status, new = await look(plane, old)
    assert (status, new not in ("", old, lost)) == (200, True)
    assert (await look(plane, lost))[0] == 401
    assert (await look(plane, new))[0] == 200


async def test_the_token_against_forgery_outlives_a_change_of_secret(plane):
    browser = await signed_in(plane)
    first = browser.cookie
    plane.clock.advance(DAY_S)
    await browser.request("GET", "/v1/session")
    assert browser.cookie != first
    assert (await browser.request("DELETE", "/v1/sessions")).status_code == 204


async def test_c03_signing_in_gives_a_new_session_and_ends_the_browsers_former_one(plane):
    browser = await signed_in(plane)
    former, id = browser.cookie, (await browser.request("GET", "/v1/session")).json()["id"]
    answer = await browser.sign_in(await plane.link("ada@example.com"))
    assert answer.status_code == 201
    assert answer.json()["id"] != id
    assert (await look(plane, former))[0] == 401


def test_a_use_is_written_down_once_a_minute():
    row = BrowserSession(
        id="ses_1", sha256=digest("now"), previous_sha256=None, previous_until_ms=None, secret_at_ms=0, seen_at_ms=0
    )
    assert next_step(row, "now", 59_999, 100) is None
    assert next_step(row, "now", 60_000, 100) == Step({"seen_at_ms": 60_000, "expires_at_ms": 160_000}, "now")
