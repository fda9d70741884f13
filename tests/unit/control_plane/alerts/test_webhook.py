import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from control_plane.alerts.target import StoredWebhook, new_secret
from control_plane.alerts.webhook import encode, read_seconds, send_webhook, sign
from control_plane.clock import now_ms
from control_plane.outgoing import Outgoing
from tests.support.alert_stage import threshold
from tests.support.webhook_receiver import webhook_receiver


async def test_a_message_is_believed_by_the_library_of_standard_webhooks():
    with webhook_receiver() as receiver:
        target = StoredWebhook(receiver.url, new_secret())
        receiver.secret = target.secret
        outcome = await send_webhook(Outgoing("allow"), target, threshold(), "alr_1", now_ms())
    assert outcome.delivered
    [(id, message)] = receiver.received
    assert id == "alr_1"
    assert message["type"] == "budget.threshold"
    assert message["timestamp"] == "2026-09-21T00:00:00.250Z"
    assert message["data"]["spent"] == "90.50"
    assert message["data"]["top_models"][0] == {"model": "gpt-5", "cost_usd": "80.25"}


async def test_during_a_rotation_a_receiver_with_either_secret_believes():
    target = StoredWebhook("", new_secret()).rotated(now_ms(), new_secret())
    body = encode(threshold())
    headers = sign(target.secrets(now_ms()), "alr_1", now_ms() // 1000, body)
    for secret in (target.secret, target.previous):
        Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


async def test_c14_what_was_changed_or_is_old_is_not_believed():
    secret, body = new_secret(), encode(threshold())
    headers = sign((secret,), "alr_1", now_ms() // 1000, body)
    for changed in ({"webhook-id": "alr_2"}, {"webhook-timestamp": str(now_ms() // 1000 + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**headers, **changed})
    old = sign((secret,), "alr_1", now_ms() // 1000 - 3600, body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, old)


def test_the_same_event_has_the_same_bytes():
    assert encode(threshold()) == encode(threshold())
    assert msgspec.json.decode(encode(threshold()))["data"]["type"] == "budget.threshold"


@pytest.mark.parametrize(
    ("status", "headers", "retry_after_s", "is_final"),
    [(500, {}, None, False), (503, {"Retry-After": "7"}, 7.0, False), (404, {}, None, False), (410, {}, None, True)],
)
async def test_answers_that_are_no_success_are_judged(status, headers, retry_after_s, is_final):
    with webhook_receiver() as receiver:
        receiver.secret = new_secret()
        receiver.answers.append((status, headers))
        target = StoredWebhook(receiver.url, receiver.secret)
        outcome = await send_webhook(Outgoing("allow"), target, threshold(), "alr_1", now_ms())
    assert outcome == (False, f"HTTP {status}", retry_after_s, is_final)


async def test_a_redirect_or_a_private_address_is_final_and_an_unreachable_one_is_not():
    with webhook_receiver() as receiver:
        receiver.secret = new_secret()
        receiver.answers.append((302, {"Location": receiver.url}))
        target = StoredWebhook(receiver.url, receiver.secret)
        redirected = await send_webhook(Outgoing("allow"), target, threshold(), "alr_1", now_ms())
        refused = await send_webhook(Outgoing("refuse"), target, threshold(), "alr_1", now_ms())
        assert len(receiver.received) == 1
    gone = await send_webhook(Outgoing("allow"), target, threshold(), "alr_1", now_ms())
    assert [outcome.is_final for outcome in (redirected, refused, gone)] == [True, True, False]
    assert "canary" not in " ".join(outcome.reason for outcome in (redirected, refused, gone))


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0", 0.0), ("", None), ("-1", None), ("Wed, 21 Oct", None), ("9" * 30, None)]
)
def test_seconds_are_read_and_nothing_else(text, seconds):
    assert read_seconds(text) == seconds
