import pytest

from bench import instructions
from bench.instructions import Count, Row, Run, markdown, total_of

_DUMP = """\
# callgrind format
version: 1
pid: 4711
part: 2

positions: line
events: Ir

fn=(1) main
12 300

totals: 123456
"""


def test_what_callgrind_counted_is_the_total_of_its_file() -> None:
    assert total_of(_DUMP) == 123456
    with pytest.raises(ValueError, match="names no total"):
        total_of("events: Ir\n")


def test_a_row_compares_the_instructions_of_one_call() -> None:
    counts = {"before": Count(2_000_000, 10), "gateway": Count(4_400_000, 20, idle=200_000)}
    row = Row("JSON, 1 connections", "call", counts)
    assert row.percent("gateway") == pytest.approx(5.0)
    assert markdown(Run("2026-01-01", (row,))).splitlines() == [
        "| scenario | per | before | gateway | more |",
        "| --- | --- | ---: | ---: | ---: |",
        "| JSON, 1 connections | call | 200,000 | 210,000 | **+5.0 %** |",
    ]


def test_without_valgrind_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert instructions.main(["--against", "."]) == 1
    assert "apt-get install valgrind" in capsys.readouterr().err
