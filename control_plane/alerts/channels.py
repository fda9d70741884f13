"""Owns the ways out: which channel sends to which target. Knows neither queue nor database."""

import asyncio
import logging
from dataclasses import dataclass

from control_plane.alerts.email import send_email
from control_plane.alerts.notice import describe
from control_plane.alerts.schema import EmailTarget, Event, Outcome, SlackTarget, SlackWebhookTarget
from control_plane.alerts.slack import send_slack, send_slack_webhook
from control_plane.alerts.target import Stored
from control_plane.alerts.webhook import send_webhook
from control_plane.mail import Mailer, mailer
from control_plane.outgoing import Outgoing
from control_plane.settings import Settings

# Of one attempt, on any channel: well within the lease of a claim (queue.py).
SEND_S = 45

_log = logging.getLogger("lensai.control_plane.alerts")


@dataclass(frozen=True, slots=True)
class Channels:
    """`public_url` is where buttons lead, without a slash at its end."""

    outgoing: Outgoing
    mailer: Mailer
    slack_api_url: str
    public_url: str

    async def send(self, target: Stored, event: Event, id: str, now_ms: int) -> Outcome:
        """One attempt; never raises. `id` is the same in every attempt."""
        try:
            async with asyncio.timeout(SEND_S):
                return await self._send(target, event, id, now_ms)
        except TimeoutError:
            return Outcome(False, f"no answer within {SEND_S} s")
        except Exception as error:
            # A mistake of ours in one message must not keep the others. Its text may hold the target.
            _log.error("alert_not_sent", extra={"alert": id, "error": type(error).__name__})
            return Outcome(False, f"it could not be sent ({type(error).__name__})")

    async def _send(self, target: Stored, event: Event, id: str, now_ms: int) -> Outcome:
        notice = describe(event, self.public_url)
        match target:
            case SlackTarget():
                return await send_slack(self.slack_api_url, target, notice, id)
            case SlackWebhookTarget():
                return await send_slack_webhook(self.outgoing, target, notice, id)
            case EmailTarget():
                return await send_email(self.mailer, target, notice, id)
            case _:
                return await send_webhook(self.outgoing, target, event, id, now_ms)


def channels(settings: Settings) -> Channels:
    return Channels(Outgoing(settings.private_targets), mailer(settings), settings.slack_api_url, settings.url)
