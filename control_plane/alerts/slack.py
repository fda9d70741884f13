"""Owns messages to Slack: Block Kit within Slack's limits, and what Slack's answers mean.

By `chat.postMessage` of a bot, or by an incoming webhook. Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

import asyncio
import re
import uuid
from typing import Any

import msgspec
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from control_plane.alerts.notice import Notice
from control_plane.alerts.schema import Outcome, SlackTarget, SlackWebhookTarget
from control_plane.alerts.webhook import post_json, read_seconds
from control_plane.outgoing import Outgoing

# Of one call; Slack answers within a second or it is in trouble.
TIMEOUT_S = 10
# Slack allows 2,000 characters in a field and ten fields in a section; escaping may make five of one character.
_VALUE_CHARS_MAX = 300
_FIELDS_MAX = 10
_TEXT_CHARS_MAX = 3000
_CODE = re.compile(r"[a-z_]{1,64}")
# Errors that stay until a person does something: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_FINAL = frozenset(
    {
        "account_inactive", "channel_not_found", "invalid_auth", "invalid_blocks", "is_archived", "missing_scope",
        "msg_too_long", "no_permission", "not_authed", "not_in_channel", "restricted_action", "token_expired",
        "token_revoked",
    }
)  # fmt: skip
# What an incoming webhook answers where its workspace or channel is gone.
_WEBHOOK_GONE = frozenset({400, 403, 404, 410})


async def send_slack(api_url: str, target: SlackTarget, notice: Notice, id: str) -> Outcome:
    """By the bot's token. Slack's client blocks, so it does so on a thread."""
    client = WebClient(token=target.token, base_url=api_url, timeout=TIMEOUT_S, retry_handlers=[])
    try:
        await asyncio.to_thread(_post, client, target.channel_id, notice, id)
    except SlackApiError as error:
        return _refused(error)
    except (SlackClientError, OSError, ValueError) as error:
        return Outcome(False, f"Slack was not reached ({type(error).__name__})")
    return Outcome(True)


async def send_slack_webhook(outgoing: Outgoing, target: SlackWebhookTarget, notice: Notice, id: str) -> Outcome:
    body = msgspec.json.encode({"text": fallback(notice), "blocks": blocks(notice, id)})
    outcome = await post_json(outgoing, target.url, body, {})
    gone = outcome.reason.removeprefix("HTTP ") in {str(status) for status in _WEBHOOK_GONE}
    return outcome._replace(is_final=outcome.is_final or gone)


def blocks(notice: Notice, id: str) -> list[dict[str, Any]]:
    """Title, facts, models, a button, and the id by which a repetition is known."""
    fields = [_mrkdwn(f"*{escape(label)}*\n{escape(value)}") for label, value in notice.facts[:_FIELDS_MAX]]
    shown: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": notice.title}},
        {"type": "section", "fields": fields},
    ]
    if notice.models:
        shown.append({"type": "section", "text": _mrkdwn(f"*Top models*\n{escape(notice.models)}")})
    button = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Open in LensAI"},
        "url": notice.url,
        "action_id": "open",
    }
    shown.append({"type": "actions", "elements": [button]})
    shown.append({"type": "context", "elements": [_mrkdwn(f"`{id}`")]})
    return shown


def fallback(notice: Notice) -> str:
    """What notifications and screen readers say. Slack reads entities and links in it too."""
    return escape(notice.summary, _TEXT_CHARS_MAX // 5)


def escape(text: str, chars_max: int = _VALUE_CHARS_MAX) -> str:
    """As Slack wants it: three characters, https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    cut = text if len(text) <= chars_max else text[: chars_max - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message_id(id: str) -> str:
    """The UUID of an alert's message, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lensai:{id}"))


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: names do not become links and mentions.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _post(client: Any, channel: str, notice: Notice, id: str) -> None:
    client.chat_postMessage(
        channel=channel,
        text=fallback(notice),
        blocks=blocks(notice, id),
        unfurl_links=False,
        unfurl_media=False,
        metadata={"event_type": "lensai_alert", "event_payload": {"id": id}},
        client_msg_id=message_id(id),
    )


def _refused(error: SlackApiError) -> Outcome:
    # What came may be a page of a proxy: only what looks like one of Slack's codes is repeated.
    answer: Any = error.response
    status, headers = int(answer.status_code), {name.lower(): str(value) for name, value in answer.headers.items()}
    code = str(answer.get("error"))
    reason = f"Slack: {code}" if _CODE.fullmatch(code) else f"Slack: HTTP {status}"
    return Outcome(False, reason, read_seconds(headers.get("retry-after", "")), is_final=code in _FINAL)
