import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import obstore
import pytest

from control_plane.lake import remote
from control_plane.lake.query import Lake, Question, Unanswered
from control_plane.lake.remote import Remote
from control_plane.lake.scope import Scope
from control_plane.lake.snapshot import Snapshot
from tests.support.lake_calls import curated, sums, varied
from tests.support.s3_server import BUCKET, environment, s3_server

NOON_S = 1_790_000_000 // 86_400 * 86_400 + 43_200
SCOPE = Scope("org_a", NOON_S - 4 * 86_400, NOON_S)
FILES = ("events", "hourly", "hourly_users", "hourly_latency")
SUMS = "SELECT CAST(sum(calls) AS BIGINT) AS calls, sum(cost_usd) AS cost_usd FROM hourly"


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(tmp_path_factory.mktemp("weed")) as port:
        yield port


@pytest.fixture
def bucket(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment(s3_port).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}"


def uploaded(bucket: str, root: Path, snapshot: Snapshot, prefix: str) -> Snapshot:
    """The same snapshot whose files are in the bucket."""
    store = obstore.store.from_url(bucket, client_options={"allow_http": True})

    def put(file: str) -> str:
        key = f"{prefix}/{Path(file).relative_to(root)}"
        obstore.put(store, key, Path(file).read_bytes())
        return f"{bucket}/{key}"

    return replace(snapshot, **{name: tuple(map(put, getattr(snapshot, name))) for name in FILES})


@pytest.mark.parametrize("small_bytes", [0, 1 << 20])
async def test_a_lake_in_a_bucket_answers_as_one_in_a_directory(bucket, tmp_path, monkeypatch, small_bytes):
    monkeypatch.setattr(remote, "SMALL_BYTES_MAX", small_bytes)
    old, fresh = varied("org_a", 300, NOON_S), varied("org_a", 50, NOON_S, seed=2)
    local = curated(tmp_path, [*old, *varied("org_b", 50, NOON_S)], fresh)
    snapshot = uploaded(bucket, tmp_path, local, f"answers-{small_bytes}")
    with contextlib.closing(Lake("", take=lambda *_: snapshot)) as lake:
        for scope in (SCOPE, replace(SCOPE, from_s=NOON_S - 5000), replace(SCOPE, project_id="prj_b")):
            passing = [
                one
                for one in (*old, *fresh)
                if one.ts_ns >= scope.from_s * 10**9 and scope.project_id in (None, one.project_id)
            ]
            for _ in range(2):
                (row,) = (await lake.ask(Question(SUMS, "hourly", scope))).rows
                assert row["calls"] == len(passing)
                assert int(row["cost_usd"].scaleb(9)) == sums(passing).cost_nanousd


async def test_a_bucket_that_is_not_there_is_unanswered(bucket, tmp_path):
    local = curated(tmp_path, varied("org_a", 10, NOON_S))
    snapshot = replace(local, hourly=("s3://nowhere/hourly/dt=2026-09-21/part.parquet",))
    with contextlib.closing(Lake("", take=lambda *_: snapshot)) as lake:
        with pytest.raises(Unanswered) as fault:
            await lake.ask(Question(SUMS, "hourly", SCOPE))
        assert "nowhere" not in str(fault.value)


def test_small_objects_are_kept_up_to_a_limit_and_the_oldest_go_first(bucket):
    store = obstore.store.from_url(bucket, client_options={"allow_http": True})
    for name in "abc":
        obstore.put(store, f"kept/{name}", name.encode() * 10)
    kept = Remote(kept_bytes_max=25)
    for name in "abac":
        assert kept.open(bucket, f"kept/{name}").read() == name.encode() * 10
    obstore.delete(store, [f"kept/{name}" for name in "abc"])
    assert [kept.open(bucket, f"kept/{name}").read()[:1] for name in "ac"] == [b"a", b"c"]
    with pytest.raises(OSError, match="NotFound"):
        kept.open(bucket, "kept/b")


def test_a_large_object_is_read_by_parts(bucket):
    store = obstore.store.from_url(bucket, client_options={"allow_http": True})
    data = bytes(range(256)) * 5000
    obstore.put(store, "large", data)
    file = Remote().open(bucket, "large")
    assert file.seek(-10, 2) == len(data) - 10
    assert file.read(4) + file.read() + file.read() == data[-10:]
    assert (file.seek(1000), file.read(5), file.tell()) == (1000, data[1000:1005], 1005)
