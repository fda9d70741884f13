"""Owns Event: what a caller reports of a call of its own, and the Record that it becomes. Pure.

The fields are those of gateway/contract/record.py that a reporter can know, in the API's units. What is left out is
unknown, which is not zero; a cost that is left out is looked up by the same prices that gateways settle with.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, cast

import msgspec
from msgspec import Meta

from control_plane.api.money import NANO, NANOUSD_MAX
from control_plane.api.text import Id, Label, LabelOrNone
from gateway.contract.record import COST_TOO_LARGE, Outcome, PriceMatch, Provenance, Record
from gateway.identify import METADATA_BYTES_MAX, TAGS_MAX
from gateway.providers import PROVIDERS
from pricing.catalog import Catalog, Unpriced
from pricing.cost import cost
from pricing.usage import Usage

# In the flags of every record that was reported and not proxied.
REPORTED = "reported_by_caller"
# A clock may be ahead a little; what was buffered for a month still counts, and older reports are a mistake.
AHEAD_S = 300
BEHIND_S = 31 * 86_400
# Deeper metadata is nobody's; walking it must not meet Python's own limit.
METADATA_DEPTH_MAX = 16
# As gateways believe it of providers: no call has a trillion of anything.
_COUNT_MAX = 10**12
_HOUR_MS = 3_600_000.0

Count = Annotated[int, Meta(ge=0, le=_COUNT_MAX)]
Milliseconds = Annotated[float, Meta(ge=0, le=1000 * _HOUR_MS)]
Status = Annotated[int, Meta(ge=100, le=599)]
ReportedOutcome = Literal["ok", "refused", "upstream_error", "client_gone", "cancelled", "crashed"]
ReportedProvenance = Literal["reported", "partial", "estimated", "unknown", "none"]


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call. `ts` is RFC 3339 with its zone, when the call began; `cost_usd` is what the reporter knows it cost."""

    request_id: Label
    ts: Annotated[datetime, Meta(tz=True)]
    project_id: Id | None = None
    user_id: LabelOrNone = ""
    team: LabelOrNone = ""
    route: LabelOrNone = ""
    tags: Annotated[tuple[Label, ...], Meta(max_length=TAGS_MAX)] = ()
    metadata: dict[str, Any] | None = None
    upstream: LabelOrNone = ""
    provider: LabelOrNone = ""
    endpoint: LabelOrNone = ""
    model_requested: Annotated[str, Meta(max_length=256)] = ""
    model: Annotated[str, Meta(max_length=256)] = ""
    stream: bool = False
    outcome: ReportedOutcome | None = None
    status: Status | None = None
    provenance: ReportedProvenance | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    buckets: dict[str, Count] | None = None
    cost_usd: Decimal | None = None
    service_tier: LabelOrNone = ""
    latency_ms: Milliseconds | None = None
    ttft_ms: Milliseconds | None = None
    bytes_in: Count = 0
    bytes_out: Count = 0
    upstream_request_id: LabelOrNone = ""


class Origin(NamedTuple):
    """Whose events they are: what the key that signed them says."""

    org_id: str
    key_id: str
    project_id: str | None  # None: an event names one of `projects`
    projects: frozenset[str]
    catalog: Catalog


class _Charge(NamedTuple):
    cost_nanousd: int | None
    match: PriceMatch
    version: str = ""
    flags: tuple[str, ...] = ()


