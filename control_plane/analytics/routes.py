"""Owns the routes of analytics: what calls cost and used, how fast they were, what failed."""

from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from litestar import Controller, Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream
from sqlalchemy import select

from control_plane.analytics import calls, forecast, service, shares, tokens
from control_plane.analytics.asked import Asked, asked
from control_plane.analytics.bill import catalog_of
from control_plane.analytics.live import Live
from control_plane.analytics.schema import (
    CallDetail,
    Calls,
    Costs,
    Errors,
    Forecast,
    Latency,
    Provenances,
    Summary,
    Timeseries,
    Tokens,
)
from control_plane.analytics.waiting import answered
from control_plane.api.parameters import Cursor, InWork
from control_plane.api.problems import invalid
from control_plane.lake.query import Lake
from control_plane.providers.tables import PriceOverride
from control_plane.work import Work
from pricing.catalog import Catalog

DIMENSIONS = ("model", "user", "key", "team", "tag", "route", "provider", "project", "outcome", "status", "provenance")
LIMIT_DEFAULT, LIMIT_MAX = 20, 1000
SERIES_DEFAULT, SERIES_MAX = 6, 20

_EVENTS = "text/event-stream"
# A proxy in between must pass each event on as it comes: nginx's and others' sign for it.
_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}

Question = NamedDependency[Asked]
OfLake = NamedDependency[Lake]
AnyRequest = Request[Any, Any, Any]

Compare = Annotated[
    Literal["previous"] | None, QueryParameter(description="`previous`: with the period of the same length before")
]
Sort = Annotated[
    Literal["cost", "calls", "errors", "refused", "tokens", "change"],
    QueryParameter(description="The largest first; `change`: of the cost, with compare=previous"),
]
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="Rows; what is beyond them is in `others`")]
Bucket = Annotated[
    Literal["1m", "5m", "15m", "hour", "3h", "6h", "12h", "day", "week", "month"] | None,
    QueryParameter(description="Of one point, in `tz`; without it what suits the period"),
]
SeriesBy = Annotated[
    Literal["model", "provider", "route", "key", "team", "project", "outcome", "status", "provenance"] | None,
    QueryParameter(description="A series for each value; without it one of all"),
]
LatencyBy = Annotated[
    Literal["model", "provider", "route", "project"] | None, QueryParameter(description="A row for each value")
]
Percents = Annotated[
    list[float] | None,
    QueryParameter(name="p", description="Percentiles, above 0 and up to 100; may be repeated. 50, 95 and 99"),
]
Measure = Annotated[
    Literal["latency_ms", "ttft_ms", "output_tokens_per_s"],
    QueryParameter(description="Whole calls, time to the first token, or speed of streams after it"),
]


CallSort = Annotated[
    Literal["at", "cost", "latency", "ttft", "tokens"],
    QueryParameter(description="`at`: the newest first, page by page; else the largest first, one page"),
]
CallLimit = Annotated[int, QueryParameter(ge=1, le=200, description="Calls of one page")]
LastEventId = Annotated[
    str | None, HeaderParameter(name="Last-Event-ID", description="Of the last event that came, from a browser")
]
Accept = Annotated[str | None, HeaderParameter(name="Accept", description=_EVENTS)]


