"""Owns the generation: a plan in its places becomes Arrow tables of events, part by part, in bounded memory.

No chance is in it: what varies is a hash of a call's number and the seed, computed in DuckDB (calls.sql).
"""
# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from control_plane.lake.seed.rates import TOKENS_IN_MAX, Prices, Rate
from control_plane.lake.seed.story import DAY_S, Calendar, Plan, Slice
from control_plane.lake.seed.world import KEYS, OFFERS, PROJECTS, SOURCES, users_of
from gateway.lake.schema import BUCKETS, SCHEMA

# Beside Arrow's own; parts are sized so that nothing is written to disk.
MEMORY = "200MB"
_WHEEL = 100
# Left of a budget: even a call that costs nothing does not fit.
_NOTHING = -1
_BREACHED = "marketing"
_SQL = Path(__file__).parent


class Places(msgspec.Struct, frozen=True):
    """The ids that the company has: `projects` by their handle in world.py, `keys` by name."""

    org_id: str
    projects: Mapping[str, str]
    keys: Mapping[str, str]


class Part(NamedTuple):
    """Events of one UTC day, sorted as landing files are. `number` counts the parts of the plan."""

    day: date
    number: int
    events: Any  # pyarrow.Table of SCHEMA


def plain_places(org_id: str) -> Places:
    """Ids for a lake that has no control plane."""
    keys = {key.name: f"key_{key.name.lower().replace(' ', '_')}" for key in KEYS}
    return Places(org_id, {handle: f"prj_{handle}" for handle in PROJECTS}, keys)


