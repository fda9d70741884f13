"""The landing against a real S3 server, also with a network between that fails in the ways networks do."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.contract.record import Record, encode_record
from gateway.journal.reader import sealed
from gateway.journal.writer import Journal
from gateway.lake.land import land, run
from gateway.lake.store import StoreFault, open_store
from tests.support.s3_network import Network, network_to
from tests.support.s3_server import environment, s3_server

DAY_NS = 1_764_028_800 * 10**9  # 2025-11-25 00:00 UTC


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
def url(network: Network, request: pytest.FixtureRequest) -> str:
    return f"s3://lake/{request.node.name.replace('[', '-').replace(']', '')}"


def journaled(root: Path, records: int, segments: int) -> Path:
    """A worker's directory with so many records in so many sealed segments."""
    journal = Journal.open(
        root / "worker-0",
        node_id="node1",
        now_ns=0,
        resolve=lambda intent: intent,
        segment_bytes_max=1 << 30,
        segment_age_ms=1,
    )
    per_segment = records // segments
    for number in range(records):
        record = Record(
            request_id=f"req_{number}", ts_ns=DAY_NS + number, project_id=f"p{number % 7}", cost_nanousd=number
        )
        id = record.request_id.encode()
        journal.intent(id, b"intent")
        journal.final(id, encode_record(record))
        if (number + 1) % per_segment == 0:
            assert journal.flush(number * 10**9) == ()
            journal.flush((number + 1) * 10**9)  # rotates
            assert journal.sync()
    journal.close(0)
    return root / "worker-0"


def landed(url: str) -> pa.Table:
    store = obstore.store.from_url(url, client_options={"allow_http": True})
    keys = [entry["path"] for batch in obstore.list(store) for entry in batch]
    return pa.concat_tables(pq.read_table(io.BytesIO(bytes(obstore.get(store, key).bytes()))) for key in keys)


def test_journal_lands_in_s3_with_every_record_and_cent(url: str, tmp_path: Path) -> None:
    directory = journaled(tmp_path, 5000, 10)
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(tmp_path, url), kwargs={"poll_ms": 10, "stop": stop})
    thread.start()
    deadline_s = time.monotonic() + 60
    while sealed(directory) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert sealed(directory) == []
    table = landed(url)
    assert table.num_rows == 5000
    assert len(set(table["request_id"].to_pylist())) == 5000
    assert sum(table["cost_usd"].to_pylist()) * 10**9 == sum(range(5000))


def test_object_is_created_once_and_never_replaced(url: str) -> None:
    store = open_store(url)
    assert store.create("landing/one", b"first")
    assert not store.create("landing/one", b"second")
    assert store.read("landing/one") == b"first"


@pytest.mark.parametrize("word", ["503", "500", "lost", "unanswered"])
def test_put_that_fails_once_lands_once(url: str, network: Network, tmp_path: Path, word: str) -> None:
    (segment,) = sealed(journaled(tmp_path, 100, 1))[:1]
    network.script = [word]
    try:
        landing = land(segment, open_store(url))
    except StoreFault:  # the driver asks no second time for a request that may have been carried out; the loop does
        landing = land(segment, open_store(url))
    assert landing.disposition == "landed"
    assert landed(url).num_rows == 100
    assert network.seen[0] == f"PUT {word}"


@pytest.mark.parametrize("word", ["503", "lost", "409"])
def test_put_that_keeps_failing_is_a_fault_and_keeps_the_segment(
    url: str, network: Network, tmp_path: Path, word: str
) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    network.script = [word] * 20
    with pytest.raises(StoreFault):
        land(segment, open_store(url))
    assert segment.exists()
    network.script.clear()
    assert land(segment, open_store(url)).disposition == "landed"
    assert landed(url).num_rows == 100


def test_second_landing_of_a_segment_finds_the_first(url: str, tmp_path: Path) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    content = segment.read_bytes()
    land(segment, open_store(url))
    segment.write_bytes(content)
    assert land(segment, open_store(url)).disposition == "landed"
    assert landed(url).num_rows == 100


def test_wrong_secret_is_a_fault_that_does_not_name_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = sealed(journaled(tmp_path, 100, 1))[0]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    with pytest.raises(StoreFault) as fault:
        land(segment, open_store(url))
    assert "canary" not in str(fault.value)
    assert "Signature" in str(fault.value) or "Permission" in str(fault.value)
    assert segment.exists()
