"""Owns what the metrics API answers. Money is a decimal text of dollars; what is unknown is null, and never 0.

Every answer is `about` a period and one state of the lake, and tells of how many calls the cost or the usage is
unknown: those are in no sum.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Usd = Annotated[str, Meta(description="Dollars, as a decimal text", examples=["12.50"])]
UsdOrNone = Annotated[str, Meta(description="Dollars, as a decimal text; null: unknown")] | None
Moment = Annotated[str, Meta(description="RFC 3339", examples=["2026-09-01T00:00:00Z"])]


class About(Struct, frozen=True, kw_only=True):
    """What an answer is about: calls that arrived in [from, to), as the lake was at `as_of`.

    `estimated`: of some of them only a sample is kept, and this was answered from it. Sums are then close and not
    exact, and a list has the calls of the sample, each of which stands for `weight` calls.
    """

    from_: Moment = field(name="from")
    to: Moment
    from_ms: int
    to_ms: int
    tz: str
    project_id: str | None
    as_of: Moment
    as_of_ms: int
    lake_version: int
    estimated: bool = False


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over calls. `ok`, `refused`, `errors` and `left` (the client had gone, or it was cancelled) make up `calls`.

    `unpriced_calls` reached a provider and have no known cost, `unmetered_calls` no known usage: they are in no sum.
    """

    calls: int
    ok: int
    refused: int
    errors: int
    left: int
    cost_usd: UsdOrNone
    tokens_in: int | None
    tokens_out: int | None
    cache_read_tokens: int | None = None
    unpriced_calls: int
    unmetered_calls: int | None = None


class Change(Struct, frozen=True, kw_only=True):
    """This period less the one before. `share` is of the one before (0.25: a quarter more); null where that was 0."""

    calls: int
    cost_usd: Usd
    calls_share: float | None
    cost_share: float | None


class Previous(Struct, frozen=True, kw_only=True):
    """The period of the same length that ends where the other begins."""

    from_: Moment = field(name="from")
    to: Moment
    total: Totals
    change: Change


class Summary(Struct, frozen=True, kw_only=True):
    about: About
    total: Totals
    cost_per_call_usd: UsdOrNone
    error_share: float | None
    previous: Previous | None = None


class CostRow(Struct, frozen=True, kw_only=True):
    """`value` is a model, a key's id …; empty where calls name none. `cost_share` is of the total cost."""

    value: str
    total: Totals
    cost_share: float | None
    previous: Totals | None = None
    change: Change | None = None


class Costs(Struct, frozen=True, kw_only=True):
    """The first rows by the order that was asked for, all `others` together, and the `total` of all.

    A call with several tags is in the row of each: rows by tag may come to more than the total, and have no `others`.
    """

    about: About
    by: str
    rows: list[CostRow]
    others: Totals | None
    total: Totals
    previous: Previous | None = None


class Point(Struct, frozen=True, kw_only=True):
    """Calls that arrived from `at` until the next point's, or the end."""

    at: Moment
    at_ms: int
    total: Totals


class Series(Struct, frozen=True, kw_only=True):
    """`value` null: all that have no series of their own. Every series has the same points."""

    value: str | None
    total: Totals
    points: list[Point]


class Timeseries(Struct, frozen=True, kw_only=True):
    about: About
    bucket: str
    by: str | None
    series: list[Series]
    previous: list[Series] | None = None


class Percentile(Struct, frozen=True, kw_only=True):
    """`p` per cent of the calls have at most `value`."""

    p: float
    value: float


class LatencyRow(Struct, frozen=True, kw_only=True):
    value: str
    calls: int
    percentiles: list[Percentile]


class LatencyPoint(Struct, frozen=True, kw_only=True):
    """`percentiles` is empty where there were no calls."""

    at: Moment
    at_ms: int
    calls: int
    percentiles: list[Percentile]


class Latency(Struct, frozen=True, kw_only=True):
    """Percentiles of `measure` (`latency_ms`, `ttft_ms`, `output_tokens_per_s`), each within 1 % of the exact one.

    Refused calls reached no provider and are not in it; nor are calls of which the measure is unknown.
    """

    about: About
    measure: str
    error_share: float
    by: str | None
    total: LatencyRow
    rows: list[LatencyRow]
    bucket: str | None = None
    points: list[LatencyPoint] | None = None


