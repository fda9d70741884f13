"""Owns imports of providers' accounts, and what there is of them for a report."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import cast

import msgspec
from sqlalchemy import Select, delete, select

from control_plane.api.find import find_one
from control_plane.api.money import usd
from control_plane.api.problems import Problem, invalid
from control_plane.audit.service import record
from control_plane.auth import organizations
from control_plane.db.ids import new_id
from control_plane.providers.tables import PriceOverride, ProviderCredential
from control_plane.reconciliation.compare import Coverage, Covered, Says
from control_plane.reconciliation.lines import Account, Line, Measure, Unreadable
from control_plane.reconciliation.ours import start_s
from control_plane.reconciliation.schema import CoverOut, Fetch, ImportOut
from control_plane.reconciliation.sources import SOURCES, SourceName
from control_plane.reconciliation.tables import ProviderImport, ProviderLine
from control_plane.work import Work
from pricing.catalog import Catalog, Override

# A report of a quarter; each day has some dozens of rows.
DAYS_MAX = 93
# Days beside those that are asked for are looked at too: all of them are dates.
_YEAR_MIN, _YEAR_MAX = 1971, 9000
# The measure of a line that says only that the day is covered.
_NOTHING = "none"
_DAY_S = 86_400


class Theirs(msgspec.Struct, frozen=True):
    """What providers say of some days, and of which of them they say something."""

    lines: tuple[Line, ...]
    covered: Coverage
    shown: tuple[CoverOut, ...]


def read(source: SourceName, data: bytes) -> Account:
    """What an export says. Takes as long as it is large. Raises Unreadable."""
    account = SOURCES[source].read(data)
    if account.next_page is not None:
        raise Unreadable("it ends with has_more: true; import all of its pages in one file, one page a line")
    return account


def listed() -> Select[ProviderImport]:
    return select(ProviderImport)


async def find(work: Work, import_id: str, *, to_change: bool = False) -> ProviderImport:
    """`to_change`: nobody else removes it meanwhile. Raises Problem 404."""
    query = listed().where(ProviderImport.id == import_id)
    return await find_one(work.session, query, "import", to_change=to_change)


async def store(
    work: Work, source: SourceName, account: Account, data: bytes, *, origin: str, taken_at_ms: int
) -> ProviderImport:
    """Takes an account; what was there of the same source and days is replaced."""
    from_day, to_day = account.from_day.isoformat(), account.to_day.isoformat()
    # One import of an organization after the other: two at once would replace neither, and both would count.
    await organizations.own(work, to_change=True)
    of_days = delete(ProviderLine).where(
        ProviderLine.source == source, ProviderLine.day >= from_day, ProviderLine.day <= to_day
    )
    await work.session.execute(of_days)
    costs = [line.cost_nanousd for line in account.lines if line.cost_nanousd is not None]
    taken = ProviderImport(
        id=new_id("imp", work.now_ms),
        org_id=work.org_id,
        source=source,
        from_day=from_day,
        to_day=to_day,
        line_count=len(account.lines),
        cost_nanousd=sum(costs) if costs else None,
        sha256=hashlib.sha256(data).hexdigest(),
        origin=origin,
        taken_at_ms=taken_at_ms,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
    )
    work.session.add(taken)
    await work.session.flush()
    work.session.add_all(_rows(taken, source, account))
    await record(work, "reconciliation:import", f"import:{taken.id}", after=render(taken))
    return taken


async def remove(work: Work, import_id: str) -> None:
    """Its days are covered no more. Raises Problem 404."""
    taken = await find(work, import_id, to_change=True)
    await work.session.execute(delete(ProviderLine).where(ProviderLine.import_id == taken.id))
    await work.session.delete(taken)
    await record(work, "reconciliation:delete", f"import:{taken.id}", before=render(taken))


async def admin_key(work: Work, wanted: Fetch) -> str:
    """The secret with which a provider is asked. Raises Problem 400 where it is not the provider's, or not there."""
    query = select(ProviderCredential).where(ProviderCredential.id == wanted.credential_id)
    credential = (await work.session.execute(query)).scalar_one_or_none()
    provider = SOURCES[wanted.source].provider
    if credential is None or credential.provider != provider:
        raise invalid("body/credential_id", f"name a credential of {provider}; GET /v1/credentials lists them")
    return work.keyring.open(credential.sealed, f"provider_credentials:{credential.id}")


