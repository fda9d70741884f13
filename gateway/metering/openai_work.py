"""Owns the reading of OpenAI's long-running work, as its retrieval tells of it: batches and fine-tuning jobs.

Shapes are openai 3.54.0, types/batch.py and types/fine_tuning/fine_tuning_job.py. Every reading names its work,
since any number of retrievals tells the same.
"""

import msgspec

from gateway.metering.counts import INCONSISTENT, Contradiction, Count, is_stated, text_or_none
from gateway.metering.openai_usage import TokenUsage
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# What a batch costs half of the list price by; its answer does not say so.
_TIER = "batch"
# Its requests were of any length, and only their sum is told: long-context rates are chosen by their average.
CONTEXT_AVERAGED = "context_averaged"
_BATCH_ENDED = frozenset(("completed", "expired", "cancelled", "failed"))
_JOB_ENDED = frozenset(("succeeded", "failed", "cancelled"))


class _Work(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    status: object = None
    model: object = None


class _Batch(_Work, frozen=True, gc=False):
    usage: msgspec.Raw = msgspec.Raw()  # only of batches made after 2025-09-07
    request_counts: msgspec.Raw = msgspec.Raw()


class _Requests(msgspec.Struct, frozen=True, gc=False):
    completed: Count | None = None


class _Job(_Work, frozen=True, gc=False):
    trained_tokens: Count | None = None


_batches = msgspec.json.Decoder(_Batch)
_jobs = msgspec.json.Decoder(_Job)
_requests = msgspec.json.Decoder(_Requests)
_usages = msgspec.json.Decoder(TokenUsage)


def read_batch(payload: bytes, about: About) -> Reading:
    """One batch. Raises NotJson or msgspec.ValidationError for what is none."""
    batch = jsontext.decode(_batches, payload)
    if batch.status not in _BATCH_ENDED:
        return _unfinished(batch)
    try:
        usage = Usage(**jsontext.decode_member(_usages, batch.usage).buckets()) if is_stated(batch.usage) else None
    except (msgspec.ValidationError, Contradiction):
        return _ended(batch, None, _TIER, (INCONSISTENT,))
    completed = _completed(batch.request_counts)
    if completed == 0 and (usage is None or usage == Usage()):
        return msgspec.structs.replace(_ended(batch, None, _TIER), provenance="none")
    if usage is None or completed is None or completed < 2:
        return _ended(batch, usage, _TIER)
    return _ended(batch, usage, _TIER, (CONTEXT_AVERAGED,), each_in=-(-usage.tokens_in // completed))


def _completed(stated: msgspec.Raw) -> int | None:
    """How many requests the usage is the sum of; None where it is not told."""
    try:
        return jsontext.decode_member(_requests, stated).completed if is_stated(stated) else None
    except msgspec.ValidationError:
        return None


def read_job(payload: bytes, about: About) -> Reading:
    """One fine-tuning job, on its base model. Raises NotJson or msgspec.ValidationError for what is none."""
    job = jsontext.decode(_jobs, payload)
    if job.status not in _JOB_ENDED:
        return _unfinished(job)
    return _ended(job, None if job.trained_tokens is None else Usage(trained_tokens=job.trained_tokens))


def _unfinished(work: _Work) -> Reading:
    """Usage is told later, if this is work at all: an error has no status."""
    work_id = text_or_none(work.id)
    provenance = "deferred" if work_id and text_or_none(work.status) else "unknown"
    return Reading(provenance=provenance, model=text_or_none(work.model), work_id=work_id)


def _ended(
    work: _Work,
    usage: Usage | None,
    tier: str | None = None,
    flags: tuple[str, ...] = (),
    *,
    each_in: int | None = None,
) -> Reading:
    return Reading(
        lines=() if usage is None else (Line(usage, each_in=each_in),),
        provenance="unknown" if usage is None else "reported",
        model=text_or_none(work.model),
        service_tier=tier,
        response_id=text_or_none(work.id),
        work_id=text_or_none(work.id),
        flags=flags,
    )