class Generator:
    """Makes a plan's events. `limit_nanousd` and `spend` tell of it; the latter is complete once all parts are made."""

    def __init__(self, plan: Plan, places: Places) -> None:
        self.calendar = Calendar(plan)
        self.story = self.calendar.story
        self.spend: Counter[tuple[str, int]] = Counter()  # nano-USD by project and hour
        self._plan = plan
        self._prices = Prices(self.story.unpriced.to_s)
        self._database = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 2})
        self._refuses = False
        self._prepare(places)
        self.limit_nanousd = self._limit()

    def parts(self) -> Iterator[Part]:
        """Every event once, in order of time from part to part."""
        for number, slices in enumerate(self.calendar.parts()):
            self._calls(slices)
            self._refuse()
            for project, hour_s, cost in self._ask("spend"):
                self.spend[project, hour_s] += cost
            yield from _by_day(number, self._database.sql(_read("events")).to_arrow_table())

    def close(self) -> None:
        self._database.close()

    def spent(self, project: str, from_s: int, to_s: int) -> int:
        """Nano-USD of what was made so far, in whole hours."""
        return sum(cost for (of, hour_s), cost in self.spend.items() if of == project and from_s <= hour_s < to_s)

    def _limit(self) -> int:
        """A round budget for Marketing studio, that is spent about when the story says."""
        spent = 0
        for slices in self.calendar.parts():
            wanted = [
                part
                for part in slices
                if SOURCES[part.slot.source].project == _BREACHED
                and self.story.month.from_s <= part.slot.starts_s < self.story.breach_s
            ]
            if wanted:
                self._calls(wanted)
                spent += sum(cost for _, _, cost in self._ask("spend"))
        return _rounded_down(spent)

    def _refuse(self) -> None:
        month = self.story.month
        # What is refused once stays refused: a smaller call would fit into the rest.
        left = _NOTHING if self._refuses else self.limit_nanousd - self.spent(_BREACHED, month.from_s, month.to_s)
        ((refused,),) = self._database.execute(_read("refuse"), [left]).fetchall()
        self._refuses = self._refuses or refused > 0

    def _calls(self, slices: list[Slice]) -> None:
        from_s = slices[0].slot.starts_s
        # The last slot need not end last: what runs away is stopped within an hour.
        to_s = max(part.slot.starts_s + part.slot.length_s for part in slices)
        self._fill("slices", [_slice_row(part) for part in slices])
        self._fill("mix", [row for day in range(from_s // DAY_S, -(-to_s // DAY_S)) for row in self._wheels(day)])
        rates = self._prices.between(from_s, to_s)
        self._fill("rates", [_rate_row(rate) for rate in rates])
        self._database.execute(_read("calls"))

    def _wheels(self, day: int) -> Iterator[tuple[int, str, int, str]]:
        """For each source a hundred numbers, divided among its models as they are used on the day."""
        progress = (day * DAY_S - self._plan.from_s) / (self._plan.days * DAY_S)
        for source, habits in SOURCES.items():
            weights = {
                offer: first + (last - first) * progress
                for offer, (first, last) in habits.mix.items()
                if offer != "qwen-own" or day > self.story.unpriced.from_s // DAY_S
            }
            total, reached, begin = sum(weights.values()), 0.0, 0
            for offer, weight in weights.items():
                reached += weight
                end = round(_WHEEL * reached / total)
                yield from ((day, source, number, offer) for number in range(begin, end))
                begin = end

    def _prepare(self, places: Places) -> None:
        # Every call has one row in each table beside it; another order of the joins multiplies calls first.
        self._database.execute("SET disabled_optimizers = 'join_order'")
        self._database.execute(_read("tables"))
        self._database.execute(f"SET VARIABLE seed = {self._plan.mixed}::BIGINT")
        self._fill("sources", [_source_row(name, places) for name in SOURCES])
        self._fill("keys", _key_rows(places))
        self._fill("users", [(name, i, user) for name in SOURCES for i, user in enumerate(users_of(name))])
        self._fill("offers", [_offer_row(name) for name in OFFERS])
        self._fill("story", [self._story_row()])

    def _story_row(self) -> tuple[int, ...]:
        told = (self.story.outage, self.story.regression, self.story.killed, self.story.month)
        return (*(second * 1_000_000 for between in told for second in between), TOKENS_IN_MAX)

    def _fill(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """By way of Arrow: a statement for each row takes longer than the work."""
        schema = self._database.table(table).limit(0).to_arrow_table().schema
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        self._database.execute(f"TRUNCATE {table}")
        self._database.from_arrow(pa.Table.from_arrays(arrays, schema=schema)).insert_into(table)

    def _ask(self, name: str) -> Iterable[tuple[Any, ...]]:
        return self._database.execute(_read(name)).fetchall()


def _read(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")


def _by_day(number: int, made: Any) -> Iterator[Part]:
    days = pc.divide(made.column("ts"), DAY_S * 1_000_000)
    for day in sorted(pc.unique(days).to_pylist()):
        events = _events(made.filter(pc.equal(days, day)))
        yield Part(datetime.fromtimestamp(day * DAY_S, UTC).date(), number, events)


def _events(made: Any) -> Any:
    """A table of SCHEMA: a column that the seed does not fill is null; a bucket is zero where the usage is known."""
    metered = pc.is_valid(made.column("tokens_in"))
    zeros = pc.if_else(metered, pa.scalar(0, pa.int64()), pa.scalar(None, pa.int64()))
    columns: list[Any] = []
    for field in SCHEMA:
        if field.name in made.column_names:
            columns.append(made.column(field.name).cast(field.type))
        elif field.name in BUCKETS:
            columns.append(zeros)
        else:
            columns.append(pa.nulls(made.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _slice_row(part: Slice) -> tuple[Any, ...]:
    slot = part.slot
    lasts = (slot.starts_s * 1_000_000, slot.length_s * 1_000_000)
    return (slot.source, *lasts, slot.first, slot.rows, part.begin, part.end)


def _rate_row(rate: Rate) -> tuple[Any, ...]:
    return (rate.offer, rate.from_s * 1_000_000, rate.to_s * 1_000_000, rate.match, rate.version, *rate.attousd)


def _source_row(name: str, places: Places) -> tuple[Any, ...]:
    source = SOURCES[name]
    keys = sum(key.source == name for key in KEYS)
    return (
        name, source.project, places.projects[source.project], places.org_id, source.team, source.users, keys,
        list(source.routes), *source.tokens_in, *source.tokens_out, source.streams, source.cached, source.prefix,
        source.limited, source.metadata,
    )  # fmt: skip


def _key_rows(places: Places) -> list[tuple[Any, ...]]:
    counted: Counter[str] = Counter()
    rows: list[tuple[Any, ...]] = []
    for key in KEYS:
        rows.append((key.source, counted[key.source], places.keys[key.name], list(key.tags), key.cancels))
        counted[key.source] += 1
    return rows


def _offer_row(name: str) -> tuple[Any, ...]:
    offer = OFFERS[name]
    return (
        name, offer.upstream, offer.provider, offer.endpoint, offer.requested, offer.answered, offer.ttft_ms,
        offer.tokens_per_s, offer.fallback, offer.reasoning, offer.writes_cache, offer.writes, offer.error_share,
    )  # fmt: skip


def _rounded_down(amount_nanousd: int) -> int:
    """To two digits, as people set budgets; to a cent at least."""
    unit = max(10_000_000, 10 ** (len(str(amount_nanousd)) - 2))
    return max(amount_nanousd // unit * unit, unit)