async def theirs(work: Work, from_day: date, to_day: date) -> Theirs:
    """What was imported of the days, both included."""
    query = (
        select(ProviderLine, ProviderImport.taken_at_ms)
        .join(ProviderImport, ProviderImport.id == ProviderLine.import_id)
        .where(ProviderLine.day >= from_day.isoformat(), ProviderLine.day <= to_day.isoformat())
        .order_by(ProviderLine.source, ProviderLine.day, ProviderLine.number)
    )
    lines: list[Line] = []
    taken: dict[tuple[SourceName, date], int] = {}
    for row, taken_at_ms in await work.session.execute(query):
        day, source = date.fromisoformat(row.day), cast(SourceName, row.source)
        taken[source, day] = max(taken_at_ms, taken.get((source, day), 0))
        if row.measure != _NOTHING:
            measure = cast(Measure, row.measure)
            lines.append(
                Line(day, row.provider, row.model, row.meter, measure, row.quantity, row.cost_nanousd, row.currency)
            )
    return Theirs(tuple(lines), coverage(taken), tuple(covered_days(taken)))


async def catalog(work: Work) -> Catalog:
    """Prices with the organization's overrides."""
    rows = (await work.session.execute(select(PriceOverride).order_by(PriceOverride.id))).scalars()
    return Catalog.load(
        [Override(row.upstream, row.model, row.rates, row.multiplier, row.starts_at_s, row.ends_at_s) for row in rows]
    )


def days(from_day: str | None, to_day: str | None, now_s: int) -> tuple[date, date]:
    """The days of a report: those that are said, or the last thirty. Raises Problem 400."""
    today = date(1970, 1, 1) + timedelta(days=now_s // _DAY_S)
    last = _day("query/to_day", to_day) if to_day else today
    first = _day("query/from_day", from_day) if from_day else last - timedelta(days=29)
    if not first <= last < first + timedelta(days=DAYS_MAX):
        raise invalid("query/from_day", f"name 1 to {DAYS_MAX} days: from_day is not later than to_day")
    return first, last


def unreadable(fault: Unreadable) -> Problem:
    return invalid("body", str(fault))


def render(taken: ProviderImport) -> ImportOut:
    return ImportOut(
        id=taken.id,
        source=taken.source,
        from_day=taken.from_day,
        to_day=taken.to_day,
        line_count=taken.line_count,
        cost_usd=None if taken.cost_nanousd is None else usd(taken.cost_nanousd),
        sha256=taken.sha256,
        origin=taken.origin,
        taken_at_ms=taken.taken_at_ms,
        created_by=taken.created_by,
        created_at_ms=taken.created_at_ms,
    )


def _rows(taken: ProviderImport, source: SourceName, account: Account) -> list[ProviderLine]:
    said = {line.day for line in account.lines}
    provider = SOURCES[source].provider
    lines = [*account.lines, *(_covering(day, provider) for day in span(account) if day not in said)]
    return [
        ProviderLine(
            import_id=taken.id,
            number=number,
            org_id=taken.org_id,
            source=source,
            day=line.day.isoformat(),
            provider=line.provider,
            model=line.model,
            meter=line.meter,
            measure=_NOTHING
            if line.quantity is None and line.cost_nanousd is None and not line.meter
            else line.measure,
            quantity=line.quantity,
            cost_nanousd=line.cost_nanousd,
            currency=line.currency,
        )
        for number, line in enumerate(lines)
    ]


def _covering(day: date, provider: str) -> Line:
    return Line(day, provider, "", _NOTHING, "other")


def span(account: Account) -> list[date]:
    """Every day that an account is of."""
    count = (account.to_day - account.from_day).days + 1
    return [account.from_day + timedelta(days=number) for number in range(count)]


def coverage(taken: Mapping[tuple[SourceName, date], int]) -> Coverage:
    """Which days there is something of, by when it was taken."""
    covered: dict[tuple[str, Says, date], Covered] = {}
    for (name, day), taken_at_ms in taken.items():
        source = SOURCES[name]
        cover = Covered(_is_complete(name, day, taken_at_ms))
        if source.says_usage:
            covered[source.provider, "usage", day] = cover
        if source.says_cost:
            covered[source.provider, "cost", day] = cover
    return covered


def _is_complete(source: SourceName, day: date, taken_at_ms: int) -> bool:
    return taken_at_ms // 1000 >= start_s(day) + _DAY_S + SOURCES[source].lag_s


def covered_days(taken: Mapping[tuple[SourceName, date], int]) -> Sequence[CoverOut]:
    """The same by source, to be shown."""
    shown: list[CoverOut] = []
    by_source: dict[SourceName, list[date]] = {}
    for source, day in sorted(taken):
        by_source.setdefault(source, []).append(day)
    for source, found in by_source.items():
        complete = [day for day in found if _is_complete(source, day, taken[source, day])]
        last = complete[-1].isoformat() if complete else None
        shown.append(CoverOut(source, found[0].isoformat(), found[-1].isoformat(), len(found), last))
    return shown


def _day(pointer: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise invalid(pointer, "write a day such as 2026-11-24") from None
    if not _YEAR_MIN <= day.year <= _YEAR_MAX:
        raise invalid(pointer, f"write a day of the years {_YEAR_MIN} to {_YEAR_MAX}")
    return day
