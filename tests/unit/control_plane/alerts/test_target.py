import base64

import pytest

from control_plane.alerts.schema import EmailTarget, SlackTarget, SlackWebhookTarget, WebhookTarget
from control_plane.alerts.target import OVERLAP_MS, StoredWebhook, hint, new_secret, open_target, seal, stored
from control_plane.keyring import KeyringError
from tests.support.control_plane import ring

TARGETS = [
    SlackTarget("xoxb-canary-token", "C012345"),
    SlackWebhookTarget("https://hooks.slack.com/services/canary"),
    EmailTarget("canary-ada@example.com"),
    WebhookTarget("https://example.com/canary?key=canary", "whsec_" + "canary00" * 6),
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_comes_back_from_its_seal_for_its_rule_alone(target):
    kept = stored(target)
    sealed = seal(ring("k1"), "arl_1", kept)
    assert "canary" not in sealed
    assert open_target(ring("k1"), "arl_1", sealed) == kept
    with pytest.raises(KeyringError):
        open_target(ring("k1"), "arl_2", sealed)


@pytest.mark.parametrize("target", TARGETS)
def test_neither_a_hint_nor_a_repr_says_enough_to_use_a_target(target):
    kept = stored(target)
    assert "canary" not in hint(kept)
    assert "canary" not in repr(kept)
    assert "canary" not in repr(target)


def test_hints_are_enough_to_recognise_a_target():
    assert [hint(stored(target)) for target in TARGETS] == [
        "C012345", "hooks.slack.com/…", "c…@example.com", "example.com/…",
    ]  # fmt: skip


def test_a_webhook_without_a_secret_gets_one_of_32_bytes():
    kept = stored(WebhookTarget("https://example.com/"))
    assert isinstance(kept, StoredWebhook)
    assert len(base64.b64decode(kept.secret.removeprefix("whsec_"))) == 32
    assert new_secret(bytes) == "whsec_" + "A" * 43 + "="


def test_after_a_rotation_both_secrets_sign_for_a_day():
    kept = StoredWebhook("https://example.com/", "old").rotated(1000, "new")
    assert kept.secrets(1000) == ("new", "old")
    assert kept.secrets(1000 + OVERLAP_MS - 1) == ("new", "old")
    assert kept.secrets(1000 + OVERLAP_MS) == ("new",)
    assert kept.rotated(2000, "newer").secrets(2000) == ("newer", "new")
