"""Owns calls for tests of the lake: varied ones from a seed, landed as gateways do; sums of them in plain Python."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.lake.scope import rollup_sql
from control_plane.lake.snapshot import Snapshot
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet
from gateway.lake.schema import SCHEMA

PROJECTS = ("prj_a", "prj_b")
MODELS = (("openai", "gpt-4o-mini"), ("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("vllm", "own-model"))
OUTCOMES = ("ok",) * 14 + ("refused", "upstream_error", "client_gone", "gateway_error", "cancelled", "crashed")
_STATUS = {"ok": 200, "refused": 402, "upstream_error": 502, "client_gone": 200, "gateway_error": 500}


def varied(org_id: str, count: int, ends_at_s: int, *, seed: int = 1, span_s: int = 3 * 86_400) -> list[Record]:
    """Calls of the time before `ends_at_s`, of all outcomes, some without a price, some without a usage."""
    draw = random.Random(f"{seed} {org_id}")
    return [_call(draw, org_id, number, ends_at_s, span_s) for number in range(count)]


def _call(draw: random.Random, org_id: str, number: int, ends_at_s: int, span_s: int) -> Record:
    provider, model = draw.choice(MODELS)
    outcome = draw.choice(OUTCOMES)
    refused, metered = outcome == "refused", draw.random() > 0.1
    buckets = _buckets(draw) if metered and not refused else None
    latency_us = draw.randrange(1_000, 30_000_000)
    return Record(
        request_id=f"req_{org_id}_{number:05}",
        ts_ns=(ends_at_s * 10**6 - draw.randrange(1, span_s * 10**6)) * 1000,
        org_id=org_id,
        project_id=draw.choice(PROJECTS),
        key_id=draw.choice(("key_1", "key_2", "key_3")),
        user_id=draw.choice(("", "ada", "grace", "linus")),
        team=draw.choice(("", "search", "support")),
        tags=draw.choice(((), ("batch",), ("batch", "eu"), ("eu",))),
        route=draw.choice(("chat", "summaries")),
        upstream=provider,
        provider=provider,
        endpoint="chat.completions",
        model=model,
        model_requested=model,
        mode="metered",
        stream=draw.random() > 0.3,
        outcome=outcome,  # type: ignore[arg-type]
        status=_STATUS.get(outcome, 0),
        refusal_code="budget_exceeded" if refused else "",
        provenance="none"
        if refused
        else draw.choice(("reported", "reported", "partial", "estimated"))
        if metered
        else "unknown",
        tokens_in=None if buckets is None else _tokens(buckets, ("input", "cache")),
        tokens_out=None if buckets is None else _tokens(buckets, ("output",)),
        buckets=buckets,
        cost_nanousd=None if buckets is None or provider == "vllm" else draw.randrange(1, 10**9),
        price_match="unpriced" if provider == "vllm" else "exact",
        price_version="genai-prices/test",
        latency_us=latency_us,
        ttft_us=None if draw.random() < 0.1 else latency_us * draw.randrange(1, 100) // 100,
    )


def _buckets(draw: random.Random) -> dict[str, int]:
    most = {"input_text": 5_000, "cache_read_text": 20_000, "cache_write_5m": 900, "output_text": 2_000}
    return {name: draw.randrange(1, count) for name, count in most.items() if draw.random() > 0.2}


def _tokens(buckets: dict[str, int], kinds: tuple[str, ...]) -> int:
    return sum(count for name, count in buckets.items() if name.startswith(kinds))


def land(root: Path, records: Iterable[Record], *, each: int = 100) -> None:
    """Files as gateways land them: under the day of the latest call in each."""
    ordered = sorted(records, key=lambda record: record.ts_ns)
    for start in range(0, len(ordered), each):
        some = ordered[start : start + each]
        data = encode_parquet(to_table(some), "digest")
        day = datetime.fromtimestamp(some[-1].ts_ns / 10**9, UTC).date()
        name = hashlib.sha256(data).hexdigest()[:12]
        file = root / "landing" / f"dt={day}" / f"node-1-{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def curated(root: Path, records: Sequence[Record], fresh: Sequence[Record] = ()) -> Snapshot:
    """A snapshot whose calls are in files by day and project, with the rollups of these; `fresh` are in none."""
    table = to_table(records)
    files = tuple(_partitioned(root, table))
    rollups = {name: _rolled_up(root, table, name) for name in ("hourly", "hourly_users", "hourly_latency")}
    return Snapshot(1, files, **rollups, fresh=to_table(fresh) if fresh else SCHEMA.empty_table())


def _partitioned(root: Path, table: Any) -> Iterator[str]:
    """As Delta Lake does it: the partition's columns are in the path and not in the file."""
    for project_id in sorted(set(table["project_id"].to_pylist())):
        part = table.filter(pa.compute.equal(table["project_id"], project_id)).drop_columns(["project_id"])
        file = root / "events" / "dt=2026-09-21" / f"project_id={project_id}" / "part.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part, file)
        yield str(file)


def _rolled_up(root: Path, events: Any, name: str) -> tuple[str]:
    file = root / name / "dt=2026-09-21" / "part.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", events)
        connection.sql(rollup_sql(name)).write_parquet(str(file))  # type: ignore[arg-type]
    return (str(file),)


class Sums(NamedTuple):
    """What plain Python makes of records; beside the API's field names."""

    calls: int
    ok: int
    refused: int
    errors: int
    left: int
    cost_nanousd: int | None
    tokens_in: int | None
    tokens_out: int | None
    cache_read_tokens: int | None
    unpriced_calls: int
    unmetered_calls: int


def sums(records: Iterable[Record]) -> Sums:
    every = list(records)
    reached = [one for one in every if one.outcome != "refused"]
    priced = [one.cost_nanousd for one in every if one.cost_nanousd is not None]
    metered = [one for one in every if one.tokens_in is not None]
    unmetered = sum(one.tokens_in is None and one.provenance != "none" for one in reached)
    unpriced = sum(one.cost_nanousd is None for one in reached)
    return Sums(
        calls=len(every),
        ok=sum(one.outcome == "ok" for one in every),
        refused=sum(one.outcome == "refused" for one in every),
        errors=sum(one.outcome in ("upstream_error", "gateway_error", "crashed") for one in every),
        left=sum(one.outcome in ("client_gone", "cancelled") for one in every),
        cost_nanousd=sum(priced) if priced or not unpriced else None,
        tokens_in=sum(one.tokens_in or 0 for one in metered) if metered or not unmetered else None,
        tokens_out=sum(one.tokens_out or 0 for one in metered) if metered or not unmetered else None,
        cache_read_tokens=sum((one.buckets or {}).get("cache_read_text", 0) for one in metered)
        if metered or not unmetered
        else None,
        unpriced_calls=unpriced,
        unmetered_calls=unmetered,
    )


def by(records: Iterable[Record], value: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    found: dict[Any, list[Record]] = {}
    for record in records:
        found.setdefault(value(record), []).append(record)
    return found


def percentile(values: Iterable[float], p: float) -> float:
    """The nearest-rank one: the least value that p per cent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1).__int__()]
