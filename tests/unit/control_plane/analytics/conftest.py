"""Owns the fixtures of analytics: an organization with calls, in every state that a call can be in the lake."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from control_plane.lake.query import Lake
from gateway.contract.record import Record
from tests.support.control_plane import START_MS, ControlPlane
from tests.support.lake_calls import curated, land, varied

NOW_S = START_MS // 1000


class Told(NamedTuple):
    """An organization, its headers, and its calls."""

    plane: ControlPlane
    org_id: str
    headers: dict[str, str]
    records: list[Record]

    async def ask(self, path: str, **parameters: object) -> dict:
        answer = await self.plane.client.get(f"/v1/metrics/{path}", params=parameters, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(params=["landed", "curated", "both"])
async def told(request: pytest.FixtureRequest, plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Told]:
    """Calls that are all fresh, all rolled up, or some of each; and another organization's beside them."""
    org_id = await plane.organization()
    records = varied(org_id, 400, NOW_S)
    others = varied("org_other", 100, NOW_S)
    half = len(records) // 2
    lake = plane.parts.lake
    if request.param == "landed":
        land(Path(plane.parts.settings.lake), [*records, *others])
    else:
        old, fresh = (records, []) if request.param == "curated" else (records[:half], records[half:])
        snapshot = curated(tmp_path / "lake", [*old, *others[:50]], [*fresh, *others[50:]])
        plane.parts.lake = Lake(str(tmp_path), take=lambda *_: snapshot, clock=plane.clock)
    yield Told(plane, org_id, await plane.token(org_id), records)
    lake.close()
