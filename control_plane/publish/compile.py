"""Owns what gateways are told of a row: rows -> items of the policy. Pure.

A credential's secret stays sealed here; the feed opens it on its way out. Every quota and kill switch is narrowed to
its organization, so that none touches another's calls.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from control_plane.budgets.tables import Budget, Override, Quota
from control_plane.db.base import Base
from control_plane.keys.tables import ApiKey
from control_plane.kill_switch.tables import KillSwitch
from control_plane.projects.tables import Project
from control_plane.providers.tables import PriceOverride, ProviderCredential, Upstream
from gateway.contract import policy
from gateway.contract.publishing import Kind


class SealedCredential(msgspec.Struct, frozen=True):
    """A Credential whose secret is still sealed, for the context that the feed knows."""

    id: str
    sealed: str


class Compiled(NamedTuple):
    """What is told of one row; None: it is gone, or counts no more."""

    kind: Kind
    id: str
    body: msgspec.Struct | None


def compile_row(row: Base) -> Compiled | None:
    """The item of a row; None for a row that gateways need not know."""
    compiler = _COMPILERS.get(type(row))
    if compiler is None:
        return None
    kind, compiled = compiler
    return Compiled(kind, _id(row), compiled(row))


def gone(row: Base) -> Compiled | None:
    """The item of a row that is deleted."""
    compiler = _COMPILERS.get(type(row))
    return None if compiler is None else Compiled(compiler[0], _id(row), None)


def _id(row: Any) -> str:
    return row.id


def _project(row: Project) -> policy.Project | None:
    return None if row.archived_at_ms is not None else policy.Project(id=row.id, name=row.name, org_id=row.org_id)


def _key(row: ApiKey) -> policy.Key | None:
    if row.revoked_at_ms is not None:
        return None
    return policy.Key(
        id=row.id,
        project_id=row.project_id,
        sha256=row.hash,
        prefix=row.prefix,
        name=row.name,
        mode=row.mode,
        on_disconnect=row.on_disconnect,
        disabled=row.disabled,
        expires_at_s=row.expires_at_s,
        upstreams=_tuple(row.upstreams),
        endpoints=_tuple(row.endpoints),
        models=_tuple(row.models),
        user_id=row.user_id,
        team=row.team,
        tags=tuple(row.tags),
        replaces=tuple(row.replaces),
    )


def _credential(row: ProviderCredential) -> SealedCredential:
    return SealedCredential(row.id, row.sealed)


def _upstream(row: Upstream) -> policy.Upstream:
    named = {
        "name": row.name,
        "provider": row.provider,
        "origin": row.origin,
        "base_path": row.base_path,
        "credential_id": row.credential_id or "",
        "models": row.models,
        "org_id": row.org_id,
    }
    return msgspec.convert({**row.options, **named}, policy.Upstream)


def _price_override(row: PriceOverride) -> policy.PriceOverride:
    return policy.PriceOverride(
        upstream=row.upstream,
        model=row.model,
        rates=row.rates,
        multiplier=row.multiplier,
        starts_at_s=row.starts_at_s,
        ends_at_s=row.ends_at_s,
        org_id=row.org_id,
    )


def _budget(row: Budget) -> policy.Quota:
    return policy.Quota(
        id=row.id,
        unit="usd",
        limit=row.limit_nanousd,
        window=row.period,
        scope=_scope(row.org_id, row.project_id, row.scope),
        action="block" if row.hard_stop else "alert",
        thresholds=tuple(row.thresholds),
        time_zone=row.time_zone,
        ceiling=row.ceiling_nanousd,
        revision=row.version,
    )


def _quota(row: Quota) -> policy.Quota:
    return policy.Quota(
        id=row.id,
        unit=row.unit,
        limit=row.limit_amount,
        window=row.window,
        scope=_scope(row.org_id, row.project_id, row.scope),
        action=row.action,
        thresholds=tuple(row.thresholds),
        time_zone=row.time_zone,
        values_max=row.values_max,
        ceiling=row.ceiling_nanousd,
        answers_429=row.answers_429,
        revision=row.version,
    )


def _override(row: Override) -> policy.QuotaOverride | None:
    if row.ended_at_ms is not None:
        return None
    return policy.QuotaOverride(quota_id=row.limited_id, until_s=row.until_s, limit=row.limit_amount)


def _kill_switch(row: KillSwitch) -> policy.KillSwitch | None:
    if not row.active:
        return None
    scope = _scope(row.org_id, row.project_id, row.scope)
    return policy.KillSwitch(id=row.id, scope=scope, reason=row.reason, allow=tuple(row.allow))


def _scope(org_id: str, project_id: str | None, further: Mapping[str, str]) -> dict[policy.Dimension, str]:
    own = {"org": org_id} if project_id is None else {"org": org_id, "project": project_id}
    return msgspec.convert({**further, **own}, dict[policy.Dimension, str])


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


_COMPILERS: Mapping[type[Base], tuple[Kind, Callable[[Any], msgspec.Struct | None]]] = {
    Project: ("project", _project),
    ApiKey: ("key", _key),
    ProviderCredential: ("credential", _credential),
    Upstream: ("upstream", _upstream),
    PriceOverride: ("price_override", _price_override),
    Budget: ("quota", _budget),
    Quota: ("quota", _quota),
    Override: ("quota_override", _override),
    KillSwitch: ("kill_switch", _kill_switch),
}
