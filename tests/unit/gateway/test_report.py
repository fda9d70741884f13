import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import report
from gateway.contract.policy import Quota, QuotaOverride
from gateway.contract.publishing import Part, Report
from gateway.crossings import Crossings
from gateway.ledger.base import Crossed
from gateway.ledger.embedded import EmbeddedLedger
from gateway.policy import PolicyHolder
from gateway.published_file import PublishedFile
from gateway.report import Reporter, Sources
from tests.support.holds import hold, holds
from tests.support.policy_server import item, key, project

NOW_MS = 1_800_000_000_500
MONTH = Quota("bud", "usd", 1000, "month", {"project": "prj_a", "user": "*", "tag": "*"}, time_zone="Europe/Berlin")
TOTAL = Quota("all", "requests", 10, "total")


class Worker:
    """A worker's state, the control plane that its reports reach, and what that answers."""

    def __init__(self, data_dir: Path, *, published: bool = True) -> None:
        (data_dir / "lensai.toml").write_text(
            f'[projects.web]\n[[keys]]\nid="files"\nproject_id="web"\nsha256="{"0" * 64}"\n'
        )
        self.policy = PolicyHolder(
            data_dir / "lensai.toml", data_dir, {}, poll_ms=1, published=PublishedFile(data_dir, 0)
        )
        if published:
            self.publish(5, project(), key("lk-alice"), key("lk-bob"), MONTH, TOTAL)
        self.ledger = EmbeddedLedger()
        self.touched: set[str] = set()
        self.used: dict[str, int] = {}
        self.crossings = Crossings(lambda: 1_800_000_000)
        self.answers: Callable[[Report], int] = lambda _report: 202
        self.reports: list[Report] = []
        self.inflight = {"web": 2, "prj_a": 1}
        sources = Sources(self.policy, self.ledger, self._touched, self._used, self.crossings, lambda: self.inflight)
        self.reporter = Reporter("node", sources, self._post, shared=False, now_ms=lambda: NOW_MS, sleep=self._sleep)
        self.slept: list[float] = []

    def publish(self, version: int, *rows: Any) -> None:
        self.policy.take(Part("", 0, version, items=tuple(item(row, version) for row in rows)))

    def spend(self, counter: str, amount: int) -> None:
        self.ledger.reserve(counter, holds(hold(counter, amount, None)))
        self.ledger.settle(counter, {counter: amount})
        self.touched.add(counter)

    def forget(self, counter: str) -> None:
        """As the ledger does when a window is long over."""
        self.ledger._counters.forget(counter)

    async def tell(self) -> Report:
        assert await self.reporter.tell()
        return self.reports[-1]

    def _touched(self) -> set[str]:
        touched, self.touched = self.touched, set()
        return touched

    def _used(self) -> dict[str, int]:
        used, self.used = self.used, {}
        return used

    async def _post(self, path: str, body: bytes) -> int:
        assert path == "/v1/gateway/reports"
        said = msgspec.json.decode(body, type=Report)
        status = self.answers(said)
        if status < 300:
            self.reports.append(said)
        return status

    async def _sleep(self, second: float) -> None:
        self.slept.append(second)
        if len(self.slept) > 6:
            raise asyncio.CancelledError


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


async def test_a_report_says_who_speaks_when_and_under_which_policy(worker: Worker):
    said = await worker.tell()
    assert said == Report("node", NOW_MS, 5, False, inflight=3, inflight_by_project={"prj_a": 1})


async def test_a_counter_that_changed_is_told_once_as_it_stands(worker: Worker):
    worker.spend("bud@2027-01|user=zoe|tag=a|b", 600)
    worker.spend("all@total", 1)
    month, total = sorted((await worker.tell()).counters, key=lambda state: state.quota_id, reverse=True)
    assert (month.settled, month.held, month.limit) == (600, 0, 1000)
    assert month.values == {"user": "zoe", "tag": "a|b"}
    assert (month.starts_at_s, month.ends_at_s) == (1798758000, 1801436400)  # midnights in Berlin
    assert (total.settled, total.starts_at_s, total.values) == (1, 0, {})
    assert (await worker.tell()).counters == ()
    worker.spend("all@total", 1)
    assert [state.settled for state in (await worker.tell()).counters] == [2]


async def test_of_a_window_that_the_ledger_has_forgotten_nothing_is_told(worker: Worker):
    worker.spend("bud@2026-12|user=zoe|tag=a", 600)
    worker.answers = lambda _report: 503
    assert not await worker.reporter.tell()
    worker.forget("bud@2026-12|user=zoe|tag=a")
    worker.answers = lambda _report: 202
    assert (await worker.tell()).counters == ()


