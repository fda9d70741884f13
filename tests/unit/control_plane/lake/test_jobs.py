import asyncio
import os
from pathlib import Path

import pytest

from control_plane.ingest.landed import encode_batch
from control_plane.lake import jobs
from control_plane.lake.jobs import CurationFailed, curating
from gateway.lake.store import open_store
from tests.support.control_plane import ring
from tests.support.lakes import call, calls, cost, land, look, rolled


async def test_a_turn_curates_in_a_process_of_its_own(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(5)))
    job = curating(str(tmp_path), 30)
    assert (job.name, job.every_s) == ("curate_lake", 30)
    await job.run(0)
    assert rolled(look(tmp_path)) == cost(calls(range(5)))


async def test_files_of_ingest_are_held_against_the_keys_that_it_is_told(tmp_path: Path) -> None:
    ours = ring("ours")
    store = open_store(str(tmp_path))
    for name, signer in (("a", ours), ("b", ring("theirs"))):
        data = encode_batch([call(ord(name))], signer)
        store.create(f"ingest/dt=2025-11-25/project_id=prj_a/{name}.ndjson", data)
    keys = ",".join(f"{key_id}:{secret.hex()}" for key_id, secret in ours.secrets.items())
    await curating(str(tmp_path), 30, {"LENSAI_CONTROL_SECRET_KEYS": keys}).run(0)
    assert rolled(look(tmp_path)) == cost([call(ord("a"))])
    assert [entry.key[-8:] for entry in store.entries("refused")] == ["b.ndjson"]


async def test_a_lake_that_is_not_there_yet_is_no_failure(tmp_path: Path) -> None:
    await curating(str(tmp_path / "none"), 30).run(0)
    assert not (tmp_path / "none").exists()


async def test_what_a_process_says_when_it_fails_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "_delta_log").write_text("no directory")
    land(tmp_path, "a", calls(range(5)))
    with pytest.raises(CurationFailed, match=r"exit 1: lensai lake curate: .*nothing is lost, run it again"):
        await curating(str(tmp_path), 30).run(0)
    (record,) = [record for record in caplog.records if record.getMessage() == "curation_failed"]
    assert vars(record)["line"].startswith("lensai lake curate: ")
    assert vars(record)["code"] == 1


async def test_a_turn_that_is_ended_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    monkeypatch.setattr(jobs, "COMMAND", ("/bin/sh", "-c", f"echo $$ > {pipe}; exec sleep 600"))
    turn = asyncio.create_task(curating(str(tmp_path), 30).run(0))
    pid = int(await asyncio.to_thread(pipe.read_text))
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
