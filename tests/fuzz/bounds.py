"""Owns what is promised of any body: what it may use at most is known, or it is refused in words, whatever it holds."""

import msgspec

from gateway.bounds.asked import Asked, Body
from gateway.wire.jsontext import NotJson
from gateway.worst_case import READERS
from pricing.bound import Unbounded


def bodies(data: bytes) -> None:
    """Every reader of every API takes it, and asks for no less than nothing."""
    for reader in READERS.values():
        try:
            asked = reader(Body(data, "openai", "gpt-4o"))
        except (NotJson, msgspec.ValidationError, RecursionError):
            continue
        if isinstance(asked, Unbounded):
            assert asked.reason
            continue
        assert isinstance(asked, Asked)
        assert asked.cap is None or asked.cap > 0
        assert min(asked.answers, 1 + asked.tooling.uses, 1 + asked.parts.images) >= 1
        assert min(asked.more_in, asked.more_out, asked.parts.image_characters) >= 0
