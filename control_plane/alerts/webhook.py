"""Owns signed webhooks, by Standard Webhooks (https://www.standardwebhooks.com): body, headers, what answers mean.

The id is the alert's and stays the same however often it is sent: a receiver that has seen it drops it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from standardwebhooks.webhooks import Webhook

from control_plane.alerts.schema import Event, Outcome
from control_plane.alerts.target import StoredWebhook
from control_plane.outgoing import Answer, Outgoing, TargetFailed, TargetRefused

USER_AGENT = "lensai-alerts"
# The receiver says that it is not there any more, and is to be left alone.
_GONE = 410


class _Body(msgspec.Struct, frozen=True):
    """`timestamp` is when it happened, ISO 8601."""

    type: str
    timestamp: str
    data: Event


async def send_webhook(outgoing: Outgoing, target: StoredWebhook, event: Event, id: str, now_ms: int) -> Outcome:
    body = encode(event)
    headers = sign(target.secrets(now_ms), id, now_ms // 1000, body)
    return await post_json(outgoing, target.url, body, headers)


def encode(event: Event) -> bytes:
    """The same bytes for the same event."""
    happened = datetime.fromtimestamp(event.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(_Body(str(event.__struct_config__.tag), happened.replace("+00:00", "Z"), event))


def sign(secrets: Sequence[str], id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers; a signature for each secret, so that a receiver may know either."""
    at = datetime.fromtimestamp(at_s, UTC)
    signatures = (Webhook(secret).sign(id, at, body.decode()) for secret in secrets)
    return {"webhook-id": id, "webhook-timestamp": str(at_s), "webhook-signature": " ".join(signatures)}


async def post_json(outgoing: Outgoing, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    """Sends JSON to where a user said. Any 2xx is taken for delivered."""
    common = {"content-type": "application/json", "user-agent": USER_AGENT}
    try:
        answer = await outgoing.post(url, body, {**common, **headers})
    except TargetRefused as refused:
        return Outcome(False, str(refused), is_final=True)
    except TargetFailed as failed:
        return Outcome(False, str(failed))
    if 200 <= answer.status < 300:
        return Outcome(True)
    return Outcome(False, f"HTTP {answer.status}", _retry_after_s(answer), is_final=answer.status == _GONE)


def _retry_after_s(answer: Answer) -> float | None:
    """Of the two forms of RFC 9110 the one in seconds; the other is a date by the receiver's clock."""
    return read_seconds(answer.headers.get("retry-after", ""))


def read_seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