class Metrics(Controller):
    path = "/metrics"
    tags = ("Metrics",)
    dependencies = {"question": Provide(asked, sync_to_thread=False)}  # noqa: RUF012

    @get("/summary", needs="usage:read", summary="Calls, cost, tokens and errors of a period")
    async def summary(self, request: AnyRequest, lake: OfLake, question: Question, compare: Compare = None) -> Summary:
        return await answered(request, service.summary(lake, question, compared=compare is not None))

    @get(
        [f"/cost-by-{name}" for name in DIMENSIONS],
        needs="usage:read",
        summary="What calls cost and used, by one dimension",
    )
    async def costs(
        self,
        request: AnyRequest,
        lake: OfLake,
        question: Question,
        sort: Sort = "cost",
        limit: Limit = LIMIT_DEFAULT,
        compare: Compare = None,
    ) -> Costs:
        """A call with several tags is in the row of each."""
        by = request.url.path.rpartition("/cost-by-")[2]
        compared = compare is not None or sort == service.CHANGE
        return await answered(request, service.costs(lake, question, by, sort, limit, compared=compared))

    @get("/timeseries", needs="usage:read", summary="The same by time: points of any length in any time zone")
    async def timeseries(
        self,
        request: AnyRequest,
        lake: OfLake,
        question: Question,
        by: SeriesBy = None,
        bucket: Bucket = None,
        limit: Annotated[int, QueryParameter(ge=1, le=SERIES_MAX, description="Series")] = SERIES_DEFAULT,
        compare: Compare = None,
    ) -> Timeseries:
        """Whole hours are answered from rollups; shorter buckets, and zones between hours, from the calls."""
        compared = compare is not None
        return await answered(request, service.timeseries(lake, question, by, bucket, limit, compared=compared))

    @get("/latency-pctl", needs="usage:read", summary="Percentiles of latency, time to first token or speed")
    async def latency(
        self,
        request: AnyRequest,
        lake: OfLake,
        question: Question,
        p: Percents = None,
        measure: Measure = "latency_ms",
        by: LatencyBy = None,
        bucket: Bucket = None,
        limit: Limit = LIMIT_DEFAULT,
    ) -> Latency:
        """Each within 1 % of the exact one. `bucket` adds percentiles by time."""
        percents = service.percents(p)
        return await answered(request, service.latency(lake, question, measure, percents, by, bucket, limit))

    @get("/tokens", needs="usage:read", summary="Usage by bucket, what it cost, and what caches saved")
    async def tokens(self, request: AnyRequest, work: InWork, lake: OfLake, question: Question) -> Tokens:
        """At list prices under the organization's own, without tiers; sums of recorded costs are in the summary."""
        return await answered(request, tokens.tokens(lake, question, await prices(work)))

    @get("/errors", needs="usage:read", summary="Calls that failed or were refused, by why")
    async def errors(
        self, request: AnyRequest, lake: OfLake, question: Question, limit: Limit = LIMIT_DEFAULT
    ) -> Errors:
        return await answered(request, shares.errors(lake, question, limit))

    @get("/provenance", needs="usage:read", summary="How much of the cost was measured, and how much is an estimate")
    async def provenance(self, request: AnyRequest, lake: OfLake, question: Question) -> Provenances:
        return await answered(request, shares.provenances(lake, question))

    @get("/forecast", needs="usage:read", summary="What this month will come to, in `tz`")
    async def forecast(self, request: AnyRequest, lake: OfLake, question: Question) -> Forecast:
        """Of the month of now, whatever period is asked for. Filters count."""
        return await answered(request, forecast.forecast(lake, question))

    @get("/calls", needs="usage:read", summary="Calls, newest first or the largest by a number")
    async def list_calls(
        self,
        request: AnyRequest,
        lake: OfLake,
        question: Question,
        sort: CallSort = "at",
        cursor: Cursor = None,
        limit: CallLimit = 50,
    ) -> Calls:
        return await answered(request, calls.calls(lake, question, sort, limit, cursor))

    @get("/top-requests", needs="usage:read", summary="The calls that cost most, or took longest")
    async def top_requests(
        self, request: AnyRequest, lake: OfLake, question: Question, sort: CallSort = "cost", limit: CallLimit = 20
    ) -> Calls:
        return await answered(request, calls.calls(lake, question, sort, limit, None))

    @get("/calls/{request_id:path}", needs="usage:read", summary="One call with its bill, or why it was refused")
    async def call(
        self, request: AnyRequest, work: InWork, lake: OfLake, question: Question, request_id: FromPath[str]
    ) -> CallDetail:
        """Looked for in the period, newest days first. A day that is named is found faster than a month."""
        # Reporters choose the ids of their calls. The framework makes one slash of several, and takes the last away.
        asked_for = unquote(request.scope["raw_path"].decode("latin-1")).partition("/metrics/calls/")[2]
        detail = calls.detail(lake, question, asked_for or request_id, await prices(work))
        return await answered(request, detail)

    @get("/live", needs="usage:read", summary="Calls as they end, as server-sent events", media_type=_EVENTS)
    async def live(
        self,
        work: InWork,
        live: NamedDependency[Live],
        question: Question,
        accept: Accept = None,
        last_event_id: LastEventId = None,
    ) -> Stream:
        """Events `call`, whose data is a call as /v1/metrics/calls has it, and `beat`. Within two seconds of its end;
        after a connection was lost a call may come again, under the same request_id. The period does not matter."""
        if _EVENTS not in (accept or ""):
            raise invalid("header/accept", f"a stream of events is asked for with Accept: {_EVENTS}")
        if last_event_id and not (last_event_id.isdecimal() and len(last_event_id) <= 15):
            raise invalid("header/last-event-id", "send the id of the last event, unchanged")
        live.admit()
        events = live.events(question, work.principal, int(last_event_id) if last_event_id else None)
        return Stream(events, media_type=_EVENTS, headers=_UNBUFFERED)


@cache
def listed_prices() -> Catalog:
    return Catalog.load()


async def prices(work: Work) -> Catalog:
    """The list prices under the organization's own."""
    return catalog_of(listed_prices(), (await work.session.execute(select(PriceOverride))).scalars().all())
