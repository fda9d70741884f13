"""Owns alert rules and the messages they made: kept, tried out, sent again. Targets are sealed; a hint is shown."""

from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from control_plane.alerts import target as targets
from control_plane.alerts.schema import (
    AlertOut,
    AlertRuleCreate,
    AlertRuleEdit,
    AlertRuleMade,
    AlertRuleOut,
    Anomaly,
    Event,
    Named,
    SlackWebhookTarget,
    Target,
    Trial,
    WebhookTarget,
)
from control_plane.alerts.tables import Alert, AlertRule, State, Trigger
from control_plane.alerts.target import Stored, StoredWebhook
from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.money import nanousd, usd
from control_plane.api.problems import conflict, invalid
from control_plane.audit.service import record
from control_plane.db.ids import new_id
from control_plane.outgoing import TargetRefused, check_url
from control_plane.projects.tables import Project
from control_plane.work import Work

# Each event is held against all of an organization's rules.
RULES_MAX = 200


def listed(project_id: str | None) -> Select[AlertRule]:
    query = select(AlertRule)
    return query if project_id is None else query.where(AlertRule.project_id == project_id)


async def find(work: Work, rule_id: str, *, to_change: bool = False) -> AlertRule:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(AlertRule).where(AlertRule.id == rule_id)
    return await find_one(work.session, query, "alert rule", to_change=to_change)


