import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.lake import query
from control_plane.lake.curated import open_tables
from control_plane.lake.query import Lake, Question, TooBusy, TookTooLong, TooLarge, Unanswered, top_models
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.scope import DAILY, Scope
from control_plane.lake.snapshot import take_snapshot
from gateway.contract.record import Record
from gateway.lake.store import StoreFault
from tests.support.lake_calls import curated, land, varied
from tests.support.lakes import cure

DAY_S = 86_400
NOON_S = 1_790_000_000 // DAY_S * DAY_S + DAY_S // 2
SCOPE = Scope("org_a", NOON_S - DAY_S, NOON_S + DAY_S)
COUNT = Question("SELECT CAST(sum(calls) AS BIGINT) AS calls FROM hourly", "hourly", SCOPE)
# Nine billion rows: longer than anybody waits.
ENDLESS = Question(
    "SELECT count(*) AS n FROM range(3000000) a, range(3000000) b WHERE a.range % 7 = b.range % 5", "events", SCOPE
)


def call(
    model: str, cost_nanousd: int | None, at_s: int = NOON_S, project: str = "prj_a", org: str = "org_a"
) -> Record:
    return Record(
        request_id=f"{model}-{cost_nanousd}-{at_s}-{project}-{org}",
        ts_ns=at_s * 10**9,
        model=model,
        cost_nanousd=cost_nanousd,
        project_id=project,
        org_id=org,
    )


CALLS = (
    call("small", 1), call("large", 2_000_000_001), call("small", 5), call("late", 3), call("unpriced", None),
    call("free", 0), call("theirs", 9, org="org_b"), call("beside", 8, project="prj_b"),
    call("early", 9, at_s=NOON_S - DAY_S),
)  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> str:
    land(tmp_path, CALLS, each=3)
    return str(tmp_path)


@pytest.fixture
def lake(directory: str) -> Iterator[Lake]:
    with contextlib.closing(Lake(directory)) as lake:
        yield lake


async def test_an_answer_is_rows_by_name_with_the_state_they_are_of(directory):
    with contextlib.closing(Lake(directory, clock=lambda: 1234)) as lake:
        assert await lake.ask(COUNT) == ([{"calls": 8}], 1234, -1, False)  # nothing is curated


async def test_rolled_up_calls_and_fresh_ones_are_counted_once_each(tmp_path):
    snapshot = curated(tmp_path, CALLS[:5], CALLS[5:])
    with contextlib.closing(Lake("", take=lambda *_: snapshot)) as lake:
        assert (await lake.ask(COUNT)).rows == [{"calls": 8}]
        between = replace(COUNT, scope=replace(SCOPE, from_s=SCOPE.from_s + 1))
        assert (await lake.ask(between)).rows == [{"calls": 7}]
        narrowed = replace(COUNT, scope=replace(SCOPE, project_id="prj_b"))
        assert (await lake.ask(narrowed)).rows == [{"calls": 1}]


