from pathlib import Path

from bench.publish import Measured, Run, markdown, measure
from bench.samples import Spread

SPREAD = Spread(200, 40_000.0, 60_000.0, 90_000.0, None, 120_000.0)


def measured(killed: int = 1000) -> Measured:
    return Measured(rounds=200, streams=1000, killed=killed, said=SPREAD, kill=SPREAD, publish=SPREAD)


def test_a_report_has_a_line_for_each_thing_that_was_waited_for():
    shown = markdown(Run("2026-11-26T10:00:00+00:00", {"cores": "2"}, measured()))
    lines = [line for line in shown.splitlines() if line.startswith(("| kill", "| publish"))]
    assert [line.partition("|")[2].split("|")[1:] for line in lines] == [
        [" 200 ", " 40.0 ", " 60.0 ", " 90.0 ", " 120.0 ", ""]
    ] * 3
    assert "Invalid" not in shown


def test_a_stream_that_ended_otherwise_spoils_the_run():
    assert not measured(killed=999).whole
    assert "Invalid" in markdown(Run("", {}, measured(killed=999)))
    assert not Measured(0, 0, 0, None, None, None).whole


async def test_a_gateway_obeys_and_every_stream_ends(tmp_path: Path):
    found = await measure(tmp_path, rounds=2, streams=2)
    assert found.whole
    assert [spread.samples for spread in (found.said, found.kill, found.publish) if spread] == [2, 4, 2]
