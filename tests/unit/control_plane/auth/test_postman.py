import pytest
from sqlalchemy import select

from control_plane.app import Parts
from control_plane.auth.letters import Letter
from control_plane.auth.postman import CLAIM_MS, Postman, post
from control_plane.auth.principal import Principal
from control_plane.auth.tables import OutgoingMail
from control_plane.db.engine import EVERY_ORG
from control_plane.mail import ConsoleMailer, SmtpMailer
from control_plane.work import Work
from tests.support.control_plane import Clock, ring, still_parts
from tests.support.mail_server import mail_server
from tests.support.processes import free_port

LETTER = Letter("ada@example.com", "Hello", "text", "<p>html</p>")
NOBODY = Principal("system", "test", "test", EVERY_ORG, "owner")


@pytest.fixture
async def desk(database_url, tmp_path):
    async with still_parts(database_url, tmp_path) as (parts, clock):
        yield Desk(parts, clock)


class Desk:
    """Posts mails, and makes postmen who deliver when they are told to."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self.parts, self.clock = parts, clock

    async def post(self, letter: Letter = LETTER, valid_s: int = 900, *, fails: bool = False) -> None:
        async with self.parts.database.writing(EVERY_ORG) as session:
            work = Work(session, NOBODY, self.clock(), self.parts.keyring, self.parts.settings)
            post(work, letter, self.clock() + valid_s * 1000)
            if fails:
                await session.rollback()

    def postman(self, url: str) -> Postman:
        return Postman(self.parts.database, self.parts.keyring, SmtpMailer(url, "l@example.com"), self.clock)

    async def waiting(self) -> list[OutgoingMail]:
        async with self.parts.database.reading(EVERY_ORG) as session:
            return list((await session.execute(select(OutgoingMail))).scalars())


async def test_a_mail_is_sent_once_and_forgotten(desk):
    await desk.post()
    async with mail_server() as there:
        await desk.postman(there.url).deliver()
        await desk.postman(there.url).deliver()
    assert [mail["subject"] for mail in there.received] == ["Hello"]
    assert await desk.waiting() == []


async def test_a_transaction_that_fails_sends_nothing(desk):
    await desk.post(fails=True)
    assert await desk.waiting() == []


async def test_a_server_that_is_away_is_tried_again_later_and_later(desk):
    port = free_port()
    away = desk.postman(f"smtp://127.0.0.1:{port}")
    await desk.post()
    waits = []
    for _ in range(4):
        await away.deliver()
        [mail] = await desk.waiting()
        waits.append((mail.next_try_ms - desk.clock()) // 1000)
        desk.clock.advance(waits[-1])
    assert waits == [5, 10, 20, 40]
    async with mail_server(port=port) as there:
        await away.deliver()
    assert len(there.received) == 1
    assert await desk.waiting() == []


async def test_a_mail_that_is_late_is_given_up(desk, caplog):
    postman = desk.postman(f"smtp://127.0.0.1:{free_port()}")
    await desk.post(valid_s=60)
    await postman.deliver()
    desk.clock.advance(60)
    await postman.deliver()
    assert await desk.waiting() == []
    assert "mail_given_up" in caplog.text


async def test_an_address_that_is_refused_for_good_is_not_tried_again(desk, caplog):
    await desk.post()
    async with mail_server() as there:
        there.refusing = "550 no such user"
        await desk.postman(there.url).deliver()
    assert await desk.waiting() == []
    assert "mail_given_up" in caplog.text
    [said] = [record for record in caplog.records if record.name == "lensai.control_plane.mail"]
    assert "ada@example.com" not in str(vars(said))


async def test_a_process_that_died_while_it_sent_leaves_the_mail_to_another(desk):
    await desk.post()
    async with mail_server() as there:
        dying, other = desk.postman(there.url), desk.postman(there.url)
        assert await dying._claim() is not None
        await other.deliver()
        assert there.received == []
        desk.clock.advance(CLAIM_MS / 1000)
        await other.deliver()
        assert len(there.received) == 1


async def test_a_mail_to_nobody_is_forgotten_unsent(desk):
    await desk.post(replace_to(""))
    written: list[str] = []
    postman = Postman(desk.parts.database, desk.parts.keyring, ConsoleMailer(written.append), desk.clock)
    await postman.deliver()
    assert (written, await desk.waiting()) == ([], [])


async def test_a_mail_of_a_key_that_is_gone_is_given_up(desk, caplog):
    await desk.post()
    written: list[str] = []
    postman = Postman(desk.parts.database, ring("another"), ConsoleMailer(written.append), desk.clock)
    await postman.deliver()
    assert (written, await desk.waiting()) == ([], [])
    assert "mail_given_up" in caplog.text


def replace_to(to: str) -> Letter:
    return Letter(to, LETTER.subject, LETTER.text, LETTER.html)
