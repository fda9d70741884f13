"""A call that somebody reports, from the request to an answer: counted once, however often it is sent."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from control_plane.lake import query
from control_plane.lake.curated import open_tables
from control_plane.lake.cycle import curate
from control_plane.lake.verify import verify
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.made import project
from tests.support.reporters import Reporter, event, landed, reporter


async def until_landed(lake: Path, records: int) -> None:
    async with asyncio.timeout(20):
        while True:
            if len(landed(lake)) >= records:
                return
            await asyncio.sleep(0.01)


async def totals(plane: ControlPlane, headers: dict[str, str]) -> tuple[int, int, str]:
    answer = await plane.client.get("/v1/metrics/summary", headers=headers)
    assert answer.status_code == 200, answer.text
    total = answer.json()["total"]
    return total["calls"], total["tokens_in"], total["cost_usd"]


async def test_a_reported_batch_is_curated_and_counted_once_also_when_it_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "SNAPSHOT_S", 0)  # each question looks anew
    database, lake, once = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path / "lake", (2, 2000, "0.75")
    async with control_plane(database, tmp_path) as plane:
        tables = open_tables(str(lake), plane.parts.keyring)
        owner = await plane.token(await plane.organization())
        caller = await reporter(plane, owner, project_id=await project(plane, owner))
        batch = msgspec.json.encode([event(plane, "job-1", cost_usd="0.5"), event(plane, "job-2", cost_usd="0.25")])
        sent = await caller.send(batch)
        assert (sent.status_code, sent.json()) == (200, {"accepted": 2, "duplicates": 0})
        await until_landed(lake, 2)
        assert await totals(plane, owner) == once
        (done,) = curate(tables, plane.clock())
        assert done.absorbed == (1, 2, 0, 0, 0, 0)
        assert await totals(plane, owner) == once

    # A process that does not remember the first accepts it again: it stands in a second file.
    async with control_plane(database, tmp_path) as plane:
        again = Reporter(plane, {"id": caller.id, "secret": caller.secret.decode()})
        assert (await again.send(batch)).json() == {"accepted": 2, "duplicates": 0}
        await until_landed(lake, 4)
        assert await totals(plane, owner) == once
        (done,) = curate(tables, plane.clock())
        assert done.absorbed == (1, 0, 2, 0, 0, 0)
        assert await totals(plane, owner) == once
    assert verify(tables).differences == []
