"""Retention, holds, samples and erasure of a lake in a bucket of a real S3 server: what goes leaves the bucket."""

import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from control_plane.lake import table
from control_plane.lake.curated import open_tables
from control_plane.lake.retain import Policy, Retained, Tier, retain
from control_plane.lake.tidy import delete_raw, vacuum
from control_plane.lake.verify import verify
from control_plane.retention.run import Retaining
from gateway.lake.store import open_store
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.lakes import Totals, call, calls, cost, cure, land, look
from tests.support.s3_server import environment, s3_server

DAY_MS = 86_400_000
ZOE = "zoe-the-forgotten"


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(tmp_path_factory.mktemp("weed")) as port:
        yield port


@pytest.fixture
def bucket(s3_port: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment(s3_port).items():
        monkeypatch.setenv(name, value)
    return f"s3://lake/{request.node.name}"


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path) as plane:
        yield plane


def real_ms(later_ms: int = 0) -> int:
    """The real time, or one after it: what is vacuumed is as old as it says."""
    return int(time.time() * 1000) + later_ms


def objects(bucket: str, folder: str = "") -> dict[str, bytes]:
    store = open_store(bucket)
    return {entry.key: store.read(entry.key) for entry in store.entries(folder)}


def rows(bucket: str, files: tuple[str, ...]) -> list[dict[str, object]]:
    store = open_store(bucket)
    found = [store.read(file.removeprefix(f"{bucket}/")) for file in files]
    return [row for data in found for row in pq.ParquetFile(io.BytesIO(data)).read().to_pylist()]


def rolled(bucket: str) -> Totals:
    """What the rollup by hour has."""
    hours = rows(bucket, look(bucket).hourly)
    costs = [cost for hour in hours if isinstance(cost := hour["cost_usd"], Decimal)]
    return Totals(sum(int(str(hour["calls"])) for hour in hours), sum(costs, Decimal()))


def whole(bucket: str, expected: Totals) -> None:
    assert rolled(bucket) == expected
    assert verify(open_tables(bucket)).differences == []


def is_data(key: str) -> bool:
    return key.endswith(".parquet") and "/_delta_log/" not in key


def holding(bucket: str) -> list[str]:
    """Every object, of whatever version, in which she is named."""
    found: list[str] = []
    for key, data in objects(bucket).items():
        text = str(pq.ParquetFile(io.BytesIO(data)).read().to_pylist()) if key.endswith(".parquet") else str(data)
        if ZOE in text:
            found.append(key)
    return found


def test_what_is_past_its_time_is_gone_from_the_bucket_and_totals_stay(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = real_ms()
    gone, held = calls(range(20)), calls(range(20, 30), org_id="org_held", project_id="prj_held")
    sampled = calls(range(30, 60), org_id="org_free", project_id="prj_free")
    new = call(70, now_ms / 1000)
    land(bucket, "a", [*gone, *held, *sampled, new])
    cure(bucket, now_ms)
    lake = open_tables(bucket)
    policy = Policy(Tier(5), {"org_free": Tier(one_of=3)}, frozenset({"org_held/prj_held"}))
    would = retain(lake, policy, now_ms, dry_run=True)
    whole(bucket, everything := cost([*gone, *held, *sampled, new]))

    assert retain(lake, policy, now_ms) == would
    assert (would.deleted, would.dropped.keys()) == (Counter(org_a=20), {"org_free"})
    whole(bucket, everything)
    taken = look(bucket)
    kept = rows(bucket, taken.sampled)
    assert len(kept) == 30 - would.dropped["org_free"]
    assert sum(int(str(row["weight"])) for row in kept) == 30
    assert {str(row["request_id"]) for row in rows(bucket, taken.events)} >= {one.request_id for one in [*held, new]}
    assert retain(lake, policy, now_ms) == Retained(Counter(), Counter(), Counter())

    before = objects(bucket, "events")
    monkeypatch.setattr(table, "VACUUM_AFTER_H", 0)
    delete_raw(lake, now_ms + DAY_MS)
    assert vacuum(lake, real_ms(1_000)).files >= 1
    after = objects(bucket, "events")
    went = before.keys() - after.keys()
    assert any(is_data(key) for key in went)
    left = rows(bucket, tuple(f"{bucket}/{key}" for key in after if is_data(key)))
    assert not {one.request_id for one in gone} & {row["request_id"] for row in left}
    assert objects(bucket, "landing") == {}
    whole(bucket, everything)

    released = retain(lake, Policy(Tier(5), {"org_free": Tier(one_of=3)}), now_ms)
    assert released.deleted == Counter(org_held=10)
    whole(bucket, everything)
    # The same calls, sent again, are no calls of days that are gone, nor twice in a sample.
    land(bucket, "again", [*gone, *sampled])
    cure(bucket, now_ms)
    whole(bucket, everything)


async def test_of_somebody_erased_no_object_of_the_bucket_tells(
    bucket: str, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    made = [*calls(range(10), org_id=org_id, user_id=ZOE), *calls(range(10, 15), org_id=org_id, user_id="ann")]
    land(bucket, "a", made)
    cure(bucket, real_ms())
    asked = await plane.client.post("/v1/retention/erasures", json={"user": ZOE}, headers=headers)
    path = f"/v1/retention/erasures/{asked.json()['id']}"
    parts = plane.parts
    run = Retaining(parts.database, parts.settings, parts.keyring, open_tables(bucket), real_ms)

    await run.run()
    taken = look(bucket)
    assert ZOE not in str(rows(bucket, (*taken.events, *taken.hourly_users)))
    assert (await plane.client.get(path, headers=headers)).json()["status"] == "vacuuming"
    assert holding(bucket), "a reader may still have them"
    monkeypatch.setattr(table, "VACUUM_AFTER_H", 0)
    delete_raw(open_tables(bucket), real_ms(DAY_MS))
    await run.run()
    assert holding(bucket) == []
    assert (await plane.client.get(path, headers=headers)).json()["status"] == "done"
    whole(bucket, cost(made))
    late = calls(range(20, 22), org_id=org_id, user_id=ZOE)
    land(bucket, "late", late)
    assert ZOE not in str(look(bucket).fresh.to_pylist())
    cure(bucket, real_ms())
    assert ZOE not in str(rows(bucket, look(bucket).events))
    whole(bucket, cost([*made, *late]))