def wrongs(event: Event, origin: Origin, now_s: int) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of whatever the types alone do not say."""
    at_s = event.ts.timestamp()
    if at_s > now_s + AHEAD_S:
        yield "ts", f"is more than {AHEAD_S // 60} minutes in the future; check the sender's clock"
    elif at_s < now_s - BEHIND_S:
        yield "ts", f"is more than {BEHIND_S // 86_400} days past; so old events are not taken"
    project_id = event.project_id or origin.project_id
    if project_id is None:
        yield "project_id", "must be named: the key is of the whole organization"
    elif origin.project_id not in (None, project_id) or project_id not in origin.projects:
        yield "project_id", "is none that the key may report for, or is archived"
    if event.metadata is not None and (wrong := _wrong_metadata(event.metadata)):
        yield "metadata", wrong
    if event.cost_usd is not None and _nanousd(event.cost_usd) is None:
        yield "cost_usd", f"must be dollars from 0 to {NANOUSD_MAX // NANO}"
    yield from _wrong_usage(event)


def to_record(event: Event, origin: Origin) -> Record:
    """The record of an event with which nothing is wrong."""
    usage = _usage(event)
    charge = _charge(event, usage, origin.catalog)
    return Record(
        request_id=event.request_id,
        ts_ns=_ns(event.ts),
        org_id=origin.org_id,
        project_id=event.project_id or origin.project_id or "",
        key_id=origin.key_id,
        user_id=event.user_id,
        team=event.team,
        route=event.route or event.endpoint,
        tags=tuple(dict.fromkeys(event.tags)),
        metadata="" if event.metadata is None else msgspec.json.encode(event.metadata).decode(),
        upstream=event.upstream or event.provider,
        provider=event.provider,
        endpoint=event.endpoint,
        model_requested=event.model_requested or event.model,
        model=event.model or event.model_requested,
        stream=event.stream,
        outcome=_outcome(event),
        status=event.status or 0,
        provenance=_provenance(event, usage),
        tokens_in=None if usage is None else usage.tokens_in,
        tokens_out=None if usage is None else usage.tokens_out,
        buckets=None if usage is None else dict(usage.buckets()),
        cost_nanousd=charge.cost_nanousd,
        price_match=charge.match,
        price_version=charge.version,
        service_tier=event.service_tier,
        latency_us=_us(event.latency_ms),
        ttft_us=_us(event.ttft_ms),
        bytes_in=event.bytes_in,
        bytes_out=event.bytes_out,
        upstream_request_id=event.upstream_request_id,
        flags=(REPORTED, *charge.flags),
    )


def _outcome(event: Event) -> Outcome:
    if event.outcome is not None:
        return event.outcome
    return "upstream_error" if event.status is not None and event.status >= 400 else "ok"


def _provenance(event: Event, usage: Usage | None) -> Provenance:
    if event.provenance is not None:
        return event.provenance
    return "unknown" if usage is None else "reported"


def _usage(event: Event) -> Usage | None:
    """Tokens without buckets are text that no cache served."""
    if event.buckets is not None:
        return Usage(**event.buckets)
    if event.tokens_in is None or event.tokens_out is None:
        return None
    return Usage(input_text=event.tokens_in, output_text=event.tokens_out)


def _wrong_usage(event: Event) -> Iterator[tuple[str, str]]:
    if event.buckets is None:
        if (event.tokens_in is None) != (event.tokens_out is None):
            yield "tokens_in", "and tokens_out go together: name both or neither"
        return
    if unknown := sorted(event.buckets.keys() - _BUCKETS):
        yield "buckets", f"has no bucket {unknown[0][:64]!r}; choose from {', '.join(Usage.__struct_fields__)}"
        return
    usage = Usage(**event.buckets)
    for name in ("tokens_in", "tokens_out"):
        stated, summed = getattr(event, name), getattr(usage, name)
        if stated not in (None, summed):
            yield name, f"is {stated}, but its buckets sum to {summed}"


_BUCKETS = frozenset(Usage.__struct_fields__)


def _charge(event: Event, usage: Usage | None, catalog: Catalog) -> _Charge:
    """What the reporter says it cost, else what the catalog says; without usage or price it is unknown."""
    if event.cost_usd is not None:
        return _Charge(_nanousd(event.cost_usd), "stated")
    if usage is None:
        return _Charge(None, "none")
    price = catalog.find(
        _priced_by(event.provider),
        event.model or event.model_requested,
        int(event.ts.timestamp()),
        (("service_tier", event.service_tier),) if event.service_tier else (),
        scope=event.upstream or event.provider,
    )
    if isinstance(price, Unpriced):
        return _Charge(None, "unpriced", catalog.version, (price.reason,))
    amount = cost(usage, price)
    if amount.unpriced_buckets:
        return _Charge(None, "unpriced", catalog.version, tuple(f"no_rate:{name}" for name in amount.unpriced_buckets))
    if amount.nanousd > NANOUSD_MAX:
        return _Charge(None, "unpriced", catalog.version, (COST_TOO_LARGE,))
    return _Charge(amount.nanousd, price.match, catalog.version)


def _priced_by(provider: str) -> str:
    """The price list's id of a provider: ours of it, else what the reporter calls it."""
    known = PROVIDERS.get(provider)
    return provider if known is None else known.catalog


def _nanousd(amount_usd: Decimal) -> int | None:
    """Rounded half to even, once; None for what is no amount of money."""
    # Looked at before any arithmetic: an exponent can be as large as it likes.
    if not amount_usd.is_finite() or amount_usd < 0 or amount_usd > NANOUSD_MAX // NANO:
        return None
    return int((amount_usd * NANO).to_integral_value())


def _wrong_metadata(metadata: dict[str, Any]) -> str:
    if not _is_shallow(metadata, METADATA_DEPTH_MAX):
        return f"is nested deeper than {METADATA_DEPTH_MAX}"
    if len(msgspec.json.encode(metadata)) > METADATA_BYTES_MAX:
        return f"has more than {METADATA_BYTES_MAX} bytes"
    return ""


def _is_shallow(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_is_shallow(inner, depth - 1) for inner in cast(dict[str, Any], value).values())
    if isinstance(value, list):
        return depth > 0 and all(_is_shallow(inner, depth - 1) for inner in cast(list[Any], value))
    return True


def _ns(at: datetime) -> int:
    utc = at.astimezone(UTC)
    return (int(utc.replace(microsecond=0).timestamp()) * 1_000_000 + utc.microsecond) * 1000


def _us(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms * 1000)
