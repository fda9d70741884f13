"""Owns delivery: what is due is claimed, completed with what the lake knows, sent, and written down."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from control_plane.alerts import queue
from control_plane.alerts.channels import Channels
from control_plane.alerts.notice import TOP_MODELS
from control_plane.alerts.queue import Claim
from control_plane.alerts.schema import BudgetThreshold, Event, ModelCost, Outcome, SpendAnomaly
from control_plane.alerts.target import open_target
from control_plane.api.money import usd
from control_plane.db.engine import Database
from control_plane.keyring import Keyring, KeyringError
from control_plane.lake.query import Lake, Unanswered, top_models

# Sent at a time; each holds a connection, and its body is small.
BATCH = 20
_DISABLED = "the rule was switched off"

_log = logging.getLogger("lensai.control_plane.alerts")


@dataclass(frozen=True, slots=True)
class Delivery:
    """`random` gives numbers from 0 to 1."""

    database: Database
    keyring: Keyring
    channels: Channels
    lake: Callable[[], Lake]
    now_ms: Callable[[], int]
    random: Callable[[], float]

    async def run(self, now_ms: int) -> int:
        """Tries what is due, at most BATCH; how many that were."""
        claims = await queue.claim(self.database, now_ms, BATCH)
        await asyncio.gather(*map(self._deliver, claims))
        return len(claims)

    async def _deliver(self, claimed: Claim) -> None:
        claimed = claimed._replace(event=await with_models(self.lake(), claimed.org_id, claimed.event))
        outcome = await self._attempt(claimed)
        kept = await queue.finish(self.database, claimed, outcome, self.now_ms(), self.random())
        level = logging.INFO if outcome.delivered else logging.WARNING
        fields = {"alert": claimed.id, "attempt": claimed.attempt, "reason": outcome.reason, "kept": kept}
        _log.log(level, "alert_sent" if outcome.delivered else "alert_failed", extra=fields)

    async def _attempt(self, claimed: Claim) -> Outcome:
        if not claimed.enabled:
            return Outcome(False, _DISABLED, is_final=True)
        try:
            target = open_target(self.keyring, claimed.rule_id, claimed.sealed_target)
        except KeyringError as fault:
            return Outcome(False, str(fault))
        return await self.channels.send(target, claimed.event, claimed.id, self.now_ms())


async def with_models(lake: Lake, org_id: str, event: Event) -> Event:
    """The event with the models that cost most in its window, where it has none yet and the lake tells them."""
    if not isinstance(event, BudgetThreshold | SpendAnomaly) or event.top_models is not None:
        return event
    project_id = event.project.id if event.project else None
    try:
        found = await top_models(lake, org_id, project_id, event.starts_at_s, event.at_ms // 1000 + 1, TOP_MODELS)
    except Unanswered:
        return event
    costs = [ModelCost(model, usd(cost_nanousd)) for model, cost_nanousd in found.costs]
    since_s = found.since_s if found.since_s > event.starts_at_s else None
    return msgspec.structs.replace(event, top_models=costs, models_since_s=since_s) if costs else event
