"""Owns what the control plane is told each second: the counters that changed, thresholds, keys in use, calls under way.

Only of what it has published itself: of the file's quotas it knows nothing. What could not be told is told with the
next report, and all of it is bounded, however long nobody listens. No call waits for any of this.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, get_args

import msgspec

from gateway.budgets_page import CONCURRENT_PERIOD, limit_now
from gateway.contract.counter_names import values_in
from gateway.contract.policy import Dimension, Policy, Quota, Window
from gateway.contract.publishing import CounterState, Crossing, Report
from gateway.crossings import Crossings, Untold
from gateway.ledger.base import Balance, Ledger
from gateway.ledger.window import NEVER_S, Period, period_named
from gateway.policy import PolicyHolder
from gateway.quota_rules import EACH

REPORTS_PATH = "/v1/gateway/reports"
REPORT_S = 1.0
# A control plane that is away is asked for less often.
REPORT_MAX_S = 5.0
# Where there is more to tell than one report holds, the next comes as soon as calls have been served in between.
REPORT_MORE_S = 0.1
# Of each kind in one report: a few milliseconds of the event loop.
ROWS_MAX = 500
# Periods that are remembered by their names, which take longer to read than all else.
PERIODS_MAX = 4096
# What is remembered for a control plane that is away: names and numbers, some ten megabytes each.
COUNTERS_MAX = 50_000
KEYS_MAX = 100_000
# What the last report may take at a stop.
LAST_S = 1.0
# Answers that say that this report will never be taken, and not that none is just now.
_REFUSES = frozenset((400, 409, 413, 415, 422))

_log = logging.getLogger("lensai.control_plane")

# Sends a report; the status it was answered. Raises whatever keeps it from being answered.
Post = Callable[[str, bytes], Awaitable[int]]


class Sources(NamedTuple):
    """Where a report's content is found. `touched` and `keys_used` hand over what they have, and begin anew."""

    policy: PolicyHolder
    ledger: Ledger
    touched: Callable[[], set[str]]
    keys_used: Callable[[], Mapping[str, int]]
    crossings: Crossings
    inflight: Callable[[], Mapping[str, int]]  # calls under way, by project


