"""Owns what is promised of any reported batch and of any file of reported events: refused, or whole."""

import gzip
from collections.abc import Iterator

import msgspec

from control_plane.api.problems import Problem
from control_plane.ingest import batch
from control_plane.ingest.detect import KINDS
from control_plane.ingest.event import Origin, to_record, wrongs
from control_plane.ingest.landed import BatchFault, encode_batch, read_records
from control_plane.ingest.redact import Pattern, Redactor, Rules
from control_plane.keyring import Keyring
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from pricing.catalog import Catalog

_NOW_S = 1_790_000_000
_PROJECT = "prj_00000000000000000000000001"
_ORIGIN = Origin("org_1", "igk_1", _PROJECT, frozenset((_PROJECT,)), Catalog.load())
_REDACTOR = Redactor(Rules(hash=["user_id"], detect=list(KINDS), patterns=[Pattern("[a-z]+7")]), b"key")
_RING = Keyring({"fuzz": b"f" * 32})


def body(data: bytes) -> None:
    """A body is refused with a status, or all its events that are not wrong become records that land and come back."""
    for encoding in (b"", b"gzip"):
        try:
            events = batch.decode(batch.inflated(data, encoding))
        except Problem as refusal:
            if refusal.status not in (400, 413) or len(refusal.errors) > batch.PROBLEMS_MAX:
                raise
            continue
        good = [event for event in events if not list(wrongs(event, _ORIGIN, _NOW_S))]
        records = [to_record(event, _ORIGIN) for event in _REDACTOR(good)]
        assert read_records(encode_batch(records, _RING), _RING) == records
        if records:
            to_table(records)


def file(data: bytes) -> None:
    """Only what a key signed is read; without a ring, what is no such file is said to be none."""
    signed = data in _FILES
    try:
        records = read_records(data, _RING)
    except BatchFault:
        assert not signed
    else:
        assert len(records) == data.partition(b"\n")[2].count(b"\n")
    try:
        read_records(data, None)
    except BatchFault:
        assert not signed


def bodies() -> Iterator[bytes]:
    bare = {"request_id": "r", "ts": "2026-09-21T14:13:20Z"}
    full = bare | {
        "user_id": "ada@example.com", "tags": ["a", "b7"], "metadata": {"x": [1, {"y": "10.0.0.1"}, 4111111111111111]},
        "provider": "openai", "model": "gpt-4o", "buckets": {"input_text": 10, "output_text": 5}, "cost_usd": "0.01",
        "status": 200, "latency_ms": 12.5, "service_tier": "flex", "outcome": "ok", "stream": True,
    }  # fmt: skip
    for events in ([bare], [full], [bare, full, bare]):
        yield msgspec.json.encode(events)
        yield b"\n".join(msgspec.json.encode(event) for event in events)
        yield gzip.compress(msgspec.json.encode(events))


def files() -> Iterator[bytes]:
    yield from _FILES


_FILES = [
    encode_batch([Record(request_id="a", ts_ns=1), Record(request_id="b", ts_ns=2, buckets={"x": 1})], _RING),
    encode_batch([], _RING),
]
