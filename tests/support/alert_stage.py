"""Owns what alerts are tested with: an organization with a project, a budget, rules, thresholds that were crossed."""

from typing import Any

from sqlalchemy import select

from control_plane.alerts.channels import Channels
from control_plane.alerts.deliver import Delivery
from control_plane.alerts.schema import BudgetThreshold, ModelCost, Named
from control_plane.alerts.tables import Alert
from control_plane.budgets.tables import Budget, BudgetEvent, CounterState
from control_plane.db.engine import EVERY_ORG
from control_plane.db.ids import new_id
from control_plane.kill_switch.tables import KillSwitch
from control_plane.mail import ConsoleMailer, Mailer
from control_plane.outgoing import Outgoing
from gateway.ledger.window import Window, period
from tests.support.control_plane import ControlPlane

DOLLAR = 10**9
START_S = 1_789_948_800
EMAIL = {"channel": "email", "address": "finance@example.com"}


class AlertStage:
    """One organization's; `headers` are of its owner."""

    def __init__(self, plane: ControlPlane, org_id: str, headers: dict[str, str], project_id: str) -> None:
        self.plane, self.org_id, self.headers, self.project_id = plane, org_id, headers, project_id

    @classmethod
    async def of(cls, plane: ControlPlane, name: str = "Acme") -> "AlertStage":
        org_id = await plane.organization(name)
        headers = await plane.token(org_id)
        made = await plane.client.post("/v1/projects", json={"name": "Shop <&>"}, headers=headers)
        return cls(plane, org_id, headers, made.json()["id"])

    async def rule(self, target: dict[str, Any] = EMAIL, trigger: str = "threshold", **fields: Any) -> dict[str, Any]:
        """A rule, made through the API."""
        body = {"name": "Tell", "trigger": trigger, "target": target, **fields}
        made = await self.plane.client.post("/v1/alert-rules", json=body, headers=self.headers)
        assert made.status_code == 201, made.text
        return made.json()

    async def budget(self, project: bool = True, **fields: Any) -> str:
        budget = Budget(
            id=new_id("bud", self.plane.clock()),
            org_id=self.org_id,
            project_id=self.project_id if project else None,
            name="Month",
            limit_nanousd=100 * DOLLAR,
            period="day",
            thresholds=[90, 100],
            scope={},
            created_at_ms=self.plane.clock(),
        )
        for name, value in fields.items():
            setattr(budget, name, value)
        await self.add(budget)
        return budget.id

    async def crossed(self, budget_id: str, threshold: int = 90, counter: str = "c1") -> str:
        """An event as the gateways' report leaves it."""
        event = BudgetEvent(
            id=new_id("bev", self.plane.clock()),
            org_id=self.org_id,
            budget_id=budget_id,
            counter=counter,
            threshold=threshold,
            settled=threshold * DOLLAR,
            limit_amount=100 * DOLLAR,
            starts_at_s=START_S,
            ends_at_s=START_S + 86_400,
            fired_at_ms=self.plane.clock(),
        )
        await self.add(event)
        return event.id

    async def kill_switch(self) -> str:
        switch = KillSwitch(
            id=new_id("kil", self.plane.clock()),
            org_id=self.org_id,
            project_id=self.project_id,
            scope={},
            active=True,
            reason="runaway loop",
            allow=[],
            activated_by="user:usr_1",
            activated_at_ms=self.plane.clock(),
        )
        await self.add(switch)
        return switch.id

    async def counted(self, budget_id: str, settled: int, node: str = "", window: Window = "day") -> None:
        """What a node says of a budget's counter now."""
        now = period(window, "UTC", self.plane.clock() // 1000)
        state = CounterState(
            limited_id=budget_id,
            counter=f"{budget_id}@{now.name}",
            node=node,
            starts_at_s=now.starts_at_s,
            ends_at_s=now.ends_at_s,
            settled=settled,
            held=0,
            limit_amount=None,
            dimensions={},
            reported_at_ms=self.plane.clock(),
        )
        async with self.plane.parts.database.writing(EVERY_ORG) as session:
            await session.merge(state)

    async def add(self, row: object) -> None:
        async with self.plane.parts.database.writing(EVERY_ORG) as session:
            session.info["now_ms"] = self.plane.clock()
            session.add(row)

    async def alerts(self) -> list[Alert]:
        async with self.plane.parts.database.reading(self.org_id) as session:
            return list((await session.execute(select(Alert).order_by(Alert.id))).scalars())

    def delivery(self, *, slack_api_url: str = "http://127.0.0.1:1/", mailer: Mailer | None = None) -> Delivery:
        """Delivery to loopback, with a jitter that is always the same."""
        ways_out = Channels(Outgoing("allow"), mailer or ConsoleMailer(), slack_api_url, "http://control.test")
        parts = self.plane.parts
        return Delivery(parts.database, parts.keyring, ways_out, lambda: parts.lake, self.plane.clock, lambda: 1.0)


def threshold(**fields: Any) -> BudgetThreshold:
    """A budget at 90 %."""
    event: dict[str, Any] = {
        "project": Named("prj_1", "Shop"),
        "at_ms": START_S * 1000 + 250,
        "limited": Named("bud_1", "Month"),
        "unit": "usd",
        "spent": "90.50",
        "limit": "100.00",
        "percent": 90,
        "threshold": 90,
        "window": "month",
        "starts_at_s": START_S,
        "ends_at_s": START_S + 30 * 86_400,
        "top_models": [ModelCost("gpt-5", "80.25"), ModelCost("gpt-5-mini", "1.00")],
    }
    return BudgetThreshold(**(event | fields))
