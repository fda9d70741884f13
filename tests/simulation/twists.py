"""Owns known bugs, put in on purpose: a simulation that does not catch them proves nothing."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.ledger.agent import RedisLedger
from gateway.ledger.base import is_of_now
from gateway.ledger.leases import Leases
from gateway.ledger.store import Answer, Beat, Fence, Statement
from tests.simulation import model
from tests.simulation.schedule import Schedule


def check_then_act(schedule: Schedule) -> None:
    """The store looks at what was free a moment ago, as a read and a later write would."""
    seen: dict[str, model.Hash] = {}

    def sync(stored: model.Hash, said: Statement, run: str, now_ms: int) -> Answer:
        before = seen.get(said.counter, {})
        seen[said.counter] = dict(stored)
        mine = {field: value for field, value in stored.items() if field.endswith(f":{said.node}")}
        stale = {**before, **mine}
        answer = model.sync(stale, said, run, now_ms)
        stored.update({f: v for f, v in stale.items() if f.endswith(f":{said.node}") or f == "version"})
        return answer

    schedule.server.sync = sync


class SettlesTwice(RedisLedger):
    """Counts an id again when it is settled again."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # pyright: ignore[reportArgumentType]
        self.settle = self._settle

    def _settle(self, id: str, actual: Mapping[str, int]) -> int:
        seq = self._leases.settle(id, actual)
        if not seq:
            for counter, amount in actual.items():
                self._counters.add(counter, amount)
            self._counters.seq += 1
        return seq or self._counters.seq


def settle_twice(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = SettlesTwice


def ignore_order(schedule: Schedule) -> None:
    """The store takes statements that are late or come twice for new ones."""

    def sync(stored: model.Hash, said: Statement, run: str, now_ms: int) -> Answer:
        forgetful = {f: v for f, v in stored.items() if f not in (f"seq:{said.node}", f"epoch:{said.node}")}
        answer = model.sync(forgetful, said, run, now_ms)
        stored.update(forgetful)
        return answer

    schedule.server.sync = sync


def forget_what_was_given_back(schedule: Schedule) -> None:
    """The store takes the most that a node ever said to be spent."""

    def sync(stored: model.Hash, said: Statement, run: str, now_ms: int) -> Answer:
        answer = model.sync(stored, msgspec.structs.replace(said, back=0), run, now_ms)
        return msgspec.structs.replace(answer, back=said.back)

    schedule.server.sync = sync


def lose_fence(schedule: Schedule) -> None:
    """A store that came back grants before everybody has told it what it forgot."""

    def beat(stored: model.Hash, said: Beat, run: str, now_ms: int) -> Fence:
        return msgspec.structs.replace(model.beat(stored, said, run, now_ms), open=True)

    schedule.server.beat = beat


class NeverFilled(set[str]):
    def add(self, element: str) -> None:
        pass


class TrustsOldSlack(RedisLedger):
    """Keeps slack that a higher limit granted."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # pyright: ignore[reportArgumentType]
        self._leases._lowered = NeverFilled()


def keep_old_slack(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = TrustsOldSlack


class ForgetsClaims(RedisLedger):
    """Starts again after a power cut as if its journal had everything."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **{**named, "complete": True})  # pyright: ignore[reportArgumentType]


def forget_claims(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = ForgetsClaims


class KeepsPlaces(RedisLedger):
    """Counts what calls at a time held when their process died."""

    def restore(self, settled: Mapping[str, int], seq: int) -> None:
        super().restore(settled, seq)
        for counter, amount in settled.items():
            if is_of_now(counter):
                self._leases._recount(counter, amount)


def keep_places(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = KeepsPlaces


class LeavesQuietly(RedisLedger):
    """Goes off the roster without a word of what it had borrowed."""

    async def leave(self) -> bool:
        self._leases.by_name.clear()
        return await super().leave()


def leave_quietly(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = LeavesQuietly


class ForgetsItsNumbers(Leases):
    """Takes no part in a counter that it let go of, though the store has lost that it did."""

    def heard(self, said: Statement, answer: Answer) -> tuple[int, ...]:
        known = said.counter in self.by_name
        if not known and answer.status == "old" and answer.spent <= said.spent and not answer.marks:
            self.unreported.discard(said.counter)
            return ()
        return super().heard(said, answer)


class LetsGoForGood(RedisLedger):
    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # pyright: ignore[reportArgumentType]
        self._leases.__class__ = ForgetsItsNumbers


def let_go_for_good(schedule: Schedule) -> None:
    for node in schedule.nodes:
        node.make = LetsGoForGood


TWISTS: dict[str, Callable[[Schedule], None]] = {
    "check-then-act": check_then_act,
    "settle-twice": settle_twice,
    "ignored-order": ignore_order,
    "lost-fence": lose_fence,
    "old-slack": keep_old_slack,
    "lost-give-back": forget_what_was_given_back,
    "forgotten-claims": forget_claims,
    "kept-places": keep_places,
    "quiet-leave": leave_quietly,
    "let-go-for-good": let_go_for_good,
}
