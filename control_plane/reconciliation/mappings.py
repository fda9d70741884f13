"""Owns what an organization wrote down of names on bills: which of our models each one means."""

from collections.abc import Mapping

from sqlalchemy import Select, func, select

from control_plane.api.find import find_one
from control_plane.api.problems import conflict
from control_plane.audit.service import record
from control_plane.db.ids import new_id
from control_plane.reconciliation.schema import MappingCreate, MappingOut
from control_plane.reconciliation.tables import ModelMapping
from control_plane.work import Work

# All are read for each report. A provider bills some dozens of names, most of which are found by themselves.
MAPPINGS_MAX = 1000


def listed() -> Select[ModelMapping]:
    return select(ModelMapping)


async def stored(work: Work) -> Mapping[str, Mapping[str, str]]:
    """Names on the bill -> models, by provider."""
    found: dict[str, dict[str, str]] = {}
    for mapping in (await work.session.execute(listed())).scalars():
        found.setdefault(mapping.provider, {})[mapping.billed] = mapping.model
    return found


async def create(work: Work, wanted: MappingCreate) -> ModelMapping:
    """What the name meant before is replaced. Raises Problem 409 where there are too many."""
    billed = wanted.billed.lower()
    of_name = listed().where(ModelMapping.provider == wanted.provider, ModelMapping.billed == billed)
    before = (await work.session.execute(of_name)).scalar_one_or_none()
    if before is not None:
        await _delete(work, before)
    elif (await work.session.execute(select(func.count()).select_from(ModelMapping))).scalar_one() >= MAPPINGS_MAX:
        raise conflict(f"There are {MAPPINGS_MAX} names already; delete some that no bill has any more")
    mapping = ModelMapping(
        id=new_id("map", work.now_ms),
        org_id=work.org_id,
        provider=wanted.provider,
        billed=billed,
        model=wanted.model,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
    )
    work.session.add(mapping)
    await record(work, "reconciliation:map", f"mapping:{mapping.id}", after=render(mapping))
    return mapping


async def remove(work: Work, mapping_id: str) -> None:
    """The name is looked for again. Raises Problem 404."""
    query = listed().where(ModelMapping.id == mapping_id)
    await _delete(work, await find_one(work.session, query, "mapping", to_change=True))


def render(mapping: ModelMapping) -> MappingOut:
    return MappingOut(
        id=mapping.id,
        provider=mapping.provider,
        billed=mapping.billed,
        model=mapping.model,
        created_by=mapping.created_by,
        created_at_ms=mapping.created_at_ms,
    )


async def _delete(work: Work, mapping: ModelMapping) -> None:
    await work.session.delete(mapping)
    await work.session.flush()
    await record(work, "reconciliation:unmap", f"mapping:{mapping.id}", before=render(mapping))
