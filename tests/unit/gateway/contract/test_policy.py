"""A Policy is one value that travels whole, and shows no secret on its way."""

import msgspec
import pytest

from gateway.contract.policy import (
    Credential,
    Key,
    Policy,
    PriceOverride,
    Project,
    Upstream,
    decode_policy,
    encode_policy,
)

POLICY = Policy(
    version=7,
    source="lensai.toml",
    projects=(Project("shop", "The shop"),),
    keys=(Key("key-1", "shop", "ab" * 32, models=("gpt-5-mini",), expires_at_s=1_800_000_000),),
    upstreams=(
        Upstream("openai", "openai", "https://api.openai.com", credential_id="openai", models={"fast": "gpt-5"}),
    ),
    credentials=(Credential("openai", "sk-very-secret"),),
    price_overrides=(PriceOverride("openai", "*", multiplier="0.85"),),
)


def test_a_policy_travels_and_comes_back_equal():
    assert decode_policy(encode_policy(POLICY)) == POLICY


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_no_secret_is_shown(show):
    assert "very-secret" not in show(POLICY)
    assert "openai" in show(POLICY.credentials[0])


def test_a_policy_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        POLICY.version = 8


def test_a_field_this_version_does_not_know_is_refused_and_not_ignored():
    wire = msgspec.msgpack.decode(encode_policy(POLICY))
    wire["keys"][0]["spend_limit"] = 5
    with pytest.raises(msgspec.ValidationError, match="spend_limit"):
        decode_policy(msgspec.msgpack.encode(wire))
