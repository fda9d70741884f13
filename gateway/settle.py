"""Stage 6: what it cost. Reading, Route, Call, Catalog -> Charge.

Owns which price applies: the answering model's, at the tier and modifiers the answer names, and the
operator's own map where a name is only his.
"""

import msgspec

from gateway.contract.record import COST_TOO_LARGE, PriceMatch, Provenance
from gateway.examine import Call
from gateway.ledger.base import AMOUNT_MAX
from gateway.metering.counts import COUNT_MAX, INCONSISTENT
from gateway.metering.reading import Reading
from gateway.route import Destination, Route
from pricing.catalog import Catalog, Unpriced
from pricing.cost import Cost, cost
from pricing.usage import Usage


class Charge(msgspec.Struct, frozen=True, gc=False):
    """A call's usage and cost. `cost_nanousd` None is unknown; 0 was found to cost nothing."""

    provenance: Provenance
    usage: Usage | None = None
    tokens_in: int | None = None  # of that usage
    tokens_out: int | None = None
    cost_nanousd: int | None = None
    price_match: PriceMatch = "none"
    price_version: str = ""
    model: str = ""
    service_tier: str = ""
    flags: tuple[str, ...] = ()
    work_id: str = ""


# Never dispatched, refused by the provider, or of an endpoint that is free.
FREE = Charge("none", cost_nanousd=0)
# It tells of work that another call was charged for.
CHARGED_BEFORE = Charge("none", cost_nanousd=0, flags=("charged_before",))
# Dispatched, and nothing is known of what it cost.
UNKNOWN = Charge("unknown")


def settle(reading: Reading, route: Route, call: Call, catalog: Catalog, at_s: int, *, served_by: str = "") -> Charge:
    """The charge for what was read. Any line without a price makes the whole cost unknown, never too small.

    A sum beyond what can be counted is nobody's usage: it is unknown, as is what it costs.
    `served_by` is the deployment that the answer's head names, where one stood in for another (Azure's spillover).
    """
    destination = route.destination
    model, mapped = _priced_model(reading.model, served_by or call.model, destination)
    context = reading.context
    if reading.service_tier:
        context = (("service_tier", reading.service_tier), *context)
    work_id = _work_id(reading.work_id, destination) if reading.work_id else ""
    if not reading.lines:
        provenance = reading.provenance if reading.provenance in ("deferred", "none") else "unknown"
        tier, nanousd = reading.service_tier or "", 0 if provenance == "none" else None
        return Charge(
            provenance, cost_nanousd=nanousd, model=model, service_tier=tier, flags=reading.flags, work_id=work_id
        )
    usage: Usage | None = None
    amount: Cost | None = None
    match: PriceMatch = "none"
    flags = reading.flags
    provider, scope = destination.provider.catalog, destination.upstream.name
    for line in reading.lines:
        usage = line.usage if usage is None else usage + line.usage
        name, is_mapped, priced_in = model, mapped, context
        if line.model is not None:
            (name, is_mapped), priced_in = _priced_model(line.model, "", destination), reading.context
        price = catalog.find(provider, name, at_s, priced_in, scope=scope, mapped=is_mapped)
        if isinstance(price, Unpriced):
            match, flags = "unpriced", (*flags, price.reason)
            continue
        line_cost = cost(line.usage, price, line.each_in)
        amount = line_cost if amount is None else amount + line_cost
        if match == "none":
            match = price.match
    if amount is not None and amount.unpriced_buckets:
        match, flags = "unpriced", (*flags, *(f"no_rate:{bucket}" for bucket in amount.unpriced_buckets))
    assert usage is not None, "there are lines"
    tier = reading.service_tier or ""
    if len(flags) > 1:
        flags = tuple(dict.fromkeys(flags))
    tokens_in, tokens_out = usage.tokens_in, usage.tokens_out
    # Each number of an answer makes sense by itself, but of its lines there may be many.
    if tokens_in > COUNT_MAX or tokens_out > COUNT_MAX:
        return Charge("unknown", model=model, service_tier=tier, flags=(*flags, INCONSISTENT), work_id=work_id)
    nanousd = None if amount is None or match == "unpriced" else amount.nanousd
    if nanousd is not None and nanousd > AMOUNT_MAX:
        # No call costs nine million dollars: the usage or the price is wrong, and columns and sums have no room for it.
        nanousd, match, flags = None, "unpriced", (*flags, COST_TOO_LARGE)
    return Charge(
        reading.provenance,
        usage,
        tokens_in,
        tokens_out,
        nanousd,
        match,
        catalog.version,
        model,
        tier,
        flags,
        work_id,
    )


def _work_id(id: str, destination: Destination) -> str:
    """Providers' ids are unique among their own; but an organization's upstream may be anybody and tell anything."""
    org_id = destination.upstream.org_id
    return f"{org_id}/{destination.provider.name}:{id}" if org_id else f"{destination.provider.name}:{id}"


def _priced_model(answered: str | None, requested: str, destination: Destination) -> tuple[str, bool]:
    """The model to price, and whether the operator's map named it. The map wins over what the answer says."""
    models = destination.upstream.models
    if models:
        named = models.get(requested) or models.get(answered or "")
        if named:
            return named, True
    return answered or _without_arn(requested), False


def _without_arn(model: str) -> str:
    """The model or inference profile that an ARN names: arn:aws:bedrock:us-east-1:1:inference-profile/amazon.nova."""
    return model.rpartition("/")[2] if model.startswith("arn:") else model