class Reporter:
    """Reports of one worker. `shared`: its ledger's counters are those of all."""

    def __init__(
        self,
        node: str,
        sources: Sources,
        post: Post,
        *,
        shared: bool,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.failures = 0
        self.dropped = 0  # names of counters and keys for which there was no room
        self._node = node
        self._sources = sources
        self._post = post
        self._shared = shared
        self._now_ms = now_ms
        self._sleep = sleep
        self._counters: dict[str, None] = {}  # that have changed, in the order of their change
        self._keys: dict[str, int] = {}
        self._lot = ROWS_MAX
        self._said = ""
        self._quotas: tuple[tuple[Quota, ...], dict[str, Quota]] = ((), {})

    async def run(self) -> None:
        """Never returns."""
        wait_s = REPORT_S
        while True:
            await self._sleep(wait_s)
            if await self.tell():
                wait_s = REPORT_MORE_S if self._counters else REPORT_S
            else:
                wait_s = min(max(wait_s, REPORT_S) * 2, REPORT_MAX_S)

    async def tell_last(self) -> None:
        """One more report, at a stop; what it does not tell, the next start does."""
        try:
            async with asyncio.timeout(LAST_S):
                await self.tell()
        except TimeoutError:
            self.failures += 1

    async def tell(self) -> bool:
        """Sends one report; whether it was taken."""
        self._gather()
        counters = list(islice(self._counters, self._lot))
        keys = dict(islice(self._keys.items(), self._lot))
        untold, crossings = self._untold()
        inflight = self._sources.inflight()
        report = Report(
            self._node,
            self._now_ms(),
            self._sources.policy.published_version,
            self._shared,
            sum(inflight.values()),
            self._published_only(inflight),
            tuple(state for name in counters if (state := self._state(name)) is not None),
            crossings,
            keys,
        )
        try:
            status = await self._post(REPORTS_PATH, msgspec.json.encode(report))
        except Exception as fault:  # whoever posts says how it failed
            self._note_failure(str(fault) or type(fault).__name__)
            return False
        if not 200 <= status < 300:
            self._note_failure(f"it answers {status}")
            if status in _REFUSES:
                # Something in it is the reason; smaller ones go past it.
                self._lot = max(self._lot // 8, 1)
                self._put_last(counters, keys, untold)
            return False
        self._said, self._lot = "", min(self._lot * 2, ROWS_MAX)
        for name in counters:
            del self._counters[name]
        for id in keys:
            del self._keys[id]
        self._sources.crossings.told(untold)
        return True

    # -- what there is to tell

    def _gather(self) -> None:
        """Takes over what has changed since it was asked last, if the control plane knows of it."""
        published = self._sources.policy.published
        touched, used = self._sources.touched(), self._sources.keys_used()
        if published is None:
            return
        for name in touched:
            if published.is_published(_quota_id(name)):
                if name in self._counters or len(self._counters) < COUNTERS_MAX:
                    self._counters[name] = None
                else:
                    self.dropped += 1
        for id, at_s in used.items():
            if published.has_key(id):
                if id in self._keys or len(self._keys) < KEYS_MAX:
                    self._keys[id] = at_s
                else:
                    self.dropped += 1

    def _published_only(self, inflight: Mapping[str, int]) -> dict[str, int]:
        """Those of the control plane's projects, the busiest if there are too many for one report."""
        published = self._sources.policy.published
        if published is None:
            return {}
        theirs = Counter({project: calls for project, calls in inflight.items() if published.has_project(project)})
        return dict(theirs.most_common(ROWS_MAX))

    def _untold(self) -> tuple[list[Untold], tuple[Crossing, ...]]:
        """The next thresholds to tell; those of quotas that are not the control plane's (any more) are let go of."""
        published = self._sources.policy.published
        if published is None:
            return [], ()
        untold: list[Untold] = []
        crossings: list[Crossing] = []
        for row in self._sources.crossings.rows():
            crossing = self._crossing(row) if published.is_published(_quota_id(row.crossed.counter)) else None
            if crossing is None:
                self._sources.crossings.told([row])
                continue
            untold.append(row)
            crossings.append(crossing)
            if len(untold) == self._lot:
                break
        return untold, tuple(crossings)

    def _crossing(self, untold: Untold) -> Crossing | None:
        crossed = untold.crossed
        quota = self._quota(_quota_id(crossed.counter))
        when = None if quota is None else _period(quota, crossed.counter)
        if quota is None or when is None:
            return None
        return Crossing(
            quota.id,
            crossed.counter,
            crossed.percent,
            crossed.settled,
            crossed.limit,
            when.starts_at_s,
            when.ends_at_s,
            untold.at_s,
        )

    def _state(self, counter: str) -> CounterState | None:
        quota = self._quota(_quota_id(counter))
        when = None if quota is None else _period(quota, counter)
        if quota is None or when is None:
            return None
        balance = self._sources.ledger.balance(counter)
        if balance == Balance() and when.ends_at_s * 1000 <= self._now_ms():
            # Nobody listened until the ledger had forgotten it: what was told before is nearer to it than 0.
            return None
        each: list[Dimension] = [name for name in get_args(Dimension) if quota.scope.get(name) == EACH]
        return CounterState(
            quota.id,
            counter,
            when.starts_at_s,
            when.ends_at_s,
            balance.settled,
            balance.held,
            limit_now(self._policy, quota, self._now_ms() // 1000),
            values_in(counter, each),
        )

    @property
    def _policy(self) -> Policy:
        return self._sources.policy.current.policy

    def _quota(self, id: str) -> Quota | None:
        if self._quotas[0] is not self._policy.quotas:
            self._quotas = (self._policy.quotas, {quota.id: quota for quota in self._policy.quotas})
        return self._quotas[1].get(id)

    # -- what became of it

    def _put_last(self, counters: list[str], keys: Mapping[str, int], untold: list[Untold]) -> None:
        for name in counters:
            self._counters[name] = self._counters.pop(name)
        for id in keys:
            self._keys[id] = self._keys.pop(id)
        self._sources.crossings.move_back(untold)

    def _note_failure(self, problem: str) -> None:
        self.failures += 1
        if problem != self._said:
            self._said = problem
            _log.warning("report_not_taken", extra={"problem": problem})


def _quota_id(counter: str) -> str:
    return counter.partition("@")[0]


def _period(quota: Quota, counter: str) -> Period | None:
    """The period that a counter's name says."""
    name = counter.partition("|")[0].partition("@")[2]
    if name == CONCURRENT_PERIOD:
        return Period(name, 0, NEVER_S)
    return _named(quota.window, quota.time_zone, name)


@lru_cache(PERIODS_MAX)
def _named(window: Window, time_zone: str, name: str) -> Period | None:
    return period_named(window, time_zone, name)
