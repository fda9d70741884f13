"""Owns the routes of alerts: rules, the messages they made, and trying a rule out."""

from dataclasses import replace
from typing import Annotated, Any

from litestar import Controller, Response, delete, get, patch, post
from litestar.datastructures import State as AppState
from litestar.params import FromPath, JSONBody, QueryParameter

from control_plane.alerts import service
from control_plane.alerts.channels import channels
from control_plane.alerts.schema import AlertOut, AlertRuleCreate, AlertRuleEdit, AlertRuleMade, AlertRuleOut, TrialOut
from control_plane.alerts.tables import Alert, AlertRule, State
from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.audit.service import record
from control_plane.db.ids import new_id
from control_plane.work import Work

OfProject = Annotated[str | None, QueryParameter(name="project_id", description="Of one project alone")]
OfRule = Annotated[str | None, QueryParameter(name="rule_id", description="Of one rule alone")]
InState = Annotated[State | None, QueryParameter(name="state", description="`dead`: those that were given up")]


class AlertRules(Controller):
    path = "/alert-rules"
    tags = ("Alerts",)

    @get(needs="alerts:read", summary="List alert rules")
    async def list_rules(
        self, work: InWork, project_id: OfProject = None, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[AlertRuleOut]:
        return await page(work.session, service.listed(project_id), AlertRule.id, cursor, limit, service.render)

    @post(needs="alerts:write", summary="Create an alert rule; a webhook's signing secret is shown once")
    async def create_rule(self, work: InWork, data: JSONBody[AlertRuleCreate]) -> Response[AlertRuleMade]:
        made = await service.create(work, data)
        return Response(made, headers=etag(await service.find(work, made.id)))

    @get("/{rule_id:str}", needs="alerts:read", summary="One alert rule")
    async def get_rule(self, work: InWork, rule_id: FromPath[str]) -> Response[AlertRuleOut]:
        rule = await service.find(work, rule_id)
        return Response(service.render(rule), headers=etag(rule))

    @patch("/{rule_id:str}", needs="alerts:write", summary="Change an alert rule, or rotate its signing secret")
    async def edit_rule(
        self, work: InWork, rule_id: FromPath[str], data: JSONBody[AlertRuleEdit], if_match: IfMatch = None
    ) -> Response[AlertRuleMade]:
        rule, made = await service.change(work, rule_id, data, if_match)
        return Response(made, headers=etag(rule))

    @delete("/{rule_id:str}", needs="alerts:write", summary="Delete an alert rule and its messages")
    async def delete_rule(self, work: InWork, rule_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.remove(work, rule_id, if_match)

    # Its own transactions: none is held while a target is waited for.
    @post("/{rule_id:str}/test", needs="alerts:write", own_transaction=True, status_code=200, summary="Try a rule out")
    async def test_rule(self, work: InWork, rule_id: FromPath[str], state: AppState) -> TrialOut:
        """Sends a message that is marked as a test, now and once, and says whether it was taken."""
        rule = await service.find(work, rule_id)
        target, event = service.trial(work, rule)
        await work.session.close()
        await _record_trial(state.parts, work, rule_id)
        id = new_id("tst", work.now_ms)
        outcome = await channels(work.settings).send(target, event, id, work.now_ms)
        return TrialOut(outcome.delivered, outcome.reason)


class Alerts(Controller):
    path = "/alerts"
    tags = ("Alerts",)

    @get(needs="alerts:read", summary="List alerts: sent, due, and those that were given up")
    async def list_alerts(
        self,
        work: InWork,
        in_state: InState = None,
        rule_id: OfRule = None,
        project_id: OfProject = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT_DEFAULT,
    ) -> Page[AlertOut]:
        query = service.alerts(in_state, rule_id, project_id)
        return await page(work.session, query, Alert.id, cursor, limit, service.render_alert)

    @get("/{alert_id:str}", needs="alerts:read", summary="One alert")
    async def get_alert(self, work: InWork, alert_id: FromPath[str]) -> AlertOut:
        return service.render_alert(await service.find_alert(work, alert_id))

    @post("/{alert_id:str}/retry", needs="alerts:write", status_code=200, summary="Send again what was given up")
    async def retry_alert(self, work: InWork, alert_id: FromPath[str]) -> AlertOut:
        return service.render_alert(await service.send_again(work, alert_id))


async def _record_trial(parts: Any, work: Work, rule_id: str) -> None:
    """Written down before it is sent: no message goes out that the log does not know."""
    async with parts.database.writing(work.org_id) as session:
        session.info["now_ms"] = work.now_ms
        await record(replace(work, session=session), "alert_rule:test", f"alert_rule:{rule_id}")
