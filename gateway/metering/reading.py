"""Owns Reading: what a meter made of one answer. Knows no provider and no price."""

from typing import Literal

import msgspec

from pricing.usage import Usage

Provenance = Literal["reported", "partial", "estimated", "held", "unknown", "none"]


class Line(msgspec.Struct, frozen=True, gc=False):
    """Usage to be priced as one model's. `model` None: the model the whole answer came from."""

    usage: Usage
    model: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the answer said of itself. No lines: it named no usage; that is unknown, not zero."""

    lines: tuple[Line, ...] = ()
    provenance: Provenance = "unknown"
    model: str | None = None  # as the response names it
    service_tier: str | None = None  # as the response names it
    context: tuple[tuple[str, str], ...] = ()  # other price modifiers the response states: ("speed", "fast")
    response_id: str | None = None
    flags: tuple[str, ...] = ()  # "usage_inconsistent", "provider_error" …
