import uuid

import pytest

from control_plane.alerts.notice import describe
from control_plane.alerts.schema import Named, Outcome, SlackTarget, SlackWebhookTarget
from control_plane.alerts.slack import blocks, escape, fallback, message_id, send_slack, send_slack_webhook
from control_plane.outgoing import Outgoing
from tests.support.alert_stage import threshold
from tests.support.slack_server import CHANNEL, TOKEN, content_error, slack_server

NOTICE = describe(threshold(), "https://lens.test")


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


async def test_a_bot_posts_text_blocks_and_a_button(slack):
    assert await send_slack(slack.api_url, SlackTarget(TOKEN, CHANNEL), NOTICE, "alr_1") == Outcome(True)
    [message] = slack.messages
    assert message["text"] == fallback(NOTICE)
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds == ["header", "section", "section", "actions", "context"]
    assert message["blocks"][3]["elements"][0]["url"] == "https://lens.test/projects/prj_1"
    assert "gpt-5 $80.25" in message["blocks"][2]["text"]["text"]
    assert message["metadata"]["event_payload"] == {"id": "alr_1"}
    assert message["client_msg_id"] == message_id("alr_1")


async def test_an_incoming_webhook_is_sent_the_same(slack):
    target = SlackWebhookTarget(slack.webhook_url)
    assert await send_slack_webhook(Outgoing("allow"), target, NOTICE, "alr_1") == Outcome(True)
    assert slack.messages == [{"text": fallback(NOTICE), "blocks": blocks(NOTICE, "alr_1")}]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (SlackTarget("xoxb-canary-other-token", CHANNEL), "Slack: invalid_auth"),
        (SlackTarget(TOKEN, "C0ELSEWHERE"), "Slack: channel_not_found"),
    ],
)
async def test_what_only_a_person_can_mend_is_final(slack, target, reason):
    outcome = await send_slack(slack.api_url, target, NOTICE, "alr_1")
    assert outcome == Outcome(False, reason, None, is_final=True)


async def test_a_limit_of_calls_is_heeded(slack):
    slack.limit_next(30)
    slack.limit_next(40)
    bot = await send_slack(slack.api_url, SlackTarget(TOKEN, CHANNEL), NOTICE, "alr_1")
    hook = await send_slack_webhook(Outgoing("allow"), SlackWebhookTarget(slack.webhook_url), NOTICE, "alr_1")
    assert bot == Outcome(False, "Slack: ratelimited", 30.0)
    assert hook == Outcome(False, "HTTP 429", 40.0)


async def test_a_failing_slack_is_tried_again_and_its_words_are_not_repeated(slack):
    slack.failures += [(500, {}, b"<html>canary</html>"), (503, {}, b'{"ok":false,"error":"canary words"}')]
    for _ in range(2):
        outcome = await send_slack(slack.api_url, SlackTarget(TOKEN, CHANNEL), NOTICE, "alr_1")
        assert (outcome.delivered, outcome.is_final) == (False, False)
        assert "canary" not in outcome.reason
    away = await send_slack("http://127.0.0.1:1/api/", SlackTarget(TOKEN, CHANNEL), NOTICE, "alr_1")
    assert away == Outcome(False, "Slack was not reached (URLError)")


async def test_a_webhook_whose_channel_is_gone_is_final(slack):
    gone = SlackWebhookTarget(slack.webhook_url + "/gone")
    assert (await send_slack_webhook(Outgoing("allow"), gone, NOTICE, "alr_1")).is_final
    slack.failures.append((500, {}, b""))
    hook = SlackWebhookTarget(slack.webhook_url)
    assert not (await send_slack_webhook(Outgoing("allow"), hook, NOTICE, "alr_1")).is_final


@pytest.mark.parametrize("name", ["<!channel> & <https://evil.test|click>", "x" * 5000, "&" * 5000, "*b* `c` @here"])
def test_whatever_a_project_is_called_the_message_stays_within_slacks_limits(name):
    event = threshold(project=Named("prj_1", name), limited=Named("bud_1", name), dimensions={"user": name})
    notice = describe(event, "https://lens.test")
    assert content_error({"text": fallback(notice), "blocks": blocks(notice, "alr_1")}) == ""
    assert "<" not in fallback(notice)


def test_a_notice_without_models_has_no_section_for_them():
    assert [block["type"] for block in blocks(NOTICE._replace(models=""), "alr_1")].count("section") == 1


def test_three_characters_are_escaped_after_the_cut():
    assert escape("a<b>&c") == "a&lt;b&gt;&amp;c"
    assert escape("&&&&", 3) == "&amp;&amp;…"


def test_a_message_has_the_same_uuid_every_time():
    assert message_id("alr_1") == message_id("alr_1") != message_id("alr_2")
    assert uuid.UUID(message_id("alr_1"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": "a", "blocks": [{"type": "section"}]},
        {"text": "a", "blocks": [{"type": "unknown"}]},
        {"text": "a", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "a"}}]},
        {"text": "a", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "a" * 151}}]},
        {"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}]},
        {"text": "a", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "a"}] * 11}]},
        {"text": "a", "blocks": [{"type": "actions", "elements": []}]},
        {"text": "a", "blocks": [{"type": "divider"}] * 51},
    ],
)
def test_the_slack_of_these_tests_refuses_what_slack_refuses(wrong):
    assert content_error(wrong)
