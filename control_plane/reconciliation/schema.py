"""Owns what the API says of reconciliation: imports, the comparison, savings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from control_plane.api.text import Id, ModelName
from control_plane.reconciliation.compare import Compared, Verdict
from control_plane.reconciliation.names import Found
from control_plane.reconciliation.sources import SourceName

# An amount of dollars as text, or a count.
Amount = str | int
Day = Annotated[
    str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$(?!\n)", description="A UTC day, included", examples=["2026-11-24"])
]


class Fetch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`credential_id`: of that provider, with an admin key; it is sent to the provider alone."""

    source: Literal["openai_usage", "openai_costs", "anthropic_usage", "anthropic_costs"]
    credential_id: Id
    from_day: Day
    to_day: Day


class ImportOut(msgspec.Struct, frozen=True, kw_only=True):
    """An export that was taken. `cost_usd` null: it says no cost in dollars."""

    id: str
    source: str
    from_day: str
    to_day: str
    line_count: int
    cost_usd: str | None
    sha256: str
    origin: str
    taken_at_ms: int
    created_by: str
    created_at_ms: int


class MappingCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`billed` is the name on the bill, in whichever case; `model` one that calls went to."""

    provider: Literal["openai", "azure", "anthropic", "bedrock"]
    billed: ModelName
    model: ModelName


class MappingOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a name on a provider's bill means."""

    id: str
    provider: str
    billed: str
    model: str
    created_by: str
    created_at_ms: int


class RowOut(msgspec.Struct, frozen=True, kw_only=True):
    """`delta` is theirs less ours. `error`: how far ours may be off; null where nobody can tell.

    `model` is "*" where the provider bills something of no one model: the day's costs are compared as a whole.
    `billed`: the names on the bill that are in it, each of which a mapping can give another model.
    """

    day: str
    provider: str
    model: str
    compared: Compared
    ours: Amount | None
    theirs: Amount | None
    delta: Amount | None
    error: Amount | None
    verdict: Verdict
    calls: int
    named: Found
    billed: list[str]


class TotalOut(msgspec.Struct, frozen=True):
    """Sums of the rows that both sides have."""

    provider: str
    compared: Compared
    ours: Amount
    theirs: Amount
    delta: Amount
    error: Amount | None


class CoverOut(msgspec.Struct, frozen=True):
    """Which days of a source there are, and up to which one they grow no more."""

    source: SourceName
    from_day: str
    to_day: str
    days: int
    complete_to_day: str | None


class ReportOut(msgspec.Struct, frozen=True):
    """`unsupported`: providers whose accounts cannot be imported. `currencies`: of costs that are in no dollars."""

    from_day: str
    to_day: str
    rows: list[RowOut]
    totals: list[TotalOut]
    verdicts: dict[str, int]
    covered: list[CoverOut]
    unsupported: list[str]
    currencies: list[str]


class CachingOut(msgspec.Struct, frozen=True, kw_only=True):
    """Cache reads at the price of input, less what they and the writes cost more or less. Null: no price is known."""

    provider: str
    model: str
    cache_read_tokens: int
    cache_write_tokens: int
    saved_usd: str | None


class RoutingOut(msgspec.Struct, frozen=True, kw_only=True):
    """The usage at the price of the model that was asked for, less the same at the price of the one that answered."""

    provider: str
    model_requested: str
    model: str
    calls: int
    saved_usd: str | None


class BlockedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Refused calls at the average cost of the calls of the same model that were let through. Null: there were none."""

    refusal_code: str
    provider: str
    model_requested: str
    calls: int
    average_usd: str | None
    saved_usd: str | None


class SavingsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Sums leave out what is null. `assumptions`: what each number rests on."""

    from_day: str
    to_day: str
    spent_usd: str
    provider_spent_usd: dict[str, str]
    provider_cache_read_tokens: dict[str, int]
    caching_usd: str
    routing_usd: str
    blocked_usd: str
    caching: list[CachingOut]
    routing: list[RoutingOut]
    blocked: list[BlockedOut]
    assumptions: list[str]
