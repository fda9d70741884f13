"""Owns the routes of exports: whatever can be asked, as a file; and whether a manifest is ours."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Annotated, NamedTuple

from litestar import Controller, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from control_plane.analytics.asked import Asked, asked
from control_plane.analytics.export import (
    MEDIA_TYPES,
    ZIP,
    Exported,
    Format,
    Manifest,
    Sealed,
    archive,
    file,
    is_sealed,
)
from control_plane.analytics.period import bucket_for, edges, rfc3339
from control_plane.analytics.routes import (
    DIMENSIONS,
    AnyRequest,
    Bucket,
    Measure,
    OfLake,
    Percents,
    SeriesBy,
)
from control_plane.analytics.routes import Question as OfQuestion
from control_plane.analytics.service import SQL, SUMMED_BY, percents
from control_plane.analytics.waiting import as_problem
from control_plane.api.parameters import InWork
from control_plane.api.reference import answers_with
from control_plane.audit.service import record
from control_plane.db.engine import Database
from control_plane.lake.query import Question, Unanswered
from control_plane.lake.scope import grain_of
from control_plane.work import Work

# A file is written as it is read and has all rows: what a list cuts off, nobody would miss in a file.
_EVERY_ROW = 2**31

AsFormat = Annotated[Format | None, QueryParameter(name="format", description="Without it what Accept says; CSV")]
Signed = Annotated[bool, QueryParameter(description="A ZIP of the file and of a signed manifest")]
Accept = Annotated[str | None, HeaderParameter(name="Accept", description="`text/csv`, or Parquet's type")]


class Checked(Struct, frozen=True):
    """Whether the manifest was signed by this control plane and not changed."""

    authentic: bool


class Details(NamedTuple):
    """What some of the exports can be told beside the period and the filters."""

    by: str | None
    bucket: str | None
    measure: str
    percents: list[float]


def _calls(asked: Asked, _details: Details) -> Question:
    return Question(SQL["export_calls"], "events", asked.scope)


def _hourly(sql: str, **given: object) -> "_Asks":
    return lambda asked, _details: Question(SQL[sql], "hourly", asked.scope, given)


def _costs(dimension: str) -> "_Asks":
    sql, relation = SUMMED_BY.get(dimension, ("costs", "hourly"))
    given: dict[str, object] = {"by": dimension} if sql == "costs" else {}
    given |= {"sort": "cost", "limit": _EVERY_ROW, "first": []}
    return lambda asked, _details: Question(SQL[sql], relation, asked.scope, given)


def _timeseries(asked: Asked, details: Details) -> Question:
    begins = edges(asked.period, details.bucket or bucket_for(asked.period))
    given = {"by": details.by, "limit": _EVERY_ROW, "edges": list(begins)}
    return Question(SQL["timeseries"], "hourly", asked.scope, given, grain_s=grain_of(begins))


def _latency(asked: Asked, details: Details) -> Question:
    given = {"measure": details.measure, "percents": details.percents, "by": details.by, "limit": _EVERY_ROW}
    return Question(SQL["latency"], "hourly_latency", asked.scope, given)


_Asks = Callable[[Asked, Details], Question]
EXPORTED: Mapping[str, _Asks] = {
    "calls": _calls,
    "focus": _hourly("focus"),
    "summary": _hourly("summary"),
    "timeseries": _timeseries,
    "latency-pctl": _latency,
    "tokens": _hourly("tokens"),
    "errors": _hourly("errors", limit=_EVERY_ROW),
    **{f"cost-by-{dimension}": _costs(dimension) for dimension in DIMENSIONS},
}
# In which column a file says that its figures are an estimate. A list of calls has a weight in each row instead.
_ESTIMATE_COLUMN: Mapping[str, str | None] = {
    **dict.fromkeys(EXPORTED, "estimated"),
    "calls": None,
    "focus": "x_Estimated",
}


class Exports(Controller):
    path = "/exports"
    tags = ("Exports",)
    dependencies = {"question": Provide(asked, sync_to_thread=False)}  # noqa: RUF012

    @get(
        [f"/{name}" for name in EXPORTED],
        needs="usage:export",
        summary="The rows of a question, as CSV or Parquet; `focus` are costs by FOCUS 1.2, `calls` every call",
        media_type=MEDIA_TYPES["csv"],
        operation_class=answers_with(*MEDIA_TYPES.values(), ZIP),
    )
    async def export(
        self,
        request: AnyRequest,
        work: InWork,
        lake: OfLake,
        database: NamedDependency[Database],
        question: OfQuestion,
        format: AsFormat = None,
        signed: Signed = False,
        by: SeriesBy = None,
        bucket: Bucket = None,
        measure: Measure = "latency_ms",
        p: Percents = None,
        accept: Accept = None,
    ) -> Stream:
        """Written as it is read, however long it is. A file that was cut off lacks its end: a Parquet footer, or the
        manifest of a signed one. `by`, `bucket`, `measure` and `p` are of the charts that take them."""
        name = request.url.path.rpartition("/")[2]
        chosen: Format = format or ("parquet" if accept and MEDIA_TYPES["parquet"] in accept else "csv")
        asking = EXPORTED[name](question, Details(by, bucket, measure, percents(p)))
        exported = Exported(asking, chosen, _ESTIMATE_COLUMN[name])
        await _note(work, database, name)
        file_name = f"lensai-{name}-{rfc3339(question.period.from_s)[:10]}.{chosen}"
        if not signed:
            return await _sent(file(lake, exported), file_name, MEDIA_TYPES[chosen])
        manifest = _manifest(work, question, file_name, request.url.query)
        return await _sent(archive(lake, exported, manifest, work.keyring), f"{file_name}.zip", ZIP)

    @post("/verify", needs="usage:export", status_code=200, summary="Whether a manifest.json is ours and unchanged")
    async def verify(self, work: InWork, data: JSONBody[Sealed]) -> Checked:
        """That the file beside it has the digest which it names is for whoever has the file to see: sha256sum."""
        return Checked(data.manifest.org_id == work.org_id and is_sealed(data, work.keyring))


async def _note(work: Work, database: Database, name: str) -> None:
    async with database.writing(work.org_id) as session:
        await record(replace(work, session=session), "usage:export", f"export:{name}")


async def _sent(pieces: AsyncIterator[bytes], file_name: str, media_type: str) -> Stream:
    """The stream, if it begins: what fails before its first bytes is a problem and no broken file."""
    try:
        first = await anext(pieces, b"")
    except Unanswered as fault:
        raise as_problem(fault) from fault
    headers = {"content-disposition": f'attachment; filename="{file_name}"', "cache-control": "no-store"}
    return Stream(_continued(first, pieces), media_type=media_type, headers=headers)


async def _continued(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


def _manifest(work: Work, question: Asked, file_name: str, parameters: str) -> Manifest:
    return Manifest(
        org_id=work.org_id,
        file=file_name,
        sha256="",
        bytes=0,
        rows=0,
        parameters=parameters,
        from_ms=question.period.from_s * 1000,
        to_ms=question.period.to_s * 1000,
        exported_at_ms=work.now_ms,
    )
