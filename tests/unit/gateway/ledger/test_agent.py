"""The ledger of one node: what it does around its leases, step by step."""

from datetime import UTC, datetime

import msgspec
import pytest

from gateway.ledger.agent import FINISHED_AT_ONCE, IDLE_S, REPORT_S, Identity, RedisLedger
from gateway.ledger.base import NO_HOLDS, Shortage, Unreachable
from gateway.ledger.leases_file import Checkpoint
from tests.contract.ledgers import ModelStore, take
from tests.support.holds import hold, holds

MONTH = "budget@2026-11"
HOLDS = holds(hold(MONTH, 10, 100))


class Stage:
    """A node whose steps the test makes, with a clock it sets and a disk that may fail."""

    def __init__(self, restored: Checkpoint | None = None) -> None:
        self.store = ModelStore()
        self.saved: list[Checkpoint] = []
        self.disk_fails = False
        self.now_s = 100.0
        self.ledger = self.node("a")

    def node(self, name: str, restored: Checkpoint | None = None) -> RedisLedger:
        identity = Identity(name, restored.epoch + 1 if restored else 1, "nonce")
        return RedisLedger(
            identity, self.store, clock=lambda: self.now_s, sleep=self._sleep, save=self._save, restored=restored
        )

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    async def _save(self, checkpoint: Checkpoint) -> None:
        if self.disk_fails:
            raise OSError("no space")
        self.saved.append(checkpoint)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def opened(stage: Stage, ledger: RedisLedger | None = None) -> RedisLedger:
    ledger = ledger or stage.ledger
    for _ in range(4):
        await ledger.step()
    assert ledger.open
    return ledger


async def test_what_is_given_back_stays_given_back_when_it_is_reported_and_after_a_start(stage):
    ledger = await opened(stage)
    assert await take(ledger, "x", holds(hold(MONTH, 90, 100))) is None
    ledger.settle("x", {MONTH: 90})
    for _ in range(2):
        stage.now_s += REPORT_S + 0.1
        await ledger.step()
    ledger.reserve("told", holds())
    ledger.settle_later("told", {MONTH: -80})
    for _ in range(2):
        stage.now_s += REPORT_S + 0.1
        await ledger.step()
    assert ledger.balance(MONTH).settled == 10

    again = await opened(stage, stage.node("a", ledger.checkpoint()))
    assert again.balance(MONTH).settled == 10
    assert await take(again, "y", holds(hold(MONTH, 91, 100))) == Shortage(MONTH, 91, 90)
    assert await take(again, "y", holds(hold(MONTH, 90, 100))) is None


async def test_a_grant_that_comes_too_late_for_its_limit_is_asked_for_again(stage):
    ledger = await opened(stage)
    older, newer = (holds(hold(MONTH, 60, 100, revision=revision)) for revision in (1, 2))
    sync = stage.store.sync

    async def meanwhile(said):
        stage.store.sync = sync
        answer = await sync(said)
        assert ledger.reserve("newer", newer) is not None
        return answer

    stage.store.sync = meanwhile
    assert await take(ledger, "older", older) is None


async def test_what_callers_name_is_forgotten_once_none_of_their_calls_is_under_way(stage):
    ledger, name = await opened(stage), "at-once@now|user=x"
    assert await take(ledger, "x", holds(hold(name, 1, 5))) is None
    ledger.settle("x", {name: 0})
    for _ in range(3):
        stage.now_s += IDLE_S + 1
        await ledger.step()
    assert name not in ledger.counters()


@pytest.mark.parametrize("machine", ["", "another"])
async def test_calls_at_a_time_are_over_when_their_process_is(stage, machine):
    ledger, name = await opened(stage), "at-once@now"
    wanted = holds(hold(name, 2, 2))
    assert await take(ledger, "x", wanted) is None
    stage.store.hashes[name]["spent:a"] = "1"  # as an earlier version charged it
    checkpoint = msgspec.structs.replace(ledger.checkpoint(), machine=machine)
    again = stage.node("a", checkpoint)
    again.restore({name: 2}, 1)
    await opened(stage, again)
    assert again.balance(name).settled == 0
    assert await take(again, "y", wanted) is None


async def test_a_place_that_the_store_has_again_after_it_lost_writes_is_given_back_by_who_let_go_of_it(stage):
    ledger, name = await opened(stage), "at-once@now"
    wanted = holds(hold(name, 1, 1))
    assert await take(ledger, "x", wanted) is None
    before = dict(stage.store.hashes[name])
    ledger.settle("x", {name: 0})
    for _ in range(3):
        stage.now_s += IDLE_S + 1
        await ledger.step()
    assert name not in ledger.counters()
    stage.store.hashes[name], stage.store.run = before, "run2"
    other = stage.node("b")
    for _ in range(4):
        await other.step()
        await ledger.step()
    assert isinstance(await take(other, "y", wanted), Shortage)
    stage.store.hashes["fence"][f"lacks:{name}"] = str(2**50)  # as while another asks
    for _ in range(2):
        stage.now_s += REPORT_S
        await ledger.step()
    assert await take(other, "y", wanted) is None


