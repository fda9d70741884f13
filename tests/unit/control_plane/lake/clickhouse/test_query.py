from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from control_plane.lake.clickhouse.load import load
from control_plane.lake.clickhouse.query import QUESTIONS, ask
from control_plane.lake.clickhouse.server import Server, Value
from control_plane.lake.query import Lake, Question
from control_plane.lake.scope import Scope
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.story import Plan
from gateway.lake.store import Directory
from tests.tidy.tree import ROOT

NOW_S = int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp())
PLAN = Plan(12_000, 5, 7, NOW_S)
TO_S = NOW_S // 3600 * 3600
EVERYTHING = Scope("org_demo", PLAN.from_s, TO_S)
SCOPES = {
    "everything": EVERYTHING,
    "a project": Scope("org_demo", PLAN.from_s, TO_S, "prj_coding"),
    "some hours": Scope("org_demo", PLAN.from_s + 30 * 3600, PLAN.from_s + 41 * 3600),
    "no whole hours": Scope("org_demo", PLAN.from_s + 90_061, TO_S - 1_799),
    "a model": Scope("org_demo", PLAN.from_s, TO_S, None, {"model": ("gpt-5-mini", "claude-sonnet-4-6")}),
    "what no rollup has": Scope(
        "org_demo", PLAN.from_s, TO_S, None, {"tag": ("env:staging", "ci"), "status": ("200",)}
    ),
    "nothing": Scope("org_demo", PLAN.from_s, TO_S, None, {"model": ("it's none",)}),
    "another organization": Scope("org_other", PLAN.from_s, TO_S),
}
EDGES = [PLAN.from_s + day * 86_400 - 3600 for day in range(6)]
ASKED: Mapping[str, list[dict[str, Value]]] = {
    "summary": [{}],
    "costs": [
        {"by": by, "sort": sort, "limit": 6}
        for by, sort in (
            ("model", "cost"),
            ("key", "calls"),
            ("status", "errors"),
            ("project", "tokens"),
            ("outcome", "refused"),
        )
    ],
    "costs_by_tag": [{"sort": "cost", "limit": 5}, {"sort": "calls", "limit": 50}],
    "costs_by_user": [{"sort": "cost", "limit": 20}, {"sort": "tokens", "limit": 3}],
    "timeseries": [{"by": "model", "edges": EDGES, "limit": 4}, {"by": None, "edges": EDGES, "limit": 1}],
    "latency": [
        {"by": by, "measure": measure, "percents": [50.0, 95.0, 99.0], "limit": 5}
        for by, measure in (("model", "latency_ms"), (None, "ttft_ms"), ("project", "output_tokens_per_s"))
    ],
    "latency_series": [{"measure": "latency_ms", "percents": [50.0, 95.0], "edges": EDGES}],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    seeded = Seeded(PLAN, plain_places("org_demo"))
    generator = Generator(PLAN, seeded.places)
    landing.write(Directory(root), seeded, generator, lambda rows: None)
    generator.close()
    return root


@pytest.fixture(scope="module")
def filled(server: Server, lake: Path) -> Server:
    load(server, str(lake), PLAN.first_day, date(2026, 11, 26), lambda day, rows: None)
    return server


@pytest.fixture
def duck(lake: Path) -> Iterator[Lake]:
    opened = Lake(str(lake))
    yield opened
    opened.close()


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what engines write differently: scales of decimals, the last bit of a double."""
    return [{name: _plain(value) for name, value in sorted(row.items())} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.normalize() + 0
    return pytest.approx(value) if isinstance(value, float) else value


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", QUESTIONS)
async def test_both_engines_answer_the_same(filled, duck, name, scope):
    statement = (ROOT / f"control_plane/analytics/sql/{name}.sql").read_text()
    for parameters in ASKED[name]:
        answer = await duck.ask(Question(statement, QUESTIONS[name], SCOPES[scope], parameters))
        rows = ask(filled, name, SCOPES[scope], parameters)
        assert plain(rows) == plain(answer.rows)


def test_the_questions_that_are_compared_have_answers(filled):
    for name, asked in ASKED.items():
        assert all(len(ask(filled, name, EVERYTHING, parameters)) >= 1 for parameters in asked)


def test_an_organization_sees_nothing_of_another(filled):
    (sums,) = ask(filled, "summary", SCOPES["another organization"], {})

    assert sums["calls"] is None
    assert ask(filled, "timeseries", SCOPES["another organization"], ASKED["timeseries"][0]) == []
