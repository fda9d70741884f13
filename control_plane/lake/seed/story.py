"""Owns when things happen: the time that is covered, the incidents in it, and how many calls each hour has. Pure."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from control_plane.lake.seed.world import CURVES, SOURCES, Source

HOUR_S, DAY_S = 3600, 86_400
# What one part of the work holds: some 60 MB as Arrow and as much again while it is sorted.
PART_ROWS_MAX = 40_000
# From here on a month is far enough gone for its budget to be spent.
_BREACH_AFTER_S = 4 * DAY_S
_BREACH_SHARE = 0.8


class Plan(msgspec.Struct, frozen=True):
    """What is asked for. The same plan in the same places makes the same files."""

    rows: int
    days: int
    seed: int
    now_s: int  # UTC; the last day is filled up to here

    @property
    def first_day(self) -> date:
        return datetime.fromtimestamp(self.now_s, UTC).date() - timedelta(days=self.days - 1)

    @property
    def from_s(self) -> int:
        return _midnight_s(self.first_day)

    @property
    def mixed(self) -> int:
        """The seed, spread over 62 bits: neighbours have nothing in common."""
        return int.from_bytes(hashlib.sha256(f"seed {self.seed}".encode()).digest()[:8], "big") >> 2


class Between(NamedTuple):
    from_s: int
    to_s: int

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.to_s


class Story(msgspec.Struct, frozen=True):
    """The incidents of a plan. Each is on a day at some share of the time, so that a short plan has them too."""

    outage: Between  # Anthropic fails; callers turn to others
    regression: Between  # gpt-5-mini takes three times as long
    runaway: Between  # an agent that asks itself, one night
    killed: Between  # until somebody throws a kill switch over the project
    unpriced: Between  # a model of our own is in use, and nobody has stated its price
    month: Between  # in which the budget of Marketing studio is spent
    breach_s: int  # about when

    @classmethod
    def of(cls, plan: Plan) -> "Story":
        night_s = _at(plan, 0.6, 22, 20)
        priced_s = _at(plan, 0.7, 9, 0)
        month = _month(plan)
        breach_s = month.from_s + int((min(month.to_s, plan.now_s) - month.from_s) * _BREACH_SHARE)
        return cls(
            outage=_from(_at(plan, 0.8, 13, 10), minutes=105),
            regression=_from(_at(plan, 0.45, 8, 0), minutes=30 * 60),
            runaway=_from(night_s, minutes=350),
            killed=_from(night_s + 350 * 60, minutes=42),
            unpriced=Between(_at(plan, 0.5, 10, 0), priced_s),
            month=month,
            breach_s=breach_s,
        )


class Slot(NamedTuple):
    """An hour of a source, or the part of it that is covered. `first` is the number of its first call."""

    source: str
    starts_s: int
    length_s: int
    first: int
    rows: int


class Slice(NamedTuple):
    """Calls of a slot: those from `begin` to before `end`."""

    slot: Slot
    begin: int
    end: int


class Calendar:
    """The hours of a plan and how many calls each has; together exactly the plan's rows."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.story = plan, Story.of(plan)

    @cached_property
    def slots(self) -> list[Slot]:
        """In order of time."""
        hours = list(self._hours())
        total = sum(weight for *_, weight in hours)
        ends = [round(self.plan.rows * sum_ / total) for sum_ in accumulate(weight for *_, weight in hours)]
        begins = [0, *ends[:-1]]
        return [
            Slot(source, starts_s, length_s, begin, end - begin)
            for (source, starts_s, length_s, _), begin, end in zip(hours, begins, ends, strict=True)
            if end > begin
        ]

    def parts(self) -> Iterator[list[Slice]]:
        """The slots in order of time, in parts of bounded size."""
        part: list[Slice] = []
        room = PART_ROWS_MAX
        for slot in self.slots:
            done = 0
            while done < slot.rows:
                taken = min(room, slot.rows - done)
                part.append(Slice(slot, done, done + taken))
                done, room = done + taken, room - taken
                if not room:
                    yield part
                    part, room = [], PART_ROWS_MAX
        if part:
            yield part

    def _hours(self) -> Iterator[tuple[str, int, int, float]]:
        for hour_s in range(self.plan.from_s, self.plan.now_s, HOUR_S):
            for name, source in SOURCES.items():
                covered = Between(hour_s, min(hour_s + HOUR_S, self.plan.now_s))
                if name == "runaway":
                    covered = _overlap(covered, Between(self.story.runaway.from_s, self.story.killed.to_s))
                length_s = covered.to_s - covered.from_s
                if length_s > 0:
                    yield name, covered.from_s, length_s, self._weight(name, source, hour_s) * length_s

    def _weight(self, name: str, source: Source, hour_s: int) -> float:
        noise = 0.88 + 0.24 * _uniform(f"{self.plan.seed} {name} {hour_s}")
        if name == "runaway":
            # All of its calls are in one night, however long the plan.
            return source.share * noise * (self.plan.now_s - self.plan.from_s) / 350 / 60
        local = datetime.fromtimestamp(hour_s, ZoneInfo(source.zone))
        curve = CURVES[source.curve]
        day = source.weekend if local.weekday() >= 5 else 1.0
        weeks = (hour_s - self.plan.now_s) / (7 * DAY_S)
        return source.share * noise * day * source.growth**weeks * curve[local.hour] / (sum(curve) / 24)


def _month(plan: Plan) -> Between:
    """The part of this month that is covered; of last month, where this one is too young."""
    now = datetime.fromtimestamp(plan.now_s, UTC)
    begin = now.date().replace(day=1)
    if plan.now_s - _midnight_s(begin) < _BREACH_AFTER_S and begin > plan.first_day:
        begin = (begin - timedelta(days=1)).replace(day=1)
    end = (begin + timedelta(days=32)).replace(day=1)
    return Between(max(_midnight_s(begin), plan.from_s), _midnight_s(end))


def _at(plan: Plan, share: float, hour: int, minute: int) -> int:
    day = plan.first_day + timedelta(days=int(share * max(plan.days - 1, 0)))
    return _midnight_s(day) + hour * HOUR_S + minute * 60


def _from(at_s: int, *, minutes: int) -> Between:
    return Between(at_s, at_s + minutes * 60)


def _overlap(left: Between, right: Between) -> Between:
    return Between(max(left.from_s, right.from_s), min(left.to_s, right.to_s))


def _midnight_s(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