class TokenRow(Struct, frozen=True, kw_only=True):
    """What was counted in one bucket of usage, and what that cost at the prices of its days.

    `unpriced_count` of it has no price and is in no sum. `saved_usd` below 0: it cost more than it would have uncached.
    """

    bucket: str
    count: int
    unpriced_count: int
    cost_usd: UsdOrNone
    saved_usd: UsdOrNone = None


class Tokens(Struct, frozen=True, kw_only=True):
    """Usage by disjoint bucket, at list prices. `saved_usd`: what reading caches saved, less what writing them cost.

    `unpriced_tokens` are cached ones of models without a price: what they saved is unknown, and in no sum.
    """

    about: About
    total: Totals
    rows: list[TokenRow]
    cache_read_share: float | None
    saved_usd: Usd
    unpriced_tokens: int


class ErrorRow(Struct, frozen=True, kw_only=True):
    """Calls that did not end well, alike in these. `refusal_code` is of the gateway's own refusals."""

    outcome: str
    status: int | None
    refusal_code: str
    provider: str
    calls: int
    share: float


class Errors(Struct, frozen=True, kw_only=True):
    about: About
    total: Totals
    rows: list[ErrorRow]


class ProvenanceRow(Struct, frozen=True, kw_only=True):
    """`measured`: the provider's own count; `estimated` is not; `unknown`: there is none; `none`: nothing was used."""

    provenance: str
    kind: str
    calls: int
    calls_share: float
    cost_usd: UsdOrNone
    cost_share: float | None


class Provenances(Struct, frozen=True, kw_only=True):
    about: About
    total: Totals
    rows: list[ProvenanceRow]
    measured_cost_share: float | None
    measured_calls_share: float | None


class Forecast(Struct, frozen=True, kw_only=True):
    """What the month will come to: what is spent, and for the hours that are left what like hours lately cost.

    `low_usd` to `high_usd` is where it ends in four of five months, if days go on to vary as they did lately; null, as
    `projected_usd` is, while less than a day is known. `method`: `week` compares with the same hour of a week, `day`
    with the same hour of a day.
    """

    about: About
    month: str
    ends_at: Moment
    spent_usd: Usd
    projected_usd: UsdOrNone
    low_usd: UsdOrNone
    high_usd: UsdOrNone
    method: str | None
    burn_usd_per_hour: Usd
    previous_month_usd: Usd
    unpriced_calls: int


class Bucket(Struct, frozen=True, kw_only=True):
    """One line of a call's bill. The rates are those of its time; a call's cost is rounded once, its lines are not."""

    bucket: str
    count: int
    usd_per_million: UsdOrNone
    cost_usd: UsdOrNone


class Call(Struct, frozen=True, kw_only=True):
    """One call, as its record says. No prompt and no answer is in it, nor anywhere in the lake.

    `weight` is for how many calls it stands: 1, but on days of which a sample is kept.
    """

    request_id: str
    at: Moment
    at_ms: int
    project_id: str
    key_id: str
    user_id: str
    team: str
    tags: list[str]
    route: str
    provider: str
    upstream: str
    endpoint: str
    model: str
    model_requested: str
    stream: bool
    outcome: str
    status: int | None
    refusal_code: str
    provenance: str
    price_match: str
    cost_usd: UsdOrNone
    tokens_in: int | None
    tokens_out: int | None
    cache_read_tokens: int | None
    latency_ms: float | None
    ttft_ms: float | None
    output_tokens_per_s: float | None
    flags: list[str]
    weight: int = 1


class Calls(Struct, frozen=True, kw_only=True):
    """A page of calls. `next_cursor` fetches those that follow, null at the end; there is none but by time."""

    about: About
    items: list[Call]
    next_cursor: str | None = None


class CallDetail(Struct, frozen=True, kw_only=True):
    """A call with its bill, or why it was refused.

    `buckets` is null where the usage is unknown. `explained` is whether the buckets, at the catalog's prices of the
    time, come to the recorded cost; where overrides or a tier applied, they may not, and then the record holds.
    """

    call: Call
    buckets: list[Bucket] | None
    explained: bool
    price_version: str
    price_model: str | None
    service_tier: str
    mode: str
    upstream_status: int | None
    upstream_request_id: str
    bytes_in: int
    bytes_out: int
    metadata: str | None
    counters: dict[str, int] | None
    work_id: str | None
    refused: str | None
    as_of: Moment
