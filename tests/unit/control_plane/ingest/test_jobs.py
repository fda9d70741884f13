import asyncio
from pathlib import Path

from control_plane.ingest import jobs
from control_plane.ingest.jobs import ingesting, spool_root
from control_plane.ingest.spool import Spool
from control_plane.settings import Settings
from gateway.contract.record import Record, encode_record
from tests.support.control_plane import ring
from tests.support.reporters import landed

RING = ring("seal1")


def frame(id):
    return id.encode(), encode_record(Record(request_id=id, ts_ns=0, project_id="prj_1"))


async def until(there):
    async with asyncio.timeout(10):
        while True:
            if there():
                return
            await asyncio.sleep(0.01)


async def test_what_is_kept_lands_by_itself_and_the_rest_at_the_end(tmp_path):
    settings = Settings(data_dir=str(tmp_path))
    spool = Spool(spool_root(settings))
    lake = Path(settings.lake)
    async with ingesting(spool, settings, RING):
        await spool.keep([frame("a")])
        await until(lambda: landed(lake))
        await spool.keep([frame("b")])
    assert [record.request_id for record in landed(lake)] == ["a", "b"]
    assert list(spool_root(settings).rglob("*.seg")) == []


async def test_a_store_that_cannot_be_used_keeps_what_was_accepted(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    (tmp_path / "file").write_text("")
    settings = Settings(data_dir=str(tmp_path), lake_url=str(tmp_path / "file"))
    spool = Spool(spool_root(settings))
    async with ingesting(spool, settings, RING):
        await spool.keep([frame("a")])
        await until(lambda: "store_failed" in caplog.text)
    assert list(spool_root(settings).rglob("*.seg")) != []
    mended = Settings(data_dir=str(tmp_path))
    async with ingesting(Spool(spool_root(mended)), mended, RING):
        await until(lambda: landed(Path(mended.lake)))
    assert [record.request_id for record in landed(Path(mended.lake))] == ["a"]


async def test_a_plane_that_nobody_reports_to_leaves_nothing(tmp_path):
    settings = Settings(data_dir=str(tmp_path))
    async with ingesting(Spool(spool_root(settings)), settings, RING):
        await asyncio.sleep(0)
    assert list(tmp_path.iterdir()) == []
