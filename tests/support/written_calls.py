"""Owns calls as a test writes them down: records, and a local lake that has them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet

ORG = "org_a"


def call(request_id: str, at_s: float, **fields: Any) -> Record:
    """A call of the organization that the provider answered and told the usage of."""
    common: dict[str, Any] = {
        "org_id": ORG, "project_id": "prj_a", "provider": "openai", "upstream": "openai", "model": "gpt-4o",
        "model_requested": "gpt-4o", "outcome": "ok", "provenance": "reported", "price_match": "exact",
    }  # fmt: skip
    return Record(request_id=request_id, ts_ns=round(at_s * 10**6) * 1000, **{**common, **fields})


def used(**buckets: int) -> dict[str, Any]:
    """The fields of a usage."""
    tokens_in = sum(count for name, count in buckets.items() if name.startswith(("input_", "cache_")))
    tokens_out = sum(count for name, count in buckets.items() if name.startswith("output_"))
    return {"buckets": buckets, "tokens_in": tokens_in, "tokens_out": tokens_out}


def land(lake: Path, records: Iterable[Record], name: str = "n-1-1") -> str:
    """The lake with these in one landing file."""
    file = lake / "landing" / "dt=2026-11-24" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_parquet(to_table(list(records)), "digest"))
    return str(lake)
