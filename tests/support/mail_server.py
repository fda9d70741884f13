"""Owns a mail server for tests: aiosmtpd on a free port, which keeps what it is sent and refuses what it is told to."""

import asyncio
import contextlib
import email
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


class MailServer:
    """`received` are mails in order; `refusing` is what it answers to every recipient instead."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self.refusing = ""
        self._arrived = asyncio.Event()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def mails(self, count: int) -> list[EmailMessage]:
        """All that came, once there are so many."""
        async with asyncio.timeout(10):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refusing:
            return self.refusing
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.recipients.extend(envelope.rcpt_tos)
        self.received.append(email.message_from_bytes(envelope.content, EmailMessage, policy=default))
        self._arrived.set()
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"p@ss", handled=False)


@contextlib.asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, port: int = 0
) -> AsyncIterator[MailServer]:
    """With `tls` it offers STARTTLS and takes logins after it; `implicit` begins with TLS instead."""
    there = MailServer()
    options: dict[str, Any] = {"hostname": "mail.test", "authenticator": there.authenticate}
    if tls is not None and not implicit:
        options["tls_context"] = tls
    if implicit:
        options["auth_require_tls"] = False
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(there, loop=loop, **options), "127.0.0.1", port, ssl=tls if implicit else None
    )
    there.port = listening.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        listening.close()
        await listening.wait_closed()


def link_token(mail: EmailMessage) -> str:
    """The token of the link that a mail's text has."""
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return text.partition("#token=")[2].split()[0]
