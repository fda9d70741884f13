"""Owns the routes of analytics: what calls cost and used, how fast they were, what failed."""

from typing import Annotated, Any, Literal

from litestar import Controller, Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from control_plane.analytics import service
from control_plane.analytics.asked import Asked, asked
from control_plane.analytics.schema import Costs, Latency, Summary, Timeseries
from control_plane.analytics.waiting import answered
from control_plane.lake.query import Lake

DIMENSIONS = ("model", "user", "key", "team", "tag", "route", "provider", "project", "outcome", "status", "provenance")
LIMIT_DEFAULT, LIMIT_MAX = 20, 1000
SERIES_DEFAULT, SERIES_MAX = 6, 20

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
