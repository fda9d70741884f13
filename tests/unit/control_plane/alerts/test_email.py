from control_plane.alerts.email import html, send_email, subject, text
from control_plane.alerts.notice import describe
from control_plane.alerts.schema import EmailTarget, Named, Outcome
from control_plane.mail import SmtpMailer
from tests.support.alert_stage import threshold
from tests.support.mail_server import mail_server

NOTICE = describe(threshold(), "https://lens.test")
TARGET = EmailTarget("finance@example.com")


async def test_a_notice_arrives_over_smtp_as_text_and_html():
    async with mail_server() as there:
        outcome = await send_email(SmtpMailer(there.url, "lensai@example.com"), TARGET, NOTICE, "alr_1")
        assert outcome == Outcome(True)
    [mail] = there.received
    assert mail["subject"] == "[LensAI] Budget at 90 %: Shop"
    plain = mail.get_body(("plain",)).get_content()
    assert "Spent: $90.50" in plain
    assert "Top models: gpt-5 $80.25" in plain
    assert "https://lens.test/projects/prj_1" in plain
    assert "alr_1" in plain


async def test_an_address_that_is_refused_for_good_is_final():
    async with mail_server() as there:
        mailer = SmtpMailer(there.url, "lensai@example.com")
        there.refusing = "550 no such user"
        refused = await send_email(mailer, TARGET, NOTICE, "alr_1")
        there.refusing = "451 later"
        later = await send_email(mailer, TARGET, NOTICE, "alr_1")
    assert (refused.is_final, later.is_final, later.delivered) == (True, False, False)
    assert "finance" not in refused.reason + later.reason


def test_names_cannot_write_headers_or_markup():
    notice = describe(threshold(project=Named("prj_1", "a\r\nBcc: b\n<script>")), "https://lens.test")
    assert "\n" not in subject(notice)
    assert "\r" not in subject(notice)
    assert "<script>" not in html(notice, "alr_1")
    assert len(subject(describe(threshold(project=Named("p", "x" * 500)), "https://l"))) == 150
    assert text(notice._replace(models=""), "alr_1").count("Top models") == 0
