import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli.demo_report import DIFFERENCES_SHOWN_MAX, Landed, report
from gateway.cli.demo_verdict import Sum, Verdict


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    file = tmp_path / "n-1-1.parquet"
    file.write_bytes(b"x" * 5 * 1024)
    return Landed(tmp_path, [file], 3, 1.24)


def said(verdict: Verdict, landed: Landed, width: int = 200) -> str:
    output = io.StringIO()
    report(Console(file=output, width=width, highlight=False), verdict, 3, landed)
    return output.getvalue()


def agreeing() -> Verdict:
    sums = Sum(2, 1_200, 30, 208_000, 1_200, 30, 208_000)
    return Verdict({"gpt-4o-mini": sums}, sums)


def test_agreement_is_stated_number_by_number(landed: Landed) -> None:
    text = said(agreeing(), landed)

    assert ["gpt-4o-mini", "2", "1,200", "30", "$0.000208000", "1,200", "30", "$0.000208000", "✓"] in [
        line.split() for line in text.splitlines()
    ]
    assert "1,200 in and 30 out over 2 billed calls" in text
    assert "3 calls sent, 3 recorded; the 1 that failed cost nothing" in text
    assert "3 rows in 1 file, 5 KiB, 1.2 s after" in text
    assert str(landed.directory) in text
    assert "✗" not in text


def test_a_narrow_table_is_whole_too(landed: Landed) -> None:
    verdict = agreeing()
    verdict.models["a-model-with-a-name-of-about-forty-signs"] = verdict.whole
    rows = [line.split() for line in said(verdict, landed, width=80).splitlines()]

    assert ["gpt-4o-mini", "2", "1,200", "30", "$0.000208000", "$0.000208000", "✓"] in rows


def test_differences_take_the_place_of_proofs(landed: Landed) -> None:
    verdict = agreeing()
    verdict.models["gpt-4o-mini"].billed_out = 31
    verdict.differences += [f"call-{number} was not recorded" for number in range(DIFFERENCES_SHOWN_MAX + 2)]
    text = said(verdict, landed)

    assert "$0.000208000  ✗" in text
    assert "✗ call-0 was not recorded" in text
    assert "and 2 more" in text
    assert "Tokens" not in text