async def create(work: Work, wanted: AlertRuleCreate) -> AlertRuleMade:
    """Raises Problem 400, and 409 where there are too many."""
    await _project_is_ours(work, wanted.project_id)
    if (await work.session.execute(select(func.count(AlertRule.id)))).scalar_one() >= RULES_MAX:
        raise conflict(f"There are {RULES_MAX} alert rules; delete one that is not needed")
    kept = _kept(work, wanted.target)
    rule = AlertRule(
        id=new_id("arl", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        name=wanted.name,
        trigger=wanted.trigger,
        thresholds=_thresholds(wanted.trigger, wanted.thresholds),
        settings=_settings(wanted.trigger, wanted.anomaly),
        enabled=wanted.enabled,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
    _aim(work, rule, kept)
    work.session.add(rule)
    await record(work, "alert_rule:create", f"alert_rule:{rule.id}", after=render(rule))
    return _made(rule, kept, wanted.target)


async def change(
    work: Work, rule_id: str, wanted: AlertRuleEdit, if_match: str | None
) -> tuple[AlertRule, AlertRuleMade]:
    """Raises Problem 400, 404, 412 where it was changed meanwhile."""
    rule = await find(work, rule_id, to_change=True)
    before = render(rule)
    edit(rule, if_match, work.now_ms)
    if wanted.name is not msgspec.UNSET:
        rule.name = wanted.name
    if wanted.enabled is not msgspec.UNSET:
        rule.enabled = wanted.enabled
    if wanted.thresholds is not msgspec.UNSET:
        rule.thresholds = _thresholds(rule.trigger, wanted.thresholds)
    if wanted.anomaly is not msgspec.UNSET:
        rule.settings = _settings(rule.trigger, wanted.anomaly)
    secret = _change_target(work, rule, wanted)
    await record(work, "alert_rule:update", f"alert_rule:{rule.id}", before=before, after=render(rule))
    return rule, AlertRuleMade(**msgspec.structs.asdict(render(rule)), signing_secret=secret)


async def remove(work: Work, rule_id: str, if_match: str | None) -> None:
    """Its messages go with it. Raises Problem 404, 412."""
    rule = await find(work, rule_id, to_change=True)
    before = render(rule)
    edit(rule, if_match, work.now_ms)
    await work.session.delete(rule)
    await record(work, "alert_rule:delete", f"alert_rule:{rule_id}", before=before)


def trial(work: Work, rule: AlertRule) -> tuple[Stored, Trial]:
    """Where a test of a rule goes, and what it says."""
    target = targets.open_target(work.keyring, rule.id, rule.sealed_target)
    return target, Trial(project=None, at_ms=work.now_ms, rule=Named(rule.id, rule.name))


def alerts(state: State | None, rule_id: str | None, project_id: str | None) -> Select[Alert]:
    query = select(Alert)
    for column, wanted in ((Alert.state, state), (Alert.rule_id, rule_id), (Alert.project_id, project_id)):
        query = query if wanted is None else query.where(column == wanted)
    return query


async def find_alert(work: Work, alert_id: str, *, to_change: bool = False) -> Alert:
    """Raises Problem 404."""
    return await find_one(work.session, select(Alert).where(Alert.id == alert_id), "alert", to_change=to_change)


async def send_again(work: Work, alert_id: str) -> Alert:
    """A message that was given up is due again, with all its attempts. Raises Problem 404, 409."""
    alert = await find_alert(work, alert_id, to_change=True)
    if alert.state != "dead":
        raise conflict(f"It is {alert.state}; only an alert that is dead is sent again")
    alert.state, alert.attempts, alert.due_at_ms = "due", 0, work.now_ms
    await record(work, "alert:retry", f"alert:{alert.id}")
    return alert


def render(rule: AlertRule) -> AlertRuleOut:
    return AlertRuleOut(
        id=rule.id,
        project_id=rule.project_id,
        name=rule.name,
        trigger=rule.trigger,
        thresholds=rule.thresholds,
        anomaly=_anomaly(rule),
        channel=rule.channel,
        target_hint=rule.target_hint,
        enabled=rule.enabled,
        created_at_ms=rule.created_at_ms,
    )


def render_alert(alert: Alert) -> AlertOut:
    return AlertOut(
        id=alert.id,
        rule_id=alert.rule_id,
        project_id=alert.project_id,
        channel=alert.channel,
        state=alert.state,
        event=msgspec.convert(alert.payload, Event),
        attempts=alert.attempts,
        due_at_ms=alert.due_at_ms,
        last_error=alert.last_error,
        created_at_ms=alert.created_at_ms,
        sent_at_ms=alert.sent_at_ms,
    )


def _change_target(work: Work, rule: AlertRule, wanted: AlertRuleEdit) -> str | None:
    """The new signing secret, if there is one to show."""
    secret = None
    if wanted.target is not msgspec.UNSET:
        kept = _kept(work, wanted.target)
        _aim(work, rule, kept)
        secret = _secret_to_show(kept, wanted.target)
    if wanted.rotate_secret:
        kept = targets.open_target(work.keyring, rule.id, rule.sealed_target)
        if not isinstance(kept, StoredWebhook):
            raise invalid("body/rotate_secret", "only a target of the channel webhook has a signing secret")
        kept = kept.rotated(work.now_ms, targets.new_secret())
        _aim(work, rule, kept)
        secret = kept.secret
    return secret


def _made(rule: AlertRule, kept: Stored, asked: Target) -> AlertRuleMade:
    return AlertRuleMade(**msgspec.structs.asdict(render(rule)), signing_secret=_secret_to_show(kept, asked))


def _secret_to_show(kept: Stored, asked: Target) -> str | None:
    """One that was made here; who brought one knows it."""
    made = isinstance(kept, StoredWebhook) and isinstance(asked, WebhookTarget) and asked.secret is None
    return kept.secret if made and isinstance(kept, StoredWebhook) else None


def _kept(work: Work, target: Target) -> Stored:
    if isinstance(target, WebhookTarget | SlackWebhookTarget):
        try:
            check_url(target.url, work.settings.private_targets)
        except TargetRefused as refused:
            raise invalid("body/target/url", str(refused)) from None
    return targets.stored(target)


def _aim(work: Work, rule: AlertRule, kept: Stored) -> None:
    rule.channel = kept.__struct_config__.tag  # type: ignore[assignment]
    rule.sealed_target, rule.target_hint = targets.seal(work.keyring, rule.id, kept), targets.hint(kept)


def _thresholds(trigger: Trigger, thresholds: list[int]) -> list[int]:
    if thresholds and trigger != "threshold":
        raise invalid("body/thresholds", "only a rule with the trigger threshold has them")
    return sorted(set(thresholds))


def _settings(trigger: Trigger, wanted: Anomaly | None) -> dict[str, Any]:
    if trigger != "anomaly":
        if wanted is not None:
            raise invalid("body/anomaly", "only a rule with the trigger anomaly has it")
        return {}
    chosen = wanted or Anomaly()
    return {"factor": chosen.factor, "floor_nanousd": nanousd(chosen.floor_usd, "body/anomaly/floor_usd")}


def _anomaly(rule: AlertRule) -> Anomaly | None:
    if rule.trigger != "anomaly":
        return None
    return Anomaly(rule.settings["factor"], usd(rule.settings["floor_nanousd"]))


async def _project_is_ours(work: Work, project_id: str | None) -> None:
    query = select(Project.id).where(Project.id == project_id)
    if project_id is not None and (await work.session.execute(query)).first() is None:
        raise invalid("body/project_id", "name a project of this organization, or leave it out for all of them")
