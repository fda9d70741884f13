from pathlib import Path

import msgspec

from bench.lake import QUESTIONS, Run, markdown, measure


def test_a_small_run_counts_every_call_and_says_what_each_step_took(tmp_path: Path) -> None:
    found = measure(tmp_path, 2000, 3, 2)
    assert found.whole
    assert (found.counted, found.rows) == (2000, 2000)
    assert [(step.name, step.status) for step in found.steps] == [
        ("curate", 0),
        ("rollup --everything", 0),
        ("verify", 0),
    ]
    assert [one.name for one in found.questions] == [name for name, _, _ in QUESTIONS]
    said = markdown(Run("then", {"cpu": "x"}, found))
    assert "2,000 calls of 3 days" in said
    assert "Invalid" not in said
    lost = msgspec.structs.replace(found, counted=1999)
    assert "**Invalid: 1,999 calls were counted" in markdown(Run("then", {"cpu": "x"}, lost))
