"""Owns what the API says of alerts: rules, targets, what happened, and what became of a message."""

from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.alerts.tables import Channel, State, Trigger
from control_plane.api.text import Name
from gateway.contract.policy import Unit, Window

Url = Annotated[str, Meta(min_length=1, max_length=2048, examples=["https://example.com/hooks/lensai"])]
# Standard Webhooks: 24 to 64 random bytes in base64.
SigningSecret = Annotated[
    str,
    Meta(
        pattern=r"^whsec_(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$(?!\n)",
        description="`whsec_` and 24 to 64 bytes in base64",
    ),
]
Thresholds = Annotated[
    list[Annotated[int, Meta(ge=1, le=1000)]],
    Meta(max_length=20, description="Percent, of those that the budget has; [] is all of them", examples=[[90, 100]]),
]


class _Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="channel"):
    """Where messages go. Its repr names no part of it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class SlackTarget(_Secret, frozen=True, tag="slack"):
    """A bot of a Slack workspace (scope `chat:write`), in a channel that it was invited to."""

    token: Annotated[str, Meta(pattern=r"^xox[A-Za-z0-9.-]{8,300}$(?!\n)", description="A bot token, `xoxb-…`")]
    channel_id: Annotated[
        str, Meta(pattern=r"^(?:[CDGU][A-Z0-9]{2,20}|#[^\s#]{1,80})$(?!\n)", examples=["C0123456789"])
    ]


class SlackWebhookTarget(_Secret, frozen=True, tag="slack_webhook"):
    """An incoming webhook of Slack, or of what speaks like it."""

    url: Annotated[Url, Meta(examples=["https://hooks.slack.com/services/T…/B…/…"])]


class EmailTarget(_Secret, frozen=True, tag="email"):
    address: Annotated[str, Meta(max_length=254, pattern=r"^[^\s@<>,;:\"()]{1,64}@[^\s@<>,;:\"()]{1,189}$(?!\n)")]


class WebhookTarget(_Secret, frozen=True, tag="webhook"):
    """A receiver of signed messages (Standard Webhooks). Without a secret one is made, and shown once."""

    url: Url
    secret: SigningSecret | None = None


Target = SlackTarget | SlackWebhookTarget | EmailTarget | WebhookTarget


class Anomaly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an hour's spend is unusual: so many times what is usual, and no less than the floor."""

    factor: Annotated[float, Meta(ge=1.1, le=1000)] = 3.0
    floor_usd: str | int | float = "1.00"


class AlertRuleCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`thresholds` belong to the trigger `threshold`, `anomaly` to `anomaly`. Without a project: of every project."""

    name: Name
    trigger: Trigger
    target: Target
    project_id: str | None = None
    thresholds: Thresholds = []
    anomaly: Anomaly | None = None
    enabled: bool = True


class AlertRuleEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. `rotate_secret`: a webhook gets a new one, and the old one signs for a day more."""

    name: Name | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    anomaly: Anomaly | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    rotate_secret: bool = False


class AlertRuleOut(msgspec.Struct, frozen=True):
    """A rule. `target_hint` is all that is shown of its target."""

    id: str
    project_id: str | None
    name: str
    trigger: Trigger
    thresholds: list[int]
    anomaly: Anomaly | None
    channel: Channel
    target_hint: str
    enabled: bool
    created_at_ms: int


class AlertRuleMade(AlertRuleOut, frozen=True):
    """`signing_secret`: of a webhook, shown now and never again."""

    signing_secret: str | None = None


class Named(msgspec.Struct, frozen=True):
    id: str
    name: str


class ModelCost(msgspec.Struct, frozen=True):
    model: str
    cost_usd: str


class _Event(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Something that happened, as it was then. No project: of the whole organization."""

    project: Named | None
    at_ms: int


class BudgetThreshold(_Event, frozen=True, tag="budget.threshold", kw_only=True):
    """`spent` and `limit` are dollars where the unit is usd, else counts. `top_models` null: unknown."""

    limited: Named  # the budget or the quota
    unit: Unit
    spent: str
    limit: str
    percent: int
    threshold: int
    window: Window
    starts_at_s: int
    ends_at_s: int
    dimensions: dict[str, str] = {}
    top_models: list[ModelCost] | None = None
    models_since_s: int | None = None  # what they are of, where it is not the whole window


class SpendAnomaly(_Event, frozen=True, tag="spend.anomaly", kw_only=True):
    """An hour that costs more than usual; `usual_usd` is the mean of the hours it was compared with."""

    spent_usd: str
    usual_usd: str
    compared_hours: int
    factor: float
    starts_at_s: int
    ends_at_s: int
    top_models: list[ModelCost] | None = None
    models_since_s: int | None = None  # what they are of, where it is not the whole window


class KillSwitchThrown(_Event, frozen=True, tag="kill_switch.thrown", kw_only=True):
    kill_switch_id: str
    reason: str
    by: str
    scope: dict[str, str] = {}


class KillSwitchReleased(_Event, frozen=True, tag="kill_switch.released", kw_only=True):
    kill_switch_id: str
    reason: str
    by: str
    scope: dict[str, str] = {}


class Trial(_Event, frozen=True, tag="test", kw_only=True):
    """Nothing happened: somebody tries whether a rule's messages arrive."""

    rule: Named


Event = BudgetThreshold | SpendAnomaly | KillSwitchThrown | KillSwitchReleased | Trial


class Outcome(NamedTuple):
    """What became of one attempt. `reason` says what went wrong and names no secret; `is_final`: trying is no use."""

    delivered: bool
    reason: str = ""
    retry_after_s: float | None = None
    is_final: bool = False


class TrialOut(msgspec.Struct, frozen=True):
    """Whether the target took the message, and if not, why."""

    delivered: bool
    reason: str


class AlertOut(msgspec.Struct, frozen=True):
    """A message to one target. `due_at_ms`: when it is tried next; `last_error` is of the last attempt."""

    id: str
    rule_id: str
    project_id: str | None
    channel: Channel
    state: State
    event: Event
    attempts: int
    due_at_ms: int
    last_error: str
    created_at_ms: int
    sent_at_ms: int | None
