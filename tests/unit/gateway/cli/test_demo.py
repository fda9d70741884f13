import io
import os
from pathlib import Path

from rich.console import Console

from gateway.cli.demo import run_demo
from gateway.cli.demo_calls import demo_calls


def test_the_demo_proves_what_it_says(tmp_path: Path) -> None:
    output = io.StringIO()

    code = run_demo(tmp_path, Console(file=output, width=200, highlight=False), os.environ)

    text, calls = output.getvalue(), len(demo_calls())
    assert code == 0, text
    assert f"{calls} calls · 3 not ok" in text
    assert f"{calls} calls sent, {calls} recorded" in text
    assert f"{calls} rows in " in text
    assert list((tmp_path / "data" / "lake").rglob("*.parquet"))
