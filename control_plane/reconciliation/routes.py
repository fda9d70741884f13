"""Owns the routes of reconciliation: imports of providers' accounts, and the comparison with what gateways counted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, TypeVar, cast

import httpx
import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, InWork, Limit
from control_plane.api.problems import Problem, invalid
from control_plane.api.reference import answers_with
from control_plane.db.engine import Database
from control_plane.lake.query import Unanswered
from control_plane.reconciliation import mappings, ours, rendered, service
from control_plane.reconciliation import savings as saved
from control_plane.reconciliation.compare import compare
from control_plane.reconciliation.fetch import FetchFailed, fetch
from control_plane.reconciliation.lines import Account, Unreadable
from control_plane.reconciliation.schema import Fetch, ImportOut, MappingCreate, MappingOut, ReportOut, SavingsOut
from control_plane.reconciliation.service import render
from control_plane.reconciliation.sources import SOURCES, SourceName
from control_plane.reconciliation.tables import ModelMapping, ProviderImport
from control_plane.work import Work

# A month of a large account's cost and usage report, packed.
FILE_BYTES_MAX = 64 * 1024 * 1024
MAPPED_MAX = 200

T = TypeVar("T")

FromDay = Annotated[str | None, QueryParameter(description="The first UTC day; without, 30 days before the last")]
ToDay = Annotated[str | None, QueryParameter(description="The last UTC day, included; without, today")]
OfSource = Annotated[SourceName, QueryParameter(description="Of which provider's export the file is")]
ExportedAt = Annotated[
    int | None, QueryParameter(ge=0, le=2**53, description="When the provider made it, UTC ms; without, now")
]
Mapped = Annotated[
    list[str] | None,
    QueryParameter(description="`name on the bill=model`, where a bill's name is not recognised; before those stored"),
]
Form = Annotated[str, QueryParameter(pattern="^(json|csv)$", description="json or csv")]


class Reconciliation(Controller):
    path = "/reconciliation"
    tags = ("Reconciliation",)

    # Its own transaction: a file is read before, and a provider is waited for.
    @post(
        "/imports",
        needs="reconciliation:write",
        own_transaction=True,
        request_max_body_size=FILE_BYTES_MAX,
        summary="Import an export of a provider's usage or costs",
    )
    async def import_file(
        self,
        work: InWork,
        request: Request[Any, Any, Any],
        database: NamedDependency[Database],
        source: OfSource,
        exported_at_ms: ExportedAt = None,
    ) -> ImportOut:
        """The body is the file as it is: JSON pages, CSV (packed with gzip or not) or Parquet. It replaces what was
        imported of the same source and days.
        """
        data = await request.body()
        account = await _read(source, data)
        taken_at_ms = work.now_ms if exported_at_ms is None else exported_at_ms
        return await _store(work, database, source, account, data, "file", taken_at_ms)

    @post(
        "/fetches",
        needs="reconciliation:write",
        own_transaction=True,
        summary="Fetch a provider's own report with an admin key, and import it",
    )
    async def fetch_report(self, work: InWork, data: JSONBody[Fetch], database: NamedDependency[Database]) -> ImportOut:
        """Takes as long as the provider does. It replaces what was imported of the same source and days."""
        from_day, to_day = service.days(data.from_day, data.to_day, work.now_s)
        key = await service.admin_key(work, data)
        await work.session.close()
        settings = work.settings
        url = settings.openai_url if SOURCES[data.source].provider == "openai" else settings.anthropic_url
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            try:
                pages = await fetch(client, data.source, key, from_day, to_day, asyncio.sleep)
            except FetchFailed as fault:
                raise Problem(502, "provider_failed", str(fault)) from None
        account = await _read(data.source, pages)
        return await _store(work, database, data.source, account, pages, "api", work.now_ms)

    @get("/imports", needs="reconciliation:read", summary="List imports")
    async def list_imports(self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[ImportOut]:
        return await page(work.session, service.listed(), ProviderImport.id, cursor, limit, render)

    @get("/imports/{import_id:str}", needs="reconciliation:read", summary="One import")
    async def get_import(self, work: InWork, import_id: FromPath[str]) -> ImportOut:
        return render(await service.find(work, import_id))

    @delete("/imports/{import_id:str}", needs="reconciliation:write", summary="Forget an import and its days")
    async def delete_import(self, work: InWork, import_id: FromPath[str]) -> None:
        await service.remove(work, import_id)

    @get("/mappings", needs="reconciliation:read", summary="List what names on bills mean")
    async def list_mappings(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[MappingOut]:
        return await page(work.session, mappings.listed(), ModelMapping.id, cursor, limit, mappings.render)

    @post("/mappings", needs="reconciliation:write", summary="Say which model a name on a bill means")
    async def create_mapping(self, work: InWork, data: JSONBody[MappingCreate]) -> MappingOut:
        """Reports take it from now on, of past days too. What the same name meant before is replaced."""
        return mappings.render(await mappings.create(work, data))

    @delete("/mappings/{mapping_id:str}", needs="reconciliation:write", summary="Forget what a name on a bill means")
    async def delete_mapping(self, work: InWork, mapping_id: FromPath[str]) -> None:
        await mappings.remove(work, mapping_id)

    @get(
        "/report",
        needs="reconciliation:read",
        summary="What gateways counted against what providers say",
        operation_class=answers_with("text/csv"),
    )
    async def report(
        self,
        work: InWork,
        from_day: FromDay = None,
        to_day: ToDay = None,
        mapped: Mapped = None,
        form: Form = "json",
        provider: FromQuery[str | None] = None,
    ) -> Response[ReportOut]:
        """By UTC day, provider, model and measure: ours, theirs, the difference, how far ours may be off, and what to
        think of it. `bypass_suspected`: the provider saw more than the gateways. As CSV the rows alone.
        """
        shown = await _report(work, from_day, to_day, _mapped(mapped or ()))
        if provider is not None:
            rows = [row for row in shown.rows if row.provider == provider]
            totals = [total for total in shown.totals if total.provider == provider]
            shown = msgspec.structs.replace(shown, rows=rows, totals=totals)
        if form == "json":
            return Response(shown)
        headers = {"content-disposition": f'attachment; filename="reconciliation-{shown.from_day}-{shown.to_day}.csv"'}
        text = cast(Any, rendered.as_csv(shown.rows))
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @get("/savings", needs="reconciliation:read", summary="What caching, routing and refusals saved")
    async def savings(self, work: InWork, from_day: FromDay = None, to_day: ToDay = None) -> SavingsOut:
        """Beside what providers say themselves, where it was imported. `assumptions` says what each number rests on."""
        first, last = service.days(from_day, to_day, work.now_s)
        theirs = await service.theirs(work, first, last)
        catalog = await service.catalog(work)
        await work.session.close()
        used, blocked = await in_lake(partial(saved.history, work.lake, work.org_id, first, last, keyring=work.keyring))
        return rendered.savings(used, blocked, theirs.lines, catalog, (first, last))


async def _read(source: SourceName, data: bytes) -> Account:
    try:
        return await asyncio.to_thread(service.read, source, data)
    except Unreadable as fault:
        raise service.unreadable(fault) from None


async def _store(
    work: Work, database: Database, source: SourceName, account: Account, data: bytes, origin: str, taken_at_ms: int
) -> ImportOut:
    await work.session.close()
    async with database.writing(work.org_id) as session:
        session.info["now_ms"] = work.now_ms
        stored = await service.store(
            replace(work, session=session), source, account, data, origin=origin, taken_at_ms=taken_at_ms
        )
        return render(stored)


async def _report(work: Work, from_day: str | None, to_day: str | None, mapped: dict[str, str]) -> ReportOut:
    first, last = service.days(from_day, to_day, work.now_s)
    theirs = await service.theirs(work, first, last)
    catalog = await service.catalog(work)
    stored = await mappings.stored(work)
    await work.session.close()
    asking = partial(ours.days, work.lake, work.org_id, first - ours.ONE_DAY, last, keyring=work.keyring)
    counted = await in_lake(asking)
    comparison = compare(counted, theirs.lines, theirs.covered, first, last, catalog, mapped, stored)
    return rendered.report(comparison, first, last, theirs.shown)


async def in_lake(ask: Callable[[], T]) -> T:
    """What the lake answers, asked on a thread. Raises Problem 503."""
    try:
        return await asyncio.to_thread(ask)
    except Unanswered as fault:
        raise Problem(503, "unavailable", f"The lake does not answer: {fault}") from None


def _mapped(pairs: Sequence[str]) -> dict[str, str]:
    if len(pairs) > MAPPED_MAX:
        raise invalid("query/mapped", f"at most {MAPPED_MAX}")
    found: dict[str, str] = {}
    for pair in pairs:
        billed, equals, model = pair.rpartition("=")
        if not equals or not billed or not model:
            raise invalid("query/mapped", "write `name on the bill=model`")
        found[billed] = model
    return found