async def test_counters_of_an_earlier_start_are_forgotten_in_the_end(stage):
    ledger = await opened(stage)
    assert await take(ledger, "x", HOLDS) is None
    ledger.settle("x", {MONTH: 5})
    again = await opened(stage, stage.node("a", ledger.checkpoint()))
    for day in ("2026-11-30", "2026-12-02", "2026-12-05"):
        assert MONTH in again.counters()
        again.finish_periods(int(datetime.fromisoformat(f"{day}T00:00Z").timestamp()))
        await again.step()
    assert MONTH not in again.counters()


async def test_a_node_that_is_started_every_day_does_not_keep_the_minutes_of_every_day(stage):
    restored, kept = None, set[int]()
    for day in range(1, 5):
        ledger = await opened(stage, stage.node("a", restored))
        begun = datetime(2026, 11, day, tzinfo=UTC)
        for minute in range(3):
            counter = f"users@{begun:%Y-%m-%d}T00:0{minute}+0000|user=x"
            assert await take(ledger, counter, holds(hold(counter, 1, 10))) is None
            ledger.settle(counter, {counter: 1})
        ledger.finish_periods(int(begun.timestamp()) + 600)
        await ledger.step()
        assert await ledger.leave()
        restored = stage.saved[-1]
        kept.add(len(restored.claims))
    assert kept == {3}


async def test_a_thousand_periods_that_end_at_once_keep_no_node_from_saying_that_it_is_there(stage):
    ledger = await opened(stage)
    for number in range(1000):
        counter = f"users@2026-11-01T00:00+0000|user={number}"
        ledger.reserve(counter, NO_HOLDS)
        ledger.settle(counter, {counter: 1})
    ledger.finish_periods(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()))
    steps = 0
    while ledger.counters():
        before = len(ledger.counters())
        stage.now_s += REPORT_S
        await ledger.step()
        assert before - len(ledger.counters()) <= FINISHED_AT_ONCE
        steps += 1
    assert steps == 4


async def test_an_epoch_is_on_disk_before_the_store_hears_it(stage):
    stage.disk_fails = True
    await stage.ledger.step()
    assert stage.store.hashes == {}
    stage.disk_fails = False
    await stage.ledger.step()
    assert stage.saved[0].epoch == 1
    assert "epoch:a" in stage.store.hashes["fence"]


async def test_before_the_store_is_open_nothing_is_granted(stage):
    assert await take(stage.ledger, "x", HOLDS, 0.1) == Unreachable(MONTH)


async def test_a_grant_is_on_disk_before_it_is_spent(stage):
    ledger = await opened(stage)
    assert await take(ledger, "x", HOLDS) is None
    assert stage.saved[-1].claims[MONTH][1] >= 10


async def test_a_grant_that_cannot_be_remembered_is_not_spent(stage):
    ledger = await opened(stage)
    stage.disk_fails = True
    assert await take(ledger, "x", HOLDS) == Unreachable(MONTH)
    assert ledger.held("x") == {}


async def test_a_counter_in_use_is_fetched_ahead(stage):
    ledger = await opened(stage)
    assert await take(ledger, "x", HOLDS) is None
    for index in range(3):
        await ledger.step()
        assert ledger.reserve(f"id{index}", holds(hold(MONTH, 5, 100))) is None


async def test_an_idle_counter_gives_its_slack_back(stage):
    ledger, other = await opened(stage), stage.node("b")
    assert await take(ledger, "x", HOLDS) is None
    ledger.settle("x", {MONTH: 1})
    for _ in range(2):
        stage.now_s += IDLE_S + 1
        await ledger.step()
    assert stage.store.hashes[MONTH]["claim:a"] == "1"
    await other.step()
    for _ in range(2):
        await ledger.step()  # who works has to remember the newcomer first, and say so
    await opened(stage, other)
    assert await take(other, "y", holds(hold(MONTH, 99, 100))) is None


async def test_started_again_it_counts_what_it_had_settled_and_gives_back_the_rest(stage):
    ledger = await opened(stage)
    assert await take(ledger, "x", holds(hold(MONTH, 60, 100))) is None
    seq = ledger.settle("x", {MONTH: 20})
    died = ledger.checkpoint()
    again = stage.node("a", died)
    again.restore({MONTH: 5}, seq + 1)
    await opened(stage, again)
    assert (again.seq, again.balance(MONTH).settled) == (seq + 1, 25)
    assert stage.store.hashes[MONTH]["claim:a"] == "25"


async def test_a_checkpoint_of_another_node_or_a_later_start_is_a_bug(stage):
    with pytest.raises(AssertionError):
        stage.node("a", Checkpoint("b", 1))
    with pytest.raises(AssertionError):
        RedisLedger(
            Identity("a", 1, "n"),
            stage.store,
            clock=lambda: 0.0,
            sleep=stage._sleep,
            save=stage._save,
            restored=Checkpoint("a", 1),
        )


async def test_a_store_that_is_gone_stops_no_step(stage):
    ledger = await opened(stage)
    stage.store.down = True
    await ledger.step()
    assert await ledger.leave() is False
