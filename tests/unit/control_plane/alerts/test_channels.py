import asyncio

import pytest

from control_plane.alerts import channels as module
from control_plane.alerts.channels import Channels, channels
from control_plane.alerts.schema import EmailTarget, Outcome, SlackTarget, SlackWebhookTarget
from control_plane.alerts.target import StoredWebhook, new_secret
from control_plane.clock import now_ms
from control_plane.mail import ConsoleMailer, MailError
from control_plane.outgoing import Outgoing
from control_plane.settings import Settings
from tests.support.alert_stage import threshold
from tests.support.slack_server import CHANNEL, TOKEN, slack_server
from tests.support.webhook_receiver import webhook_receiver

MAIL = EmailTarget("finance@example.com")


class Mails:
    """Keeps mails, or fails, or waits for ever."""

    def __init__(self, fault: Exception | None = None, *, waits: bool = False) -> None:
        self.subjects: list[str] = []
        self._fault, self._waits = fault, waits

    async def send(self, to: str, subject: str, text: str, html: str) -> None:
        if self._waits:
            await asyncio.Event().wait()
        if self._fault:
            raise self._fault
        self.subjects.append(subject)


def ways_out(mails: Mails, slack_api_url: str = "") -> Channels:
    return Channels(Outgoing("allow"), mails, slack_api_url, "https://lens.test")


async def test_each_target_is_sent_to_by_its_channel():
    mails = Mails()
    with slack_server() as slack, webhook_receiver() as receiver:
        receiver.secret = new_secret()
        targets = (
            SlackTarget(TOKEN, CHANNEL),
            SlackWebhookTarget(slack.webhook_url),
            MAIL,
            StoredWebhook(receiver.url, receiver.secret),
        )
        for target in targets:
            assert await ways_out(mails, slack.api_url).send(target, threshold(), "alr_1", now_ms()) == Outcome(True)
    assert (len(slack.messages), len(mails.subjects), len(receiver.received)) == (2, 1, 1)


async def test_a_mail_that_is_refused_says_why():
    mails = Mails(MailError("the mail server refused the address: 550", permanent=True))
    outcome = await ways_out(mails).send(MAIL, threshold(), "alr_1", 0)
    assert outcome == Outcome(False, "the mail server refused the address: 550", is_final=True)


async def test_a_mistake_of_ours_is_a_failed_attempt_and_names_no_target(caplog):
    outcome = await ways_out(Mails(RuntimeError("canary finance@example.com"))).send(MAIL, threshold(), "alr_1", 0)
    assert outcome == Outcome(False, "it could not be sent (RuntimeError)")
    assert "alert_not_sent" in caplog.text
    assert "canary" not in caplog.text


async def test_an_attempt_ends_with_its_time(monkeypatch):
    monkeypatch.setattr(module, "SEND_S", 0.01)
    outcome = await ways_out(Mails(waits=True)).send(MAIL, threshold(), "alr_1", 0)
    assert outcome == Outcome(False, "no answer within 0.01 s")


@pytest.mark.parametrize("private", ["refuse", "allow"])
def test_the_settings_say_where_buttons_lead_and_what_may_be_reached(private):
    chosen = channels(Settings(public_url="https://lens.test/", private_targets=private))
    assert (chosen.public_url, chosen.outgoing.private) == ("https://lens.test", private)
    assert chosen.slack_api_url == "https://slack.com/api/"
    assert isinstance(chosen.mailer, ConsoleMailer)
