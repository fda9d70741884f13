import pytest

from control_plane.mail import ConsoleMailer, MailError, SmtpMailer, mailer
from control_plane.settings import Settings
from tests.support.certificates import Authority
from tests.support.mail_server import mail_server
from tests.support.processes import free_port

MAIL = ("ada@example.com", "Sign in", "Open http://x/#token=lml_1", "<p>Open <a href='http://x/'>it</a></p>")


@pytest.fixture
def server_tls(tmp_path, monkeypatch):
    """A server's context by an authority that this process trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    return authority.server("localhost")


async def test_a_mail_has_a_text_and_an_html_part():
    async with mail_server() as there:
        await SmtpMailer(there.url, "LensAI <lensai@example.com>").send(*MAIL)
    [mail] = there.received
    assert (mail["from"], mail["to"], mail["subject"]) == ("LensAI <lensai@example.com>", MAIL[0], MAIL[1])
    assert mail.get_body(("plain",)).get_content().strip() == MAIL[2]
    assert mail.get_body(("html",)).get_content().strip() == MAIL[3]
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["message-id"].endswith("@example.com>")
    assert there.recipients == [MAIL[0]]


async def test_starttls_is_used_before_the_password_is_shown(server_tls):
    async with mail_server(server_tls) as there:
        await SmtpMailer(f"smtp://user:p%40ss@localhost:{there.port}", "a@example.com").send(*MAIL)
    assert there.logins == [("user", "p@ss")]
    assert len(there.received) == 1


async def test_smtps_begins_with_tls(server_tls):
    async with mail_server(server_tls, implicit=True) as there:
        await SmtpMailer(f"smtps://user:p%40ss@localhost:{there.port}", "a@example.com").send(*MAIL)
    assert len(there.received) == 1


async def test_a_wrong_password_is_told_without_it(server_tls):
    async with mail_server(server_tls) as there:
        with pytest.raises(MailError, match="user or the password: 535") as fault:
            await SmtpMailer(f"smtp://user:wrong-one@localhost:{there.port}", "a@example.com").send(*MAIL)
    assert "wrong-one" not in str(fault.value)


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_of_nobody_known_stops_the_mail(server_tls, monkeypatch, implicit):
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(server_tls, implicit=implicit) as there:
        scheme = "smtps" if implicit else "smtp"
        with pytest.raises(MailError, match="CERTIFICATE_VERIFY_FAILED"):
            await SmtpMailer(f"{scheme}://localhost:{there.port}", "a@example.com").send(*MAIL)
    assert there.received == []


async def test_another_machine_without_tls_is_refused():
    async with mail_server() as there:
        # An address that is not the loopback's by its name, and leads to this machine.
        with pytest.raises(MailError, match="STARTTLS"):
            await SmtpMailer(f"smtp://0.0.0.0:{there.port}", "a@example.com").send(*MAIL)
    assert there.received == []


@pytest.mark.parametrize(("said", "permanent"), [("550 no such user", True), ("451 later", False)])
async def test_a_refused_address_says_whether_it_is_for_good(said, permanent):
    async with mail_server() as there:
        there.refusing = said
        with pytest.raises(MailError, match="refused the address") as fault:
            await SmtpMailer(there.url, "a@example.com").send(*MAIL)
    assert fault.value.permanent is permanent


async def test_a_server_that_is_not_there_is_a_mail_error():
    with pytest.raises(MailError, match="cannot be used: ConnectionRefusedError"):
        await SmtpMailer(f"smtp://127.0.0.1:{free_port()}", "a@example.com").send(*MAIL)


async def test_c11_a_header_cannot_be_added_by_an_address_or_a_subject():
    async with mail_server() as there:
        sender = SmtpMailer(there.url, "a@example.com")
        for to, subject in (("a@b.c\r\nBcc: x@y.z", "s"), ("a@b.c", "s\r\nBcc: x@y.z")):
            with pytest.raises(MailError, match="cannot stand") as fault:
                await sender.send(to, subject, "t", "h")
            assert fault.value.permanent
    assert there.received == []


async def test_the_terminal_gets_mails_only_where_no_server_is_set():
    written: list[str] = []
    await ConsoleMailer(written.append).send(*MAIL)
    assert MAIL[2] in written[0]
    assert isinstance(mailer(Settings()), ConsoleMailer)
    assert isinstance(mailer(Settings(smtp_url="smtp://localhost")), SmtpMailer)
