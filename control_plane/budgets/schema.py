"""Owns what the API says of budgets, quotas, their overrides and how they stand."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.api.text import Id
from gateway.contract.policy import Action, Dimension, Unit, Window

# A grace of a month; who needs longer raises the limit.
MINUTES_MAX = 31 * 24 * 60
THRESHOLDS_MAX = 20
THRESHOLDS_DEFAULT = (50, 80, 90, 100)
VALUES_DEFAULT = 10_000

# An amount of dollars as text, or a count.
Amount = str | int

Dollars = Annotated[
    str | int | float, Meta(description="US dollars with at most nine decimals, as text or number", examples=["100.00"])
]
# To be shown in a list: one line.
NameOrNone = Annotated[
    str,
    Meta(
        max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)", description="Up to 100 characters", examples=["Checkout"]
    ),
]
Reason = Annotated[
    str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)", description="Up to 500 characters of one line")
]
Thresholds = Annotated[
    list[int],
    Meta(max_length=THRESHOLDS_MAX, description="Per cent of the limit that signal, rising", examples=[[90, 100]]),
]
Scope = Annotated[
    dict[Dimension, str],
    Meta(
        description='What it is of, further: dimension -> value; "*" counts each value apart. Not `org`, not `project`',
        examples=[{"model": "gpt-4o-mini"}],
    ),
]
TimeZone = Annotated[
    str, Meta(max_length=64, description="Whose calendar the window is of", examples=["Europe/Berlin"])
]
Minutes = Annotated[int, Meta(ge=1, le=MINUTES_MAX, description="From now on", examples=[60])]


class BudgetCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `project_id` it is of the whole organization."""

    limit_usd: Dollars
    project_id: Id | None = None
    period: Window = "month"
    hard_stop: Annotated[bool, Meta(description="Refuses calls at the limit; false only tells")] = True
    thresholds: Thresholds = msgspec.field(default_factory=lambda: list(THRESHOLDS_DEFAULT))
    scope: Scope = {}
    time_zone: TimeZone = "UTC"
    ceiling_usd: Annotated[
        Dollars | None, Meta(description="Held for a call whose cost has no bound; null refuses such calls")
    ] = None
    name: NameOrNone = ""


class BudgetEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is. Another period counts from zero, and so does what is newly counted apart.

    A scope that names other values goes on with what was counted.
    """

    limit_usd: Dollars | UnsetType = UNSET
    period: Window | UnsetType = UNSET
    hard_stop: bool | UnsetType = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    ceiling_usd: Dollars | UnsetType | None = UNSET
    name: NameOrNone | UnsetType = UNSET


class BudgetOut(msgspec.Struct, frozen=True):
    """A budget. `project_id` null: of the whole organization."""

    id: str
    project_id: str | None
    name: str
    limit_usd: str
    period: Window
    hard_stop: bool
    thresholds: list[int]
    scope: dict[str, str]
    time_zone: str
    ceiling_usd: str | None
    created_at_ms: int


class QuotaCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`limit` is dollars where the unit is usd, else a whole number; null counts and refuses nothing.

    Without `window` it is a month, for calls at a time `total`. Without `thresholds` a window of a day or more signals
    at 50, 80, 90 and 100 per cent, a shorter one never.
    """

    unit: Unit
    limit: Dollars | None
    project_id: Id | None = None
    window: Window | None = None
    action: Action = "block"
    thresholds: Thresholds | None = None
    scope: Scope = {}
    time_zone: TimeZone = "UTC"
    values_max: Annotated[int, Meta(description="Values that are counted apart in one window")] = VALUES_DEFAULT
    ceiling_usd: Dollars | None = None
    answers_429: Annotated[bool, Meta(description="Refuses with 429 instead of 402")] = False
    name: NameOrNone = ""


class QuotaEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is. Another window counts from zero, and so does what is newly counted apart.

    A scope that names other values goes on with what was counted.
    """

    limit: Dollars | UnsetType | None = UNSET
    window: Window | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    values_max: int | UnsetType = UNSET
    ceiling_usd: Dollars | UnsetType | None = UNSET
    answers_429: bool | UnsetType = UNSET
    name: NameOrNone | UnsetType = UNSET


class QuotaOut(msgspec.Struct, frozen=True):
    """A quota. `limit` is dollars as text where the unit is usd, else a count."""

    id: str
    project_id: str | None
    name: str
    unit: Unit
    limit: Amount | None
    window: Window
    action: Action
    thresholds: list[int]
    scope: dict[str, str]
    time_zone: str
    values_max: int
    ceiling_usd: str | None
    answers_429: bool
    created_at_ms: int


class BudgetGrace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `limit_usd` nothing is refused meanwhile."""

    minutes: Minutes
    limit_usd: Dollars | None = None
    reason: Reason = ""


class QuotaGrace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `limit` nothing is refused meanwhile."""

    minutes: Minutes
    limit: Dollars | None = None
    reason: Reason = ""


class OverrideOut(msgspec.Struct, frozen=True):
    """Grace in force. `limit` null: nothing is refused until then."""

    id: str
    limit: Amount | None
    until_s: int
    reason: str
    created_by: str
    created_at_ms: int


class WindowOut(msgspec.Struct, frozen=True):
    """The window of now; `ends_at_s` null: it never ends."""

    name: str
    starts_at_s: int
    ends_at_s: int | None


class CrossedOut(msgspec.Struct, frozen=True):
    """A threshold that was crossed in this window; `values` are those of the counter, where each has its own."""

    percent: int
    values: dict[str, str]
    settled: Amount
    limit: Amount
    fired_at_ms: int


class CounterOut(msgspec.Struct, frozen=True):
    """One counter. `left` null: nothing is refused."""

    values: dict[str, str]
    spent: Amount
    held: Amount
    left: Amount | None
    percent: float | None


class PaceOut(msgspec.Struct, frozen=True):
    """If it goes on so: what a day takes, what the window comes to, when the limit is reached.

    `at_end` null: the window never ends. `exhausted_at_s` null: not in this window.
    """

    since_ms: int
    per_day: Amount
    at_end: Amount | None
    exhausted_at_s: int | None


class Forecast(msgspec.Struct, frozen=True):
    """Straight on from two measures of the pace; null where there is nothing to tell it from."""

    over_window: PaceOut | None = None
    recent: PaceOut | None = None


class NodeOut(msgspec.Struct, frozen=True):
    node: str
    seen_at_ms: int


class StatusOut(msgspec.Struct, frozen=True):
    """How a budget or quota stands in the window of now, as the gateways reported it.

    `spent` is what calls that have ended were charged, `held` the most that calls under way may still cost; null where
    no gateway has reported since the window began. `percent` is of the limit itself, `left` is to the limit in force.
    Where the scope holds "*" each counter has the limit for itself, so left, percent and forecast are of each.
    """

    id: str
    unit: Unit
    limit: Amount | None
    limit_in_force: Amount | None
    window: WindowOut
    spent: Amount | None
    held: Amount | None
    left: Amount | None
    percent: float | None
    override: OverrideOut | None
    crossed: list[CrossedOut]
    counters: list[CounterOut]
    counters_more: int
    counted: Literal["shared", "per_node", "both"] | None
    as_of_ms: int | None
    nodes: list[NodeOut]
    forecast: Forecast


class StandingOut(msgspec.Struct, frozen=True):
    """What a list shows of how a budget or quota stands; the words mean what they mean in its status."""

    id: str
    limit_in_force: Amount | None
    spent: Amount | None
    held: Amount | None
    percent: float | None
    overridden: bool


class PastCrossingOut(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that was crossed in some window; `values` are those of the counter, where each has its own."""

    percent: int
    values: dict[str, str]
    settled: Amount
    limit: Amount
    window_starts_at_s: int
    fired_at_ms: int


class PastOverrideOut(msgspec.Struct, frozen=True, kw_only=True):
    """Grace that was given. `limit` null: nothing was refused. `ended_at_ms` null: nobody ended it before its time."""

    id: str
    limit: Amount | None
    until_s: int
    reason: str
    created_by: str
    created_at_ms: int
    ended_at_ms: int | None


class HistoryOut(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of each come first. What windows came to is a backtest without a limit."""

    crossed: list[PastCrossingOut]
    overrides: list[PastOverrideOut]