@pytest.mark.parametrize("relation", ["hourly", "hourly_users", "hourly_latency"])
async def test_an_answer_is_the_same_from_days_from_hours_and_from_events(tmp_path, relation):
    land(tmp_path, varied("org_a", 400, NOON_S, span_s=5 * DAY_S), each=50)
    cure(tmp_path, NOON_S * 1000)
    land(tmp_path, varied("org_a", 20, NOON_S, seed=2, span_s=5 * DAY_S))
    sums = Question(f"SELECT CAST(sum(calls) AS BIGINT) AS calls FROM {relation}", relation, SCOPE)
    read: list[int] = []

    def counted(*asked):
        taken = take_snapshot(*asked)
        read.append(len(taken.daily[DAILY[relation]]))
        return taken

    with contextlib.closing(Lake(str(tmp_path), take=counted)) as lake:
        for from_s, to_s in ((-6 * DAY_S, DAY_S), (-3 * DAY_S - 7200, -7200), (-DAY_S // 2, 0), (-2 * DAY_S, -DAY_S)):
            scope = replace(SCOPE, from_s=NOON_S + from_s, to_s=NOON_S + to_s)
            answers = [(await lake.ask(replace(sums, scope=scope, grain_s=grain))).rows for grain in (DAY_S, 3600, 60)]
            assert answers[0] == answers[1] == answers[2] != [{"calls": None}]
    assert max(read) > 4


async def test_an_answer_from_a_sample_says_that_it_is_an_estimate_and_a_list_what_each_call_stands_for(tmp_path):
    land(tmp_path, varied("org_a", 200, NOON_S))
    land(tmp_path, varied("org_b", 20, NOON_S + 5 * DAY_S, seed=2))
    later_ms = (NOON_S + 6 * DAY_S) * 1000
    cure(tmp_path, later_ms)
    retain(open_tables(str(tmp_path)), Policy(Tier(), {"org_a": Tier(one_of=10)}), later_ms)
    whole = Scope("org_a", NOON_S - 9 * DAY_S, NOON_S + DAY_S)
    weights = Question("SELECT weight FROM events", "events", whole)
    with contextlib.closing(Lake(str(tmp_path))) as lake:
        sums = await lake.ask(replace(COUNT, scope=whole))
        assert (sums.rows, sums.estimated) == ([{"calls": 200}], False)
        assert (await lake.ask(replace(COUNT, scope=whole, grain_s=60))).estimated
        assert (await lake.ask(replace(COUNT, scope=replace(whole, filters={"user_id": ("nobody",)})))).estimated
        listed = await lake.ask(weights)
        assert listed.estimated
        assert len(listed.rows) < 200 == sum(row["weight"] for row in listed.rows)
        other = await lake.ask(replace(weights, scope=replace(whole, org_id="org_b", to_s=NOON_S + 6 * DAY_S)))
        assert ({row["weight"] for row in other.rows}, other.estimated) == ({1}, False)
        for question, estimated in ((COUNT, False), (replace(COUNT, grain_s=60), True)):
            parts = [part async for part in lake.parts(replace(question, scope=whole))]
            assert [row for part in parts for row in part.rows.to_pylist()] == [{"calls": 200}]
            assert {part.estimated for part in parts} == {estimated}


def test_what_several_statements_say_is_said_in_a_part(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "sums.sql").write_text("-- A remark.\nsum(calls) AS calls\n")
    (tmp_path / "one.sql").write_text("SELECT {sums}, {more} FROM hourly")
    assert query.named(tmp_path, more="1 AS one") == {"one": "SELECT sum(calls) AS calls, 1 AS one FROM hourly"}
    (tmp_path / "two.sql").write_text("SELECT {unknown}")
    with pytest.raises(KeyError):
        query.named(tmp_path)


async def test_hours_answer_where_rollups_were_made_before_there_were_days(tmp_path):
    land(tmp_path, CALLS)
    cure(tmp_path, NOON_S * 1000)
    with contextlib.closing(
        Lake(str(tmp_path), take=lambda *asked: replace(take_snapshot(*asked), daily=None))
    ) as lake:
        assert (await lake.ask(COUNT)).rows == [{"calls": 8}]


async def test_the_snapshot_is_of_the_days_and_the_project_and_shared_for_a_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(query, "SNAPSHOT_S", 60)
    snapshot, taken = curated(tmp_path, CALLS), []

    def take(*asked):
        taken.append(asked)
        return snapshot

    with contextlib.closing(Lake("somewhere", take=take)) as lake:
        await asyncio.gather(*(lake.ask(COUNT) for _ in range(10)))
        assert taken == [("somewhere", *SCOPE.days, None)]
        await lake.ask(replace(COUNT, scope=replace(SCOPE, project_id="prj_a")))
        assert len(taken) == 2
    assert SCOPE.days == (
        datetime.fromtimestamp(NOON_S - DAY_S, UTC).date(),
        datetime.fromtimestamp(NOON_S + DAY_S, UTC).date(),
    )


async def test_questions_at_once_do_not_see_each_others_scope(lake):
    scopes = [
        replace(SCOPE, org_id=org_id, project_id=project)
        for org_id in ("org_a", "org_b", "org_c")
        for project in (None, "prj_a", "prj_b")
    ]
    answers = await asyncio.gather(*(lake.ask(replace(COUNT, scope=scope)) for scope in scopes * 4))
    assert [answer.rows[0]["calls"] for answer in answers] == [8, 7, 1, 1, 1, None, None, None, None] * 4


async def test_rows_come_a_bounded_number_at_a_time(lake, monkeypatch):
    monkeypatch.setattr(query, "BATCH_ROWS", 2)
    question = Question("SELECT model FROM events ORDER BY model", "events", SCOPE)
    batches = [part.rows async for part in lake.parts(question)]
    assert [batch.num_rows for batch in batches[:2]] == [0, 2]
    assert [row["model"] for batch in batches for row in batch.to_pylist()][:2] == ["beside", "early"]
    assert sum(batch.num_rows for batch in batches) == 8


async def test_who_stops_reading_leaves_nothing_behind(lake):
    question = Question("SELECT r.range FROM range(10000000) r, events", "events", SCOPE)
    async for part in lake.parts(question):
        assert part.rows.num_rows <= query.BATCH_ROWS
        if part.rows.num_rows:
            break
    assert (await lake.ask(COUNT)).rows == [{"calls": 8}]


async def test_a_question_that_nobody_waits_for_is_interrupted(lake):
    asking = asyncio.create_task(lake.ask(ENDLESS))
    await asyncio.to_thread(until, lambda: any("lake" in one.name for one in threading.enumerate()))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    # Its thread is free again: as many questions as there are threads are answered.
    answers = await asyncio.gather(*(lake.ask(COUNT) for _ in range(query.AT_ONCE)))
    assert len(answers) == query.AT_ONCE


def until(happened):
    while not happened():
        threading.Event().wait(0.005)


async def test_a_question_has_its_time(directory):
    with contextlib.closing(Lake(directory, question_s=0.2)) as lake:
        with pytest.raises(TookTooLong):
            await lake.ask(ENDLESS)
        with pytest.raises(TookTooLong):
            async for _ in lake.parts(ENDLESS):
                pass
        assert (await lake.ask(COUNT, within_s=20)).rows == [{"calls": 8}]


async def test_a_question_has_its_memory_and_spills_nothing(directory, tmp_path):
    with contextlib.closing(Lake(directory, memory="32MB")) as lake:
        greedy = "SELECT list(a.range) AS every FROM range(30000000) a, (SELECT count(*) FROM events)"
        with pytest.raises(TooLarge):
            await lake.ask(Question(greedy, "events", SCOPE))
        assert (await lake.ask(COUNT)).rows == [{"calls": 8}]
    assert not (Path.cwd() / ".tmp").exists()


async def test_more_questions_than_may_wait_are_told_to_come_again(lake, monkeypatch):
    monkeypatch.setattr(query, "WAITING_MAX", 3)
    answers = await asyncio.gather(*(lake.ask(COUNT) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(TooBusy) == 2
    assert (await lake.ask(COUNT)).rows == [{"calls": 8}]


def damage(file: str) -> None:
    Path(file).write_bytes(b"PAR1")


async def test_a_damaged_file_is_unanswered_and_its_path_is_not_told(tmp_path):
    snapshot = curated(tmp_path, CALLS)
    damage(snapshot.hourly[0])
    with contextlib.closing(Lake("", take=lambda *_: snapshot)) as lake, pytest.raises(Unanswered) as fault:
        await lake.ask(COUNT)
    assert str(tmp_path) not in str(fault.value)


async def test_a_store_that_fails_is_unanswered():
    def take(*_):
        raise StoreFault("SlowDown")

    with contextlib.closing(Lake("s3://lake", take=take)) as lake, pytest.raises(Unanswered, match="StoreFault"):
        await lake.ask(COUNT)


async def test_a_mistake_of_ours_in_a_statement_is_not_taken_for_a_slow_lake(lake):
    with pytest.raises(Unanswered, match="BinderException"):
        await lake.ask(replace(COUNT, sql="SELECT nothing FROM hourly"))


async def test_models_come_dearest_first_with_the_exact_sum_of_a_project(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 10)
    assert found == (NOON_S - 60, [("large", 2_000_000_001), ("small", 6), ("late", 3)])


async def test_so_many_models_and_no_more(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 1)
    assert found.costs == [("large", 2_000_000_001)]


async def test_models_of_an_organization_are_of_all_of_its_projects_and_nobody_elses(lake):
    found = await top_models(lake, "org_a", None, NOON_S - 60, NOON_S + 60, 2)
    assert found.costs == [("large", 2_000_000_001), ("beside", 8)]


async def test_a_time_without_calls_cost_nothing(lake):
    found = await top_models(lake, "org_a", "prj_a", NOON_S + DAY_S * 9, NOON_S + DAY_S * 10, 3)
    assert found.costs == []


async def test_a_lake_that_is_not_there_is_unanswered_and_not_nothing():
    with contextlib.closing(Lake("/nowhere/at/all")) as nowhere, pytest.raises(Unanswered):
        await top_models(nowhere, "org_a", "prj_a", NOON_S, NOON_S + 60, 3)


async def test_an_alert_does_not_wait_for_models(lake):
    with pytest.raises(Unanswered):
        await top_models(lake, "org_a", "prj_a", NOON_S - 60, NOON_S + 60, 3, within_s=-1)
