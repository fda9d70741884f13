import asyncio
from pathlib import Path

from gateway.contract.publishing import Report
from gateway.crossings import Crossings
from gateway.ledger.embedded import EmbeddedLedger
from gateway.link import Link
from gateway.metrics import METRICS
from gateway.policy import PolicyHolder
from gateway.published_file import PublishedFile
from gateway.report import Sources
from gateway.settings import Settings
from tests.support.data_plane import until
from tests.support.policy_server import Plane, control_plane, key, project, settings_of


def link(data_dir: Path, plane: Plane) -> Link:
    policy = PolicyHolder(data_dir / "lensai.toml", data_dir, {}, poll_ms=1, published=PublishedFile(data_dir, 0))
    sources = Sources(policy, EmbeddedLedger(), set, lambda: {"a": 7}, Crossings(lambda: 1), dict)
    settings = Settings(**settings_of(plane.port))
    return Link(settings, "node", sources, lambda: None, shared=True, now_ms=lambda: 1)


async def test_it_follows_the_policy_and_tells_its_last_when_it_is_closed(tmp_path: Path):
    async with control_plane() as plane:
        plane.put(project(), key("a"))
        linked = link(tmp_path, plane)
        tasks = [asyncio.get_running_loop().create_task(run()) for run in linked.tasks.values()]
        await until(lambda: linked.subscriber.connected)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await linked.close()
    assert plane.reports == [Report("node", 1, 1, True, keys_used={"a": 7})]


async def test_closing_does_not_wait_for_one_that_is_away(tmp_path: Path):
    async with control_plane() as plane:
        linked = link(tmp_path, plane)
    await linked.close()
    assert linked.reporter.failures == 1


async def test_every_number_it_shows_is_a_metric(tmp_path: Path):
    async with control_plane() as plane:
        linked = link(tmp_path, plane)
        shown = {name: probe() for name, probe in linked.probes().items()}
        await linked.close()
    assert set(shown) <= {name for name, row in METRICS.items() if row.probed}
    assert shown["lensai_control_plane_failures_total"] == {("answer",): 0, ("line",): 0, ("report",): 0}
    assert shown["lensai_published_lag_seconds"] is None
