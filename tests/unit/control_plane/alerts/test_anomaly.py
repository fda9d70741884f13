import pytest
from sqlalchemy import func, select, update

from control_plane.alerts.anomaly import GAP_MS_MAX, HOUR_S, KEPT_S, Usual, judge, usual
from control_plane.alerts.tables import SpendHour
from control_plane.budgets.tables import Budget
from control_plane.db.engine import EVERY_ORG
from tests.support.alert_stage import DOLLAR, START_S, AlertStage


def hours(spent: dict[int, int | None]) -> dict[int, SpendHour]:
    """Rows by their start; the numbers are hours before the one that is judged."""
    at = {START_S - back * HOUR_S: amount for back, amount in spent.items()}
    return {hour_s: SpendHour(hour_s=hour_s, spent_nanousd=amount) for hour_s, amount in at.items()}


def test_the_same_hour_of_three_days_says_what_is_usual():
    assert usual(START_S, hours({24: 10, 48: 20, 72: 60, 1: 1000})) == Usual(30, 3)


def test_otherwise_the_last_hours_say_it():
    assert usual(START_S, hours({24: 10, 48: 20} | dict.fromkeys(range(1, 7), 7))) == Usual(7, 7)


@pytest.mark.parametrize("known", [{}, {24: 1, 48: 1}, dict.fromkeys(range(1, 6), 1), dict.fromkeys(range(1, 20))])
def test_too_few_hours_say_nothing(known):
    assert usual(START_S, hours(known)) is None


class Meter:
    """A budget's counter that grows, looked at every minute."""

    def __init__(self, stage: AlertStage, budget: str) -> None:
        self.stage, self.budget, self.settled = stage, budget, 0

    async def hour(self, dollars: int, looks: int = 60) -> None:
        for _ in range(looks):
            self.settled += dollars * DOLLAR // looks
            self.stage.plane.clock.advance(HOUR_S / looks)
            await self.stage.counted(self.budget, self.settled)
            await judge(self.stage.plane.parts.database, self.stage.plane.clock())

    async def rows(self) -> list[int | None]:

        async with self.stage.plane.parts.database.reading(EVERY_ORG) as session:
            found = await session.execute(select(SpendHour.spent_nanousd).order_by(SpendHour.hour_s))
            return [*found.scalars()]


@pytest.fixture
async def meter(plane):
    # One minute before a full hour: the first look only marks what stands there.
    plane.clock.ms = (START_S - 60) * 1000
    stage = await AlertStage.of(plane)
    meter = Meter(stage, await stage.budget())
    await stage.rule(trigger="anomaly", anomaly={"factor": 3, "floor_usd": 5})
    await stage.counted(meter.budget, 0)
    await judge(plane.parts.database, plane.clock())
    return meter


async def test_an_hour_that_costs_much_more_than_usual_is_told_once(meter):
    await meter.stage.counted(meter.budget, 0)
    for _ in range(7):
        await meter.hour(2, looks=10)
    assert await meter.stage.alerts() == []
    await meter.hour(12, looks=10)
    [alert] = await meter.stage.alerts()
    assert alert.payload["type"] == "spend.anomaly"
    assert (alert.payload["usual_usd"], alert.payload["factor"]) == ("2.00", 3.0)
    assert float(alert.payload["spent_usd"]) >= 6
    assert alert.payload["project"]["id"] == meter.stage.project_id


async def test_below_the_floor_nothing_is_unusual(meter):
    for _ in range(7):
        await meter.hour(0, looks=10)
    await meter.hour(4, looks=10)
    assert await meter.stage.alerts() == []
    await meter.hour(6, looks=10)
    assert len(await meter.stage.alerts()) == 1


async def test_an_hour_in_which_nobody_looked_for_long_is_unknown(meter):
    await meter.hour(2, looks=10)
    await meter.hour(2, looks=10)
    meter.stage.plane.clock.advance(GAP_MS_MAX / 1000 + 600)
    await meter.hour(100, looks=1)
    rows = await meter.rows()
    assert rows[0] is None
    assert rows[-1] is None
    assert await meter.stage.alerts() == []


async def test_what_nodes_count_apart_is_added_and_a_node_that_is_silent_takes_nothing_back(plane):
    plane.clock.ms = START_S * 1000
    stage = await AlertStage.of(plane)
    budget = await stage.budget()
    await stage.rule(trigger="anomaly")
    for first, second in ((0, 0), (3, 4), (3, 0), (3, 5)):
        plane.clock.advance(60)
        await stage.counted(budget, first * DOLLAR, node="a")
        await stage.counted(budget, second * DOLLAR, node="b")
        await judge(plane.parts.database, plane.clock())
    async with plane.parts.database.reading(EVERY_ORG) as session:
        row = await session.get_one(SpendHour, (budget, START_S))
    assert row.settled_nanousd == 8 * DOLLAR


async def test_a_new_window_begins_at_zero(plane):
    plane.clock.ms = START_S * 1000
    stage = await AlertStage.of(plane)
    budget = await stage.budget(period="hour")
    await stage.rule(trigger="anomaly")
    for minutes, dollars in ((1, 0), (50, 2), (58, 2), (61, 1)):
        plane.clock.ms = (START_S + minutes * 60) * 1000
        await stage.counted(budget, dollars * DOLLAR, window="hour")
        await judge(plane.parts.database, plane.clock())
    async with plane.parts.database.reading(EVERY_ORG) as session:
        assert (await session.get_one(SpendHour, (budget, START_S + HOUR_S))).spent_nanousd == DOLLAR


async def test_a_budget_of_another_period_goes_on_with_the_counter_of_that(plane):
    """Until its own end the counter of the period before is still there, and stands still."""
    plane.clock.ms = (START_S + 23 * HOUR_S) * 1000
    stage = await AlertStage.of(plane)
    budget = await stage.budget()
    await stage.rule(trigger="anomaly")
    await stage.counted(budget, 90 * DOLLAR)
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(Budget).values(period="month"))
    for dollars in (10, 11, 12):
        plane.clock.advance(300)
        await stage.counted(budget, dollars * DOLLAR, window="month")
        await judge(plane.parts.database, plane.clock())
    async with plane.parts.database.reading(EVERY_ORG) as session:
        row = await session.get_one(SpendHour, (budget, START_S + 23 * HOUR_S))
    assert row.settled_nanousd == 12 * DOLLAR


async def test_narrower_budgets_and_minutes_are_no_measure_and_old_hours_go(plane):
    plane.clock.ms = START_S * 1000
    stage = await AlertStage.of(plane)
    await stage.rule(trigger="anomaly")
    for fields in ({"scope": {"user": "ada"}}, {"period": "minute"}):
        await stage.counted(await stage.budget(**fields), DOLLAR)
    old = SpendHour(
        budget_id="bud_1", hour_s=START_S - KEPT_S - 1, spent_nanousd=1, starts_at_s=0, settled_nanousd=1,
        sampled_at_ms=0, org_id=stage.org_id,
    )  # fmt: skip
    await stage.add(old)
    await judge(plane.parts.database, plane.clock())
    async with plane.parts.database.reading(EVERY_ORG) as session:
        assert (await session.execute(select(func.count()).select_from(SpendHour))).scalar_one() == 0
