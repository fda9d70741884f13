"""Curation by processes that die, at once and beside readers: nothing is lost, nothing is seen twice."""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.lake import tidy
from control_plane.lake.curate import Beaten, absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.cycle import curate
from control_plane.lake.snapshot import Reader
from control_plane.lake.verify import verify
from gateway.lake.store import StoreFault
from tests.support.lakes import DAY_S, EVER, NOW_MS, Totals, call, calls, cost, cure, land, look, rolled, seen
from tests.support.s3_network import Network, network_to
from tests.support.s3_server import environment, s3_server

CURATING = (sys.executable, "-m", "tests.support.curating")
# No round has as many steps.
NEVER = 10**6
LATER_MS = NOW_MS + 600_000
SEEDS = range(2)


class Died(BaseException):
    """Stands for the end of a process, in this one."""


def prepared(lake: Path) -> Totals:
    """A lake in which a round does everything: it absorbs, merges, rolls up several days and deletes."""
    for number in range(7):
        land(lake, f"old-{number}", [*calls(range(number * 10, number * 10 + 10)), call(900 + number, DAY_S - 90_000)])
        absorb(open_tables(str(lake)), NOW_MS)
    cure(lake)
    land(lake, "new", [*calls(range(70, 80)), call(3), call(950, DAY_S - 90_000), call(951, project_id="")])
    return seen(look(lake))


def whole(lake: Path | str, expected: Totals) -> None:
    taken = look(lake)
    assert seen(taken) == rolled(taken) == expected
    assert verify(open_tables(str(lake))).differences == []


def steps(lake: Path) -> int:
    counted: list[str] = []
    cure(lake, LATER_MS, counted.append)
    return len(counted)


def test_a_process_that_dies_at_any_step_leaves_a_whole_lake_that_the_next_one_finishes(tmp_path: Path) -> None:
    expected = prepared(tmp_path / "counted")
    shutil.copytree(tmp_path / "counted", tmp_path / "whole")
    count = steps(tmp_path / "counted")
    assert count > 25
    for last in range(count):
        lake = tmp_path / str(last)
        shutil.copytree(tmp_path / "whole", lake)
        left = last

        def die(_step: str) -> None:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1

        with pytest.raises(Died):
            cure(lake, LATER_MS, die)
        assert seen(look(lake)) == expected, f"step {last}"
        cure(lake, LATER_MS)
        whole(lake, expected)


def test_kill_9_again_and_again_loses_nothing(tmp_path: Path) -> None:
    drawn = random.Random(9)
    expected = prepared(tmp_path)
    for _ in range(3):
        last = drawn.randrange(20)
        done = subprocess.run([*CURATING, str(tmp_path), str(LATER_MS), str(last)], check=False)
        assert done.returncode in (0, -9)
        assert seen(look(tmp_path)) == expected, f"step {last}"
    assert subprocess.run([*CURATING, str(tmp_path), str(LATER_MS), str(NEVER)], check=False).returncode == 0
    whole(tmp_path, expected)


def test_two_processes_at_once_do_it_once(tmp_path: Path) -> None:
    expected = prepared(tmp_path)
    both = [subprocess.Popen([*CURATING, str(tmp_path), str(LATER_MS), str(NEVER)]) for _ in range(2)]
    assert {process.wait(120) for process in both} <= {0, 3}
    assert seen(look(tmp_path)) == expected
    cure(tmp_path, LATER_MS)
    whole(tmp_path, expected)


def landing_beside_readers(lake: str, rounds: int) -> None:
    """Lands and curates while readers look: each look is between what had landed before it and after it."""
    landed = [0]
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        reader = Reader(open_tables(lake))
        last = Totals(0, cost([]).cost_usd)
        while not done.is_set():
            least = landed[0]
            taken = reader.take(*EVER)
            now, most = seen(taken), landed[0] + 10
            if not (least <= now.calls <= most and last <= now) or now != cost(calls(range(now.calls), every_s=20)):
                wrong.append(f"{now} after {last}, {least} to {most} landed")
            if len(taken.events) and rolled(taken).calls + taken.fresh.num_rows != now.calls:
                wrong.append(f"the rollups have {rolled(taken).calls}, with {taken.fresh.num_rows} fresh; {now}")
            last = now

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        curator = open_tables(lake)
        for number in range(rounds):
            land(lake, f"{number:03d}", calls(range(number * 10, number * 10 + 10), every_s=20))
            landed[0] += 10
            # The real time: what is vacuumed and deleted is as old as it says.
            cure(curator, int(time.time() * 1000))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    whole(lake, cost(calls(range(rounds * 10), every_s=20)))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and vacuums after few commits."""
    monkeypatch.setattr(tidy, "CHECKPOINT_EVERY", 4)


@pytest.mark.usefixtures("often")
def test_readers_beside_curation_see_every_call_once(tmp_path: Path) -> None:
    landing_beside_readers(str(tmp_path), 12)
    assert list((tmp_path / "events/_delta_log").glob("*.checkpoint.parquet"))


# -- on a real S3 server


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(tmp_path_factory.mktemp("weed")) as port:
        yield port


@pytest.fixture
def network(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with network_to(s3_port) as network:
        for name, value in environment(network.server_port).items():
            monkeypatch.setenv(name, value)
        yield network


@pytest.fixture
def bucket(network: Network, request: pytest.FixtureRequest) -> str:
    return f"s3://lake/{request.node.name.replace('[', '-').replace(']', '')}"


def counted(lake: str) -> Totals:
    """As `seen`, of a bucket."""
    found = verify(open_tables(lake))
    assert found.differences == []
    return Totals(found.calls, found.cost_usd)


@pytest.mark.usefixtures("often")
def test_a_bucket_is_curated_like_a_directory(bucket: str) -> None:
    for number in range(10):
        land(bucket, f"{number:02d}", calls(range(number * 5, number * 5 + 6), every_s=20))
        cure(bucket, NOW_MS + number * 60_000)
    assert counted(bucket) == cost(calls(range(51)))
    logs = [entry.key for entry in open_tables(bucket).store.entries("events/_delta_log")]
    assert any(key.endswith(".checkpoint.parquet") for key in logs)
    taken = look(bucket)
    assert all(file.startswith(f"{bucket}/events/dt=") for file in taken.events)
    assert taken.fresh.num_rows == 0
    assert len(list(open_tables(bucket).store.entries("landing"))) < 5


def test_of_two_who_commit_to_a_bucket_one_does(bucket: str) -> None:
    land(bucket, "a", calls(range(10)))
    first, second = open_tables(bucket), open_tables(bucket)

    def meanwhile(step: str) -> None:
        if step == "commit":
            absorb(first, NOW_MS)

    with pytest.raises(Beaten):
        absorb(second, NOW_MS, meanwhile)
    cure(bucket)
    assert counted(bucket) == cost(calls(range(10)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_store_that_fails_now_and_then_loses_nothing(bucket: str, network: Network, seed: int) -> None:
    drawn = random.Random(seed)
    for number in range(3):
        network.script.clear()
        land(bucket, str(number), calls(range(number * 10, number * 10 + 10)))
        network.script[:] = drawn.choices(["pass", "503", "500", "lost", "unanswered"], [20, 1, 1, 1, 1], k=200)
        try:
            list(curate(open_tables(bucket), NOW_MS + number * 200_000))
        except (StoreFault, Beaten):
            continue
    network.script.clear()
    cure(bucket, NOW_MS + 10**6)
    assert counted(bucket) == cost(calls(range(30)))
