"""Owns Reading: what a meter made of one answer, and About: what it was told beside the bytes. Knows no price."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from pricing.usage import Usage

Provenance = Literal["reported", "partial", "estimated", "held", "deferred", "unknown", "none"]


class About(NamedTuple):
    """What is known of an answer beside its bytes."""

    provider: str
    headers: Mapping[bytes, bytes] = {}  # of the answer, by lower-case name: those of wire.headers.METERED_HEADERS
    request: bytes = b""  # the request's body, content-decoded; b"" where there was none


class Line(msgspec.Struct, frozen=True, gc=False):
    """Usage to be priced as one model's. `model` None: the model the whole answer came from.

    `each_in`: it is the sum of many calls, of so many input tokens each, by which long-context rates are chosen.
    """

    usage: Usage
    model: str | None = None
    each_in: int | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the answer said of itself. No lines: it named no usage; that is unknown, not zero.

    Unless its provenance is "none": it tells of work of which nothing was done.

    `work_id` names work that more than one call can tell of (a background response, a batch): its usage is charged
    once, to the first call that tells it. Such an answer with no usage yet has the provenance "deferred".
    """

    lines: tuple[Line, ...] = ()
    provenance: Provenance = "unknown"
    model: str | None = None  # as the response names it
    service_tier: str | None = None  # as the response names it
    context: tuple[tuple[str, str], ...] = ()  # other price modifiers the response states: ("speed", "fast")
    response_id: str | None = None
    work_id: str | None = None
    flags: tuple[str, ...] = ()  # "usage_inconsistent", "provider_error" …