async def test_the_limit_is_that_of_now(worker: Worker):
    worker.policy.take(Part("", 1, 6, items=(item(QuotaOverride("all", NOW_MS // 1000 + 60, 99), 6, "ovr"),)))
    worker.spend("all@total", 1)
    assert [state.limit for state in (await worker.tell()).counters] == [99]


async def test_of_what_is_not_the_control_planes_nothing_is_told(worker: Worker):
    worker.spend("files@total", 1)
    worker.touched.add("all@of-no-window")
    worker.used = {"files": 1, "lk-alice": 2}
    worker.crossings.add(Crossed("files@total", 50, 5, 10))
    said = await worker.tell()
    assert (said.counters, said.crossings, said.keys_used) == ((), (), {"lk-alice": 2})
    assert len(worker.crossings) == 0


async def test_a_threshold_is_told_until_it_was_taken(worker: Worker):
    worker.crossings.add(Crossed("all@total", 50, 5, 10))
    for status in (500, 401, 404, 429):
        worker.answers = lambda _said, status=status: status
        assert not await worker.reporter.tell()
    worker.answers = lambda _said: 204
    [crossing] = (await worker.tell()).crossings
    assert (crossing.quota_id, crossing.percent, crossing.settled, crossing.limit) == ("all", 50, 5, 10)
    assert crossing.at_s == 1_800_000_000
    assert (await worker.tell()).crossings == ()
    assert worker.reporter.failures == 4


async def test_what_could_not_be_told_is_told_as_it_stands_later(worker: Worker):
    async def fails(_path: str, _body: bytes) -> int:
        raise OSError("away")

    post, worker.reporter._post = worker.reporter._post, fails
    worker.spend("all@total", 1)
    worker.used = {"lk-alice": 1}
    assert not await worker.reporter.tell()
    worker.spend("all@total", 2)
    worker.used = {"lk-alice": 9, "lk-bob": 2}
    worker.reporter._post = post
    said = await worker.tell()
    assert [state.settled for state in said.counters] == [3]
    assert said.keys_used == {"lk-alice": 9, "lk-bob": 2}


async def test_one_row_that_is_never_taken_keeps_no_other_back(worker: Worker):
    for percent in (50, 80, 90):
        worker.crossings.add(Crossed("all@total", percent, 9, 10))
    worker.answers = lambda said: 422 if any(one.percent == 50 for one in said.crossings) else 202
    for _ in range(20):
        await worker.reporter.tell()
    assert {one.percent for said in worker.reports for one in said.crossings} == {80, 90}
    assert [row.crossed.percent for row in worker.crossings.rows()] == [50]


async def test_what_is_remembered_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "COUNTERS_MAX", 3)
    monkeypatch.setattr(report, "KEYS_MAX", 1)
    worker.answers = lambda _said: 503
    worker.touched = {f"bud@2027-01|user=u{number}|tag=t" for number in range(5)}
    worker.used = {"lk-alice": 1, "lk-bob": 2}
    await worker.reporter.tell()
    assert (len(worker.reporter._counters), worker.reporter.dropped) == (3, 3)


async def test_there_is_more_than_one_report_where_there_is_more_to_tell(worker: Worker, monkeypatch: Any):
    worker.touched = {f"bud@2027-01|user=u{number}|tag=t" for number in range(report.ROWS_MAX + 1)}
    with pytest.raises(asyncio.CancelledError):
        await worker.reporter.run()
    assert [len(said.counters) for said in worker.reports[:3]] == [report.ROWS_MAX, 1, 0]
    assert worker.slept[:3] == [report.REPORT_S, report.REPORT_MORE_S, report.REPORT_S]


async def test_nobody_who_is_away_is_asked_every_second_and_it_is_said_once(worker: Worker, caplog: Any):
    worker.answers = lambda _said: 503
    with pytest.raises(asyncio.CancelledError):
        await worker.reporter.run()
    assert worker.slept[:5] == [1, 2, 4, 5, 5]
    assert [record.getMessage() for record in caplog.records if record.name == "lensai.control_plane"] == [
        "report_not_taken"
    ]


async def test_before_there_is_a_policy_thresholds_wait(tmp_path: Path):
    worker = Worker(tmp_path, published=False)
    worker.crossings.add(Crossed("all@total", 50, 5, 10))
    assert (await worker.tell()).crossings == ()
    worker.publish(1, TOTAL)
    assert [one.percent for one in (await worker.tell()).crossings] == [50]


async def test_calls_at_a_time_have_no_period(worker: Worker):
    worker.publish(6, Quota("now", "concurrent", 2, "total"))
    worker.touched = {"now@now"}
    [state] = (await worker.tell()).counters
    assert (state.starts_at_s, state.ends_at_s) == (0, 2**52)
