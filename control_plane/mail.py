"""Owns sending one mail: over SMTP, or onto the terminal where no server is set. Knows neither queue nor retry."""

import asyncio
import smtplib
import ssl
import sys
from collections.abc import Callable
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from control_plane.settings import Settings

# Of each step of the conversation; servers that greet late to deter spammers take a few seconds.
STEP_TIMEOUT_S = 20
_PORTS = {"smtp": 587, "smtps": 465}
_PERMANENT = range(500, 600)


class MailError(Exception):
    """A mail that was not taken; the message names neither password nor content. `permanent`: nor will it ever be."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, to: str, subject: str, text: str, html: str) -> None:
        """Returns once a server has taken it. Raises MailError."""
        ...


def mailer(settings: Settings) -> Mailer:
    """Over SMTP where a server is set, and else onto the terminal, for development."""
    return SmtpMailer(settings.smtp_url, settings.mail_from) if settings.smtp_url else ConsoleMailer()


class ConsoleMailer:
    """Writes mails where the operator of a development machine reads them: links work, nothing leaves."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write

    async def send(self, to: str, subject: str, text: str, html: str) -> None:
        (self._write or sys.stderr.write)(f"\nMail to {to}: {subject}\n{text}\n\n")


class SmtpMailer:
    """`smtp://user:password@host:587` upgrades by STARTTLS, `smtps://` begins with TLS; certificates are verified.

    Only a server on this machine itself may be spoken to in plain text.
    """

    def __init__(self, url: str, sender: str) -> None:
        self._url, self._sender = urlsplit(url), sender

    async def send(self, to: str, subject: str, text: str, html: str) -> None:
        try:
            message = _message(self._sender, to, subject, text, html)
        except (ValueError, MessageError):
            raise MailError("the address or the subject cannot stand in a mail", permanent=True) from None
        try:
            await asyncio.to_thread(self._deliver, message, to)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise MailError(f"the mail server refused the address: {code}", permanent=code in _PERMANENT) from None
        except smtplib.SMTPAuthenticationError as error:
            raise MailError(f"the mail server refused the user or the password: {error.smtp_code}") from None
        except smtplib.SMTPResponseException as error:
            raise MailError(f"the mail server refused: {error.smtp_code}") from None
        except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
            raise MailError(f"the mail server cannot be used: {type(error).__name__}: {_reason(error)}") from None

    def _deliver(self, message: EmailMessage, to: str) -> None:
        """Blocks; on a thread of its own."""
        with self._connected() as server:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.send_message(message, parseaddr(self._sender)[1], [to])

    def _connected(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "localhost", self._url.port or _PORTS[self._url.scheme]
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=STEP_TIMEOUT_S, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=STEP_TIMEOUT_S)
        try:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            elif not _is_this_machine(self._url):
                raise smtplib.SMTPNotSupportedError("it offers no STARTTLS")  # noqa: TRY301
        except BaseException:
            server.close()
            raise
        return server


def _message(sender: str, to: str, subject: str, text: str, html: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2] or "localhost")
    # RFC 3834: no out-of-office answers to this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def _is_this_machine(url: SplitResult) -> bool:
    host = url.hostname or "localhost"
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "no reason given"
