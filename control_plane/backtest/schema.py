"""Owns what the API says of a backtest."""

from typing import Annotated

import msgspec
from msgspec import Meta

from control_plane.api.text import Id, ModelName, Seconds, UpstreamNameOrAny
from gateway.contract.policy import Dimension, Unit, Window

# An amount of dollars as text, or a count.
Amount = str | int
Dollars = Annotated[
    str | int | float, Meta(description="US dollars with at most nine decimals, as text or number", examples=["100.00"])
]
_Rate = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$(?!\n)")]


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As a price override: either `rates` or a `multiplier` of the list price."""

    upstream: UpstreamNameOrAny
    model: ModelName
    rates: dict[Annotated[str, Meta(max_length=64)], _Rate] = {}
    multiplier: Annotated[str, Meta(pattern=r"^([0-9]{1,9}(\.[0-9]{1,12})?)?$(?!\n)")] = ""


class BacktestAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit as a quota states it, or null to see what was spent; the last 30 days, unless times are named.

    With `prices` costs are computed anew from what calls used, under these prices over those in force.
    """

    unit: Unit
    limit: Dollars | None
    window: Window = "month"
    project_id: Id | None = None
    scope: Annotated[
        dict[Dimension, str], Meta(max_length=10, description='Dimension -> value; "*" counts each value apart')
    ] = {}
    time_zone: Annotated[str, Meta(max_length=64, examples=["Europe/Berlin"])] = "UTC"
    ceiling_usd: Dollars | None = None
    values_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    prices: Annotated[list[Prices], Meta(max_length=200)] = []
    from_s: Seconds | None = None
    to_s: Seconds | None = None


class BacktestWindow(msgspec.Struct, frozen=True, kw_only=True):
    """`spent` is what was spent in fact; `let_through` what of it would have been under the limit."""

    name: str
    starts_at_s: int
    ends_at_s: int | None
    calls: int
    spent: Amount
    spent_usd: str | None
    let_through: Amount
    refused_calls: int
    refused: Amount
    refused_usd: str
    first_refused_at_ms: int | None
    users: int
    keys: int


class BacktestWho(msgspec.Struct, frozen=True):
    name: str
    refused_calls: int
    refused: Amount


class BacktestOut(msgspec.Struct, frozen=True, kw_only=True):
    """What would have been refused. `unbounded_calls` have no price and no ceiling; `unknown_calls` count as nothing;
    `refused_then` were refused in fact, and are in no other number. `windows` are the newest, and those of the most
    refusals, if there are `windows_more`.
    """

    unit: Unit
    limit: Amount | None
    from_s: int
    to_s: int
    calls: int
    spent: Amount
    refused_calls: int
    refused: Amount
    refused_usd: str
    first_refused_at_ms: int | None
    users: int
    keys: int
    unbounded_calls: int
    unknown_calls: int
    refused_then: int
    windows: list[BacktestWindow]
    windows_more: int
    by_user: list[BacktestWho]
    by_key: list[BacktestWho]
    by_counter: list[BacktestWho]
    assumptions: list[str]
