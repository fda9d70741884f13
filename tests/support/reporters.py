"""Owns a reporter for tests: somebody with an ingest key who signs what is sent, and what of it is in the lake."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from control_plane.ingest.landed import read_records
from control_plane.ingest.signature import sign
from gateway.contract.record import Record
from tests.support.control_plane import ControlPlane, ring

URL = "/v1/events"


def event(plane: ControlPlane, request_id: str = "r-1", **fields: Any) -> dict[str, Any]:
    """A call that began a second ago."""
    ts = datetime.fromtimestamp(plane.clock() / 1000 - 1, UTC).isoformat()
    usage = {"provider": "openai", "model": "gpt-4o-mini", "tokens_in": 1000, "tokens_out": 100}
    return {"request_id": request_id, "ts": ts, **usage, **fields}


class Reporter:
    """Signs with a key of its own."""

    def __init__(self, plane: ControlPlane, made: dict[str, Any]) -> None:
        self._plane, self.id, self.secret = plane, made["id"], made["secret"].encode()

    def headers(self, body: bytes, *, at_s: int | None = None, secret: bytes | None = None) -> dict[str, str]:
        timestamp = b"%d" % (self._plane.clock() // 1000 if at_s is None else at_s)
        return {
            "x-lensai-key-id": self.id,
            "x-lensai-timestamp": timestamp.decode(),
            "x-lensai-signature": sign(secret or self.secret, timestamp, body).decode(),
        }

    async def send(self, body: bytes, **headers: str) -> httpx.Response:
        signed = self.headers(body) | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._plane.client.post(URL, content=body, headers=signed)

    async def report(self, *events: dict[str, Any]) -> httpx.Response:
        return await self.send(msgspec.json.encode(events))


async def reporter(plane: ControlPlane, headers: dict[str, str], **fields: Any) -> Reporter:
    made = await plane.client.post("/v1/ingest-keys", json={"name": "batch jobs", **fields}, headers=headers)
    assert made.status_code == 201, made.text
    return Reporter(plane, made.json())


def landed(lake: Path) -> list[Record]:
    """Every record of every file, verified; files in the order of their names."""
    files = sorted(lake.glob("ingest/dt=*/project_id=*/events-*.ndjson"))
    return [record for file in files for record in read_records(file.read_bytes(), ring("seal1"))]
