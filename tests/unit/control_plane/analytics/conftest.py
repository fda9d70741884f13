"""Owns the fixtures of analytics: an organization with calls, in every state that a call can be in the lake."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from control_plane.lake.query import Lake
from control_plane.lake.snapshot import Snapshot
from gateway.contract.record import Record
from tests.support.control_plane import START_MS, ControlPlane
from tests.support.lake_calls import curated, land, varied

NOW_S = START_MS // 1000
# The same in every test, so that its calls are too.
ORG_ID = "org_" + "0" * 26


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


class Lakes(NamedTuple):
    """The same calls as files that are all landed, and as snapshots by how many of them are curated."""

    records: list[Record]
    landed: Path
    snapshots: dict[str, Snapshot]


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """Made once: tests read them."""
    root = tmp_path_factory.mktemp("lakes")
    records, others = varied(ORG_ID, 400, NOW_S), varied("org_other", 100, NOW_S)
    land(root / "landed", [*records, *others])
    snapshots: dict[str, Snapshot] = {}
    for name, count in (("curated", len(records)), ("both", len(records) // 2)):
        old, fresh = [*records[:count], *others[:50]], [*records[count:], *others[50:]]
        snapshots[name] = curated(root / name, old, fresh)
    return Lakes(records, root / "landed", snapshots)


@pytest.fixture(params=["landed", "curated", "both"])
async def told(
    request: pytest.FixtureRequest, plane: ControlPlane, tmp_path: Path, lakes: Lakes
) -> AsyncIterator[Told]:
    """Calls that are all fresh, all rolled up, or some of each; and another organization's beside them."""
    await plane.organization(org_id=ORG_ID)
    lake = plane.parts.lake
    if request.param == "landed":
        shutil.copytree(lakes.landed, plane.parts.settings.lake)
    else:
        snapshot = lakes.snapshots[request.param]
        plane.parts.lake = Lake(str(tmp_path), take=lambda *_: snapshot, clock=plane.clock)
    yield Told(plane, ORG_ID, await plane.token(ORG_ID), list(lakes.records))
    lake.close()
