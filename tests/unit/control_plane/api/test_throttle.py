from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from control_plane.api import throttle
from control_plane.api.throttle import Counts, ThrottleMiddleware
from control_plane.auth.tables import GatewayToken
from control_plane.db.engine import EVERY_ORG
from tests.support.control_plane import ControlPlane, control_plane, served_plane

LIMIT = 5


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(
        f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path, requests_per_minute=LIMIT
    ) as plane:
        yield plane


def throttled(plane: ControlPlane) -> ThrottleMiddleware:
    return plane.parts.throttle


async def statuses(plane: ControlPlane, *secrets: str, path: str = "/v1/projects", **headers: str) -> list[int]:
    return [
        (await plane.client.get(path, headers={"authorization": f"Bearer {secret}", **headers})).status_code
        for secret in secrets
    ]


def invented(count: int) -> list[str]:
    return [f"lst_{number}" for number in range(count)]


async def test_c01_invented_tokens_count_together_for_their_address(plane):
    assert await statuses(plane, *invented(LIMIT + 2)) == [401] * LIMIT + [429] * 2
    cookies = [
        await plane.client.get("/v1/session", headers={"cookie": f"lensai_session=lss_{number}"}) for number in range(2)
    ]
    assert [answer.status_code for answer in cookies] == [429, 429]
    assert (await plane.client.post("/v1/auth/links", json={"email": "ada@example.com"})).status_code == 429
    plane.clock.advance(60)
    assert await statuses(plane, "lst_x") == [401]


async def test_a_flood_reaches_no_database_and_takes_no_memory(plane, monkeypatch):
    monkeypatch.setattr(throttle, "ADDRESSES_MAX", 10)
    await statuses(plane, *invented(200))
    assert len(throttled(plane).counts) == 1
    assert throttled(plane).known == {}
    await plane.parts.database.close()
    assert await statuses(plane, "lst_of-nobody") == [429]


async def test_who_is_somebody_counts_for_themselves_whatever_their_address_does(plane):
    headers = await plane.token(await plane.organization())
    good = headers["authorization"].removeprefix("Bearer ")
    assert await statuses(plane, good) == [200]
    assert await statuses(plane, *invented(LIMIT + 1)) == [401] * LIMIT + [429]
    assert await statuses(plane, *[good] * LIMIT) == [200] * (LIMIT - 1) + [429]


async def test_one_person_has_one_count_in_all_their_browsers(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "owner")
    first, second = await plane.browser("ada@example.com"), await plane.browser("ada@example.com")
    plane.clock.advance(60)
    for browser in (first, second):
        await browser.request("GET", "/v1/session")
    plane.clock.advance(60)
    found = [(await browser.request("GET", "/v1/session")).status_code for browser in (first, second) * LIMIT]
    assert found == [200] * LIMIT + [429] * LIMIT


async def test_a_token_that_was_revoked_is_nobodys_and_still_counts(plane):
    headers = await plane.token(await plane.organization())
    listed = await plane.client.get("/v1/tokens", headers=headers)
    await plane.client.delete(f"/v1/tokens/{listed.json()['items'][0]['id']}", headers=headers)
    plane.clock.advance(60)
    good = headers["authorization"].removeprefix("Bearer ")
    assert await statuses(plane, *[good] * (LIMIT + 1)) == [401] * LIMIT + [429]


async def test_a_wrong_token_beside_a_good_cookie_counts_for_its_address(plane):
    await plane.member(await plane.organization(), "ada@example.com", "owner")
    browser = await plane.browser("ada@example.com")
    plane.clock.advance(60)
    await browser.request("GET", "/v1/session")
    assert await statuses(plane, *invented(LIMIT + 1), cookie=browser.cookie) == [401] * LIMIT + [429]


async def test_gateways_are_not_counted_and_those_who_only_say_they_are_one_are(plane):
    gateway = await plane.gateway()
    good = gateway["authorization"].removeprefix("Bearer ")
    path = "/v1/gateway/policy?since=0&nonce=nonce-of-these-tests"
    await statuses(plane, *invented(LIMIT + 1))
    node = {"x-lensai-node": "n"}
    assert await statuses(plane, *[good] * LIMIT * 3, path=path, **node) == [200] * LIMIT * 3
    assert await statuses(plane, *invented(LIMIT + 1), path=path, **node) == [401] * LIMIT + [429]
    assert await statuses(plane, good, path=path, **node) == [200]


async def test_a_gateways_token_is_uncounted_on_its_routes_and_while_it_is_good(plane):
    gateway = await plane.gateway()
    good, node = gateway["authorization"].removeprefix("Bearer "), {"x-lensai-node": "n"}
    path = "/v1/gateway/policy?since=0&nonce=nonce-of-these-tests"
    assert await statuses(plane, good, path=path, **node) == [200]
    assert await statuses(plane, *[good] * (LIMIT + 1)) == [401] * LIMIT + [429]
    links = await plane.client.post("/v1/auth/links", json={"email": "ada@example.com"}, headers=gateway)
    assert links.status_code == 429
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(GatewayToken).values(revoked_at_ms=plane.clock()))
    assert await statuses(plane, *[good] * (LIMIT + 2), path=path, **node) == [401] * (LIMIT + 1) + [429]


async def test_an_address_is_told_by_trusted_proxies_alone(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    for proxies, told in (("127.0.0.1", [401, 401, 401]), ("", [401, 429, 429])):
        async with served_plane(url, tmp_path, requests_per_minute=1, trusted_proxies=proxies) as plane:
            found = [
                (await plane.client.get("/v1/projects", headers={"x-forwarded-for": f"6.6.6.6, 9.9.9.{number}"}))
                for number in range(3)
            ]
            assert [answer.status_code for answer in found] == told
            again = await plane.client.get("/v1/projects", headers={"x-forwarded-for": "5.5.5.5, 9.9.9.1"})
            assert again.status_code == 429


def test_seconds_until_there_is_room_are_told():
    counts = Counts(1)
    assert [counts.take("a:1.1.1.1", 60_000), counts.take("a:1.1.1.1", 60_001), counts.take("a:2.2.2.2", 60_001)] == [
        0, 60, 0,
    ]  # fmt: skip
    assert counts.take("a:1.1.1.1", 119_999) == 1
    assert counts.take("a:1.1.1.1", 120_000) == 0


def test_more_addresses_than_anybody_serves_count_together(monkeypatch):
    monkeypatch.setattr(throttle, "ADDRESSES_MAX", 3)
    counts = Counts(2)
    assert [counts.take(f"a:{number}", 0) for number in range(6)] == [0, 0, 0, 0, 0, 60]
    assert len(counts) == 4
    assert counts.take("user:ada", 0) == 0
    counts.give_back("a:9")
    assert counts.take("a:9", 0) == 0


def test_secrets_that_are_known_are_bounded(monkeypatch):
    monkeypatch.setattr(throttle, "KNOWN_MAX", 2)
    middleware = ThrottleMiddleware(1, lambda: 0)
    for number in range(4):
        middleware._learn({"state": {"gateway": object()}}, str(number), "a:")  # type: ignore[arg-type]
    assert list(middleware.known) == ["2", "3"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("unix", "unix", True),
    ],
)
def test_an_address_is_a_subscribers(one, other, same):
    assert (throttle._subscriber(one) == throttle._subscriber(other)) is same
