"""Every recorded call, judged by its request as before it is forwarded: what it then cost is within that."""

import msgspec
import pytest

from gateway.endpoints import APIS
from gateway.examine import Call
from gateway.metering.meter import StreamMeter, read_body
from gateway.providers import PROVIDERS
from gateway.route import Route
from gateway.settle import settle
from gateway.worst_case import WorstCase, tighten, worst_case
from pricing.catalog import Catalog
from tests.golden.recordings import ABSENT, FILE, Recording, recordings
from tests.support.stages import NOW_S
from tests.support.worst_cases import CHAT, route_at

if not FILE.exists():
    pytest.skip(ABSENT, allow_module_level=True)

CATALOG = Catalog.load()
ENDPOINTS = {row.endpoint.reader: row.endpoint for rows in APIS.values() for row in rows if not row.endpoint.retrieves}
del ENDPOINTS[""]
# Two recordings of one call, whose 18,000 tokens of instructions were cut to these words before it was published.
SHORTENED = b"very very long system prompt"
JUDGED = [
    recording
    for recording in recordings()
    if recording.request.startswith(b"{") and recording.provider in PROVIDERS and recording.reader in ENDPOINTS
    if not recording.is_error and not recording.messages and SHORTENED not in recording.request
]
# So many recorded calls have a bound and a usage at least: 111 when this was written.
BOUNDED_MIN = 100


def route_of(recording: Recording) -> Route:
    """The route to the provider that answered; deployments of Azure are mapped to the model that they are of."""
    route = route_at(CHAT)
    provider = PROVIDERS[recording.provider]
    models = {recording.requested_model or "": recording.model or ""} if recording.provider == "azure" else {}
    upstream = msgspec.structs.replace(route.destination.upstream, name=provider.name, models=models)
    destination = msgspec.structs.replace(route.destination, provider=provider, upstream=upstream)
    return msgspec.structs.replace(route, destination=destination, endpoint=ENDPOINTS[recording.reader])


def reading_of(recording: Recording):
    if not recording.stream:
        return read_body(recording.reader, recording.about, recording.body)
    meter = StreamMeter(recording.reader, recording.about, strip=False, event_bytes_max=1 << 24, text_bytes_max=1 << 16)
    meter.feed(recording.body)
    meter.flush()
    return meter.finish(True)


def judge(recording: Recording):
    call = Call(recording.requested_model or "", recording.stream, "", b"", False, recording.request)
    route = route_of(recording)
    return call, route, worst_case(call, route, CATALOG, NOW_S)


def test_no_recorded_call_cost_more_than_its_bound_counted_or_not():
    bounded, wrong = 0, []
    for recording in JUDGED:
        call, route, worst = judge(recording)
        charge = settle(reading_of(recording), route, call, CATALOG, NOW_S)
        if not isinstance(worst, WorstCase) or charge.usage is None:
            continue
        bounded += 1
        for each in (worst, tighten(worst, call, route)):
            used = (charge.usage.tokens_in, charge.usage.tokens_out, charge.cost_nanousd or 0)
            nanousd = each.nanousd if each.unpriced is None else used[2]
            most = (each.tokens_in, each.tokens_out, nanousd)
            if any(one > limit for one, limit in zip(used, most, strict=True)):
                wrong.append((recording.kind, recording.requested_model, used, most, each.flags))
    assert wrong == []
    assert bounded > BOUNDED_MIN
