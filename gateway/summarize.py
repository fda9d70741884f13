"""Stage 7: what is remembered. Exchange, Charge -> Record; exactly one per call, and its intent before it."""

import msgspec

from gateway.contract.record import NAME_CHARS_MAX, Record, encode_record
from gateway.faults import Refusal
from gateway.forward import Exchange
from gateway.identify import Caller
from gateway.route import Route
from gateway.session_tap import Measured
from gateway.settle import Charge


def draft(caller: Caller, route: Route | None) -> Record:
    """What the records of all calls say that come from a caller and go one way; None: none was found."""
    destination = route.destination if route is not None else None
    endpoint = route.endpoint.name if route is not None else ""
    return Record(
        request_id="",
        ts_ns=0,
        org_id=caller.project.org_id,
        project_id=caller.project.id,
        key_id=caller.key.id,
        user_id=caller.user_id,
        team=caller.team,
        route=caller.route or endpoint,
        tags=caller.tags,
        metadata=caller.metadata,
        upstream=destination.upstream.name if destination is not None else "",
        provider=destination.provider.name if destination is not None else "",
        endpoint=endpoint,
        mode=caller.key.mode,
    )


def summarize_intent(exchange: Exchange, held: dict[str, int] | None = None) -> Record:
    """The record of a call that passed `identify`, as far as it is known before it is dispatched; `held` by counter.

    Replacing costs half of building it anew.
    """
    caller, plan, call, request = exchange.caller, exchange.plan, exchange.call, exchange.request
    assert caller is not None, "a call without a caller leaves no record"
    drafted = plan.draft if plan is not None else draft(caller, None)
    model = call.model if call is not None else ""
    return msgspec.structs.replace(
        drafted,
        request_id=exchange.id,
        ts_ns=request.arrived_ns,
        user_id=call.user_id if call is not None else caller.user_id,
        model_requested=model,
        model=model,
        stream=call.stream if call is not None else False,
        bytes_in=len(request.body),
        counters=held,
    )


def summarize(exchange: Exchange, charge: Charge, ended_ns: int) -> Record:
    """The final record: the intent, and how the call ended."""
    intent = exchange.intent or summarize_intent(exchange)
    usage = charge.usage
    return msgspec.structs.replace(
        intent,
        model=charge.model[:NAME_CHARS_MAX] or intent.model,  # what a provider calls things may be of any length
        outcome=exchange.outcome,
        status=exchange.status,
        refusal_code=exchange.refusal.code if exchange.refusal is not None else "",
        provenance=charge.provenance,
        tokens_in=charge.tokens_in,
        tokens_out=charge.tokens_out,
        buckets=dict(usage.buckets()) if usage is not None else None,
        cost_nanousd=charge.cost_nanousd,
        price_match=charge.price_match,
        price_version=charge.price_version,
        service_tier=charge.service_tier[:NAME_CHARS_MAX],
        work_id=charge.work_id[:NAME_CHARS_MAX],
        latency_us=(ended_ns - exchange.request.started_ns) // 1000,
        ttft_us=None if exchange.ttft_ns is None else exchange.ttft_ns // 1000,
        bytes_in=intent.bytes_in + exchange.bytes_in,
        bytes_out=exchange.bytes_out,
        upstream_status=exchange.upstream_status,
        upstream_request_id=exchange.upstream_request_id,
        flags=(*exchange.flags, *charge.flags),
        counters=exchange.counters,
        ledger_seq=exchange.ledger_seq,
        refusal_reason=exchange.refusal.why if exchange.refusal is not None else "",
    )


def summarize_response(exchange: Exchange, measured: Measured, charge: Charge, ended_ns: int) -> Record:
    """The record of one response of a session: the session's own, with what was this response's."""
    began_ns = measured.began_ns - exchange.request.started_ns
    return msgspec.structs.replace(
        summarize(exchange, charge, ended_ns),
        request_id=f"{exchange.id}-{exchange.responses}",
        ts_ns=exchange.request.arrived_ns + began_ns,
        model_requested=measured.model,
        model=charge.model[:NAME_CHARS_MAX] or measured.model,
        outcome="ok",
        refusal_code="",
        refusal_reason="",
        latency_us=(ended_ns - measured.began_ns) // 1000,
        bytes_in=0,
        bytes_out=0,
        upstream_request_id=(measured.reading.response_id or exchange.upstream_request_id)[:NAME_CHARS_MAX],
        flags=("websocket", *charge.flags),
    )


def summarize_stranger(request_id: str, arrived_ns: int, refusal: Refusal | None) -> Record:
    """What is counted, and not recorded, of somebody who could not be identified."""
    status, code = (refusal.status, refusal.code) if refusal is not None else (0, "")
    return Record(request_id=request_id, ts_ns=arrived_ns, outcome="refused", status=status, refusal_code=code)


def resolve_open(record: Record, ledger_seq: int) -> bytes:
    """The final payload of a call that a dead process left open: dispatched, perhaps billed, its usage unknown.

    Its counters are charged what it held.
    """
    return encode_record(
        msgspec.structs.replace(
            record,
            outcome="crashed",
            provenance="held",
            flags=(*record.flags, "crashed"),
            ledger_seq=ledger_seq,
        )
    )
