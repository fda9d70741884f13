"""Owns mails on their way: written in the transaction of what they are about, sent after it, tried until they are late.

A mail is sent again if a process dies between the server's word and the note of it: twice is better than never.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec
from sqlalchemy import delete, select, update

from control_plane.auth.letters import Letter
from control_plane.auth.tables import OutgoingMail
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.keyring import Keyring, KeyringError
from control_plane.mail import Mailer, MailError
from control_plane.work import Work

# What a session that posted something has in its `info`, for whoever wakes the postman after the commit.
POSTED = "posted_mail"
# How often mails are looked for that another process left, or that are due again.
LOOK_EVERY_S = 15
# Who took a mail to send it has so long before another process may: longer than all steps of SMTP together.
CLAIM_MS = 180_000
_RETRY_FIRST_MS, _RETRY_MAX_MS = 5_000, 600_000

_log = logging.getLogger("lensai.control_plane.mail")


def post(work: Work, letter: Letter, expires_at_ms: int) -> None:
    """Puts a mail on its way, once the transaction is committed; after `expires_at_ms` it is of no use."""
    id = new_id("eml", work.now_ms)
    sealed = work.keyring.seal(msgspec.json.encode(letter).decode(), _context(id))
    work.session.add(
        OutgoingMail(id=id, sealed=sealed, attempts=0, next_try_ms=work.now_ms, expires_at_ms=expires_at_ms)
    )
    work.session.info[POSTED] = True


class Postman:
    """Sends what was posted; one for a process, and any number of processes."""

    def __init__(self, database: Database, keyring: Keyring, mailer: Mailer, now_ms: Callable[[], int]) -> None:
        self._database, self._keyring, self._mailer, self._now_ms = database, keyring, mailer, now_ms
        self._posted = asyncio.Event()

    def wake(self) -> None:
        """Something was posted by this process."""
        self._posted.set()

    async def keep_delivering(self) -> None:
        """Until it is cancelled."""
        while True:
            self._posted.clear()
            try:
                await self.deliver()
            except Exception as error:
                _log.exception("mails_not_read", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._posted.wait()

    async def deliver(self) -> None:
        """Tries each mail that is due, once."""
        while (mail := await self._claim()) is not None:
            await self._try(mail)

    async def _claim(self) -> OutgoingMail | None:
        """The mail that waits longest; nobody else takes it meanwhile."""
        now_ms = self._now_ms()
        due = select(OutgoingMail).where(OutgoingMail.next_try_ms <= now_ms).order_by(OutgoingMail.next_try_ms).limit(1)
        async with self._database.reading(EVERY_ORG) as session:
            if (await session.execute(due)).first() is None:
                return None
        async with self._database.writing(EVERY_ORG) as session:
            mail = (await session.execute(due.with_for_update(skip_locked=True))).scalar_one_or_none()
            if mail is not None:
                mail.attempts += 1
                mail.next_try_ms = now_ms + CLAIM_MS
            return mail

    async def _try(self, mail: OutgoingMail) -> None:
        letter = self._opened(mail)
        if letter is None or not letter.to:
            await self._forget(mail)
            return
        try:
            await self._mailer.send(letter.to, letter.subject, letter.text, letter.html)
        except MailError as error:
            await self._failed(mail, error)
            return
        await self._forget(mail)

    def _opened(self, mail: OutgoingMail) -> Letter | None:
        """None: late, or nobody can read it any more."""
        if mail.expires_at_ms <= self._now_ms():
            _log.error("mail_given_up", extra={"mail": mail.id, "attempts": mail.attempts, "reason": "it is late"})
            return None
        try:
            return msgspec.json.decode(self._keyring.open(mail.sealed, _context(mail.id)), type=Letter)
        except KeyringError as error:
            _log.error("mail_given_up", extra={"mail": mail.id, "attempts": mail.attempts, "reason": str(error)})
            return None

    async def _failed(self, mail: OutgoingMail, error: MailError) -> None:
        noted = {"mail": mail.id, "attempts": mail.attempts, "reason": str(error)}
        if error.permanent:
            _log.error("mail_given_up", extra=noted)
            await self._forget(mail)
            return
        _log.warning("mail_not_sent", extra=noted)
        wait_ms = min(_RETRY_FIRST_MS << min(mail.attempts - 1, 16), _RETRY_MAX_MS)
        again = update(OutgoingMail).where(OutgoingMail.id == mail.id).values(next_try_ms=self._now_ms() + wait_ms)
        async with self._database.writing(EVERY_ORG) as session:
            await session.execute(again)

    async def _forget(self, mail: OutgoingMail) -> None:
        async with self._database.writing(EVERY_ORG) as session:
            await session.execute(delete(OutgoingMail).where(OutgoingMail.id == mail.id))


def _context(id: str) -> str:
    return f"outgoing_mails:{id}"
