"""Owns what is promised of any policy: it is refused for stated problems, or it is whole and may be served."""

import contextlib
from pathlib import Path

import msgspec

from gateway import policy_rules
from gateway.contract.policy import decode_policy, encode_policy
from gateway.policy import PolicyView
from gateway.policy_toml import PolicyError, compile_policy

_NOWHERE = Path("/nonexistent")


def toml(data: bytes) -> None:
    """A text is a policy that obeys every rule, or an error that says where it does not."""
    text = data.decode("utf-8", "replace")
    if "file" in text:
        return  # a policy may name a file with a secret, and no file of this machine is to be read
    try:
        policy = compile_policy(text, {"OPENAI_API_KEY": "sk-1"}, source="fuzz", directory=_NOWHERE)
    except PolicyError as fault:
        if not fault.problems:
            raise
        return
    assert list(policy_rules.problems(policy)) == []
    PolicyView(policy)
    assert decode_policy(encode_policy(policy)) == policy


def msgpack(data: bytes) -> None:
    """Kept bytes are a policy that can be judged, or are said to be none."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        policy = decode_policy(data)
        if not list(policy_rules.problems(policy)):
            PolicyView(policy)
        assert decode_policy(encode_policy(policy)) == policy
