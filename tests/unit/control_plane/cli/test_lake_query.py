import csv
import io
import json
from pathlib import Path

import pytest

from control_plane.analytics.service import SQL
from control_plane.cli.lake import main
from control_plane.cli.lake_query import QUESTIONS
from control_plane.lake.curated import open_tables
from control_plane.lake.retain import Policy, Tier, retain
from tests.support.lakes import NOW_MS, calls, cure, land

WHEN = ["--org", "org_a", "--from", "2025-11-25", "--to", "2025-11-27"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Made once: tests read it."""
    made = tmp_path_factory.mktemp("lake")
    land(made, "a", calls(range(20)))
    cure(made)
    return str(made)


def test_every_statement_can_be_asked_but_the_live_feed() -> None:
    assert QUESTIONS.keys() == SQL.keys() - {"live"}


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["query", "--lake", str(tmp_path)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == sorted(QUESTIONS)
    assert "costs           by=model sort=cost limit=20 first=" in listed


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_every_question_is_answered(lake: str, capsys: pytest.CaptureFixture[str], name: str) -> None:
    given = ["request_id=req_00000003"] if name == "call" else []
    assert main(["query", name, *given, "--lake", lake, *WHEN, "--form", "json"]) == 0
    answered = json.loads(capsys.readouterr().out)
    assert bool(answered) is (name != "errors")


def test_an_answer_is_a_table_or_csv(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "costs", "by=provider", "limit=1", "model=gpt-5", "--lake", lake, *WHEN]) == 0
    head, total, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["is_total", "value", "calls"]
    assert (total.split()[:2], len(rows), rows[0].split()[:3]) == (["True", "20"], 1, ["False", "openai", "20"])
    assert main(["query", "costs", "model=gpt-4", "--lake", lake, *WHEN, "--form", "csv"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["calls"] for row in read] in ([], [""])


def test_an_answer_from_a_sample_says_so_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    land(tmp_path, "a", calls(range(20)))
    later_ms = NOW_MS + 9 * 86_400_000
    cure(tmp_path, later_ms)
    retain(open_tables(str(tmp_path)), Policy(Tier(one_of=10)), later_ms)
    for narrowed, said in ([], ""), (["user_id="], "lensai lake query: an estimate: of some of these days a sample"):
        assert main(["query", "summary", *narrowed, "--lake", str(tmp_path), *WHEN, "--form", "csv"]) == 0
        answered = capsys.readouterr()
        assert [row["calls"] for row in csv.DictReader(io.StringIO(answered.out))] == ["20"]
        assert answered.err.startswith(said)
        assert bool(answered.err) is bool(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["costs", "x=1"], "x=1: write PARAMETER=VALUE with one of by, sort, limit, first, key_id"),
        (["costs", "limit=many"], "invalid literal"),
        (["timeseries", "bucket=2d"], "write one of 1m"),
    ],
)
def test_what_cannot_be_asked_is_told(
    lake: str, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["query", *words, "--lake", lake, *WHEN]) == 2
    assert said in capsys.readouterr().err
