"""Owns what a message says, alike on every channel: title, facts, models, and where to look. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from control_plane.alerts.schema import (
    BudgetThreshold,
    Event,
    KillSwitchReleased,
    KillSwitchThrown,
    ModelCost,
    Named,
    SpendAnomaly,
    Trial,
)

EVERY_PROJECT = "All projects"
UNKNOWN = "unknown"
# Models that a message lists.
TOP_MODELS = 3


class Notice(NamedTuple):
    """`models` is one line; empty where the event has none to name. Names in here are as people wrote them: escape."""

    title: str
    facts: tuple[tuple[str, str], ...]
    models: str
    url: str

    @property
    def summary(self) -> str:
        """All in one line, for notifications and plain text."""
        return f"{self.title} — " + ", ".join(f"{label}: {value}" for label, value in self.facts)


def describe(event: Event, public_url: str) -> Notice:
    """The message of an event; `public_url` has no slash at its end."""
    title, facts = _DESCRIBERS[type(event)](event)
    path = f"/projects/{event.project.id}" if event.project else "/"
    return Notice(title, (("Project", _name(event.project, EVERY_PROJECT)), *facts), _models(event), public_url + path)


def _threshold(event: BudgetThreshold) -> tuple[str, tuple[tuple[str, str], ...]]:
    what = "Budget" if event.unit == "usd" else "Quota"
    return f"{what} at {event.threshold} %", (
        (what, _name(event.limited, event.limited.id)),
        ("Spent" if event.unit == "usd" else "Used", _amount(event.spent, event.unit)),
        ("Limit", _amount(event.limit, event.unit)),
        ("Percent", f"{event.percent} %"),
        ("Window", _window(event)),
        *((dimension.capitalize(), value) for dimension, value in event.dimensions.items()),
    )


def _anomaly(event: SpendAnomaly) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "Unusual spend", (
        ("This hour", f"${event.spent_usd}"),
        ("Usual", f"${event.usual_usd} an hour, mean of {event.compared_hours} hours"),
        ("Alerts at", f"{event.factor:g} times the usual"),
        ("Window", f"{_time(event.starts_at_s)} to {_time(event.ends_at_s)}"),
    )


def _thrown(event: KillSwitchThrown) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "Kill switch thrown", (*_scope(event.scope), ("Reason", event.reason or UNKNOWN), ("By", event.by))


def _released(event: KillSwitchReleased) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "Kill switch released", (*_scope(event.scope), ("Reason", event.reason or UNKNOWN), ("By", event.by))


def _trial(event: Trial) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "Test message", (("Rule", event.rule.name), ("Meaning", "Nothing happened: somebody tried this rule"))


_DESCRIBERS: Mapping[type[Event], Callable[[Any], tuple[str, tuple[tuple[str, str], ...]]]] = {
    BudgetThreshold: _threshold,
    SpendAnomaly: _anomaly,
    KillSwitchThrown: _thrown,
    KillSwitchReleased: _released,
    Trial: _trial,
}


def _models(event: Event) -> str:
    if not isinstance(event, BudgetThreshold | SpendAnomaly):
        return ""
    since = "" if event.models_since_s is None else f"since {_time(event.models_since_s)}: "
    return UNKNOWN if event.top_models is None else since + _listed(event.top_models)


def _listed(models: list[ModelCost]) -> str:
    return ", ".join(f"{one.model or UNKNOWN} ${one.cost_usd}" for one in models) or "none"


def _scope(scope: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((dimension.capitalize(), value) for dimension, value in scope.items())


def _name(named: Named | None, otherwise: str) -> str:
    return (named.name or named.id) if named else otherwise


def _amount(amount: str, unit: str) -> str:
    return f"${amount}" if unit == "usd" else f"{amount} {unit}"


def _window(event: BudgetThreshold) -> str:
    if event.window == "total":
        return event.window
    return f"{event.window}, {_time(event.starts_at_s)} to {_time(event.ends_at_s)}"


def _time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
