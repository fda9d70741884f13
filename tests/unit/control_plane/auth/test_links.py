import asyncio

from sqlalchemy import Engine, event, select

from control_plane.app import Parts
from control_plane.auth.links import PER_ADDRESS_MAX, PER_CLIENT_MAX, request
from control_plane.auth.principal import Principal
from control_plane.auth.tables import MagicLink, Membership, Organization, User
from control_plane.auth.tokens import digest
from control_plane.db.engine import EVERY_ORG
from control_plane.work import Work
from tests.support.control_plane import Browser, Clock, control_plane, still_parts
from tests.support.mail_server import link_token, mail_server


async def ask(plane, email: str = "ada@example.com"):
    return await plane.client.post("/v1/auth/links", json={"email": email})


async def ada(parts: Parts, clock: Clock) -> None:
    """Somebody who is known."""
    async with parts.database.writing(EVERY_ORG) as session:
        session.add(User(id="usr_1", email="ada@example.com", created_at_ms=clock()))
        session.info["now_ms"] = clock()
        session.add(Organization(id="org_1", name="Acme", created_at_ms=clock()))
        await session.flush()
        session.add(Membership(id="mem_1", org_id="org_1", user_id="usr_1", role="viewer", created_at_ms=clock()))


async def work_for(parts: Parts, clock: Clock, email: str) -> list[str]:
    """Every statement that is made for somebody who asks, with what is written."""
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    async with parts.database.writing(EVERY_ORG) as session:
        nobody = Principal("system", "test", "test", EVERY_ORG, "viewer")
        await request(Work(session, nobody, clock(), parts.keyring, parts.settings), email, "127.0.0.1")
    event.remove(Engine, "before_cursor_execute", note)
    return statements


async def test_c05_an_unknown_address_is_as_much_work_as_a_known_one(tmp_path):
    async with still_parts(f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path) as (parts, clock):
        await ada(parts, clock)
        unknown, known = [await work_for(parts, clock, f"{name}@example.com") for name in ("eve", "ada")]
        assert unknown == known
        assert [statement.split()[2] for statement in known if statement.startswith("INSERT")] == [
            "magic_links",
            "outgoing_mails",
        ]


async def test_c05_an_unknown_address_is_answered_and_written_like_a_known_one_and_mailed_nothing(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with mail_server() as there, control_plane(url, tmp_path, smtp_url=there.url) as plane:
        await plane.member(await plane.organization(), "ada@example.com", "viewer")
        unknown, known = await ask(plane, "eve@example.com"), await ask(plane)
        assert (unknown.status_code, unknown.content) == (known.status_code, known.content)
        assert set(unknown.headers) == set(known.headers)
        async with plane.parts.database.reading(EVERY_ORG) as session:
            assert len((await session.execute(select(MagicLink))).all()) == 2
        await there.mails(1)
        assert there.recipients == ["ada@example.com"]


async def test_an_address_gets_so_many_links_an_hour_known_or_not(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    for email in ("ada@example.com", "eve@example.com"):
        for _ in range(PER_ADDRESS_MAX):
            plane.clock.advance(60)
            assert (await ask(plane, email)).status_code == 202
        refused = await ask(plane, email.upper())
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_links")
        assert refused.headers["retry-after"] == str(3600 - 60 * (PER_ADDRESS_MAX - 1))
    plane.clock.advance(3600)
    assert (await ask(plane)).status_code == 202


async def test_one_client_asks_for_so_many_an_hour_whomever_they_are_for(plane):
    for number in range(PER_CLIENT_MAX):
        assert (await ask(plane, f"a{number}@example.com")).status_code == 202
    assert (await ask(plane, "b@example.com")).status_code == 429


async def test_many_who_ask_at_once_get_no_more(either_plane):
    answers = await asyncio.gather(*(ask(either_plane) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] * PER_ADDRESS_MAX + [429] * 15


async def test_c06_of_many_who_open_a_link_at_once_one_is_signed_in(either_plane):
    plane = either_plane
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    token = await plane.link("ada@example.com")
    answers = await asyncio.gather(*(Browser(plane).sign_in(token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 9


async def test_c06_a_link_ends_after_a_quarter_of_an_hour(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    early, late = await plane.link("ada@example.com"), await plane.link("ada@example.com")
    plane.clock.advance(899)
    assert (await Browser(plane).sign_in(early)).status_code == 201
    late = await plane.link("ada@example.com")
    plane.clock.advance(900)
    assert (await Browser(plane).sign_in(late)).status_code == 401


async def test_signing_in_spends_the_other_links_of_the_address(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    await plane.member(await plane.organization(), "bob@example.com", "viewer")
    first, second = await plane.link("ada@example.com"), await plane.link("ada@example.com")
    bobs = await plane.link("bob@example.com")
    assert (await Browser(plane).sign_in(second)).status_code == 201
    assert (await Browser(plane).sign_in(first)).status_code == 401
    assert (await Browser(plane).sign_in(bobs)).status_code == 201


async def test_a_link_of_somebody_who_is_no_member_any_more_signs_nobody_in(plane):
    answer = await Browser(plane).sign_in(await plane.link("gone@example.com"))
    assert (answer.status_code, answer.headers.get("set-cookie")) == (401, None)


async def test_neither_a_link_nor_its_mail_stands_readable_in_the_database(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with mail_server() as there, still_parts(url, tmp_path, smtp_url=there.url) as (parts, clock):
        await ada(parts, clock)
        async with parts.database.writing(EVERY_ORG) as session:
            nobody = Principal("system", "test", "test", EVERY_ORG, "viewer")
            await request(Work(session, nobody, clock(), parts.keyring, parts.settings), "ada@example.com", "127.0.0.1")
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        await parts.postman.deliver()
        [mail] = await there.mails(1)
        token = link_token(mail)
        assert digest(token).encode() in written
        assert token.encode() not in written


async def test_an_address_is_one_address(plane):
    for email in (
        "a@b.c, d@e.f",
        "a@b.c\r\nBcc: x@y.z",
        "a@b.c\n",
        "<a@b.c>",
        "a b@c.d",
        "a@",
        "@b",
        "a@b@c",
        "",
        "a" * 250 + "@b.cd",
    ):
        assert (await ask(plane, email)).status_code == 400, email
    assert (await ask(plane, "owner@localhost")).status_code == 202
