import os
from pathlib import Path

import pytest

from gateway.cli.processes import Process, ProcessFault


def test_a_process_is_awaited_until_it_says_so_and_ends_with_its_context(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Process(("sandbox", "--port", "0"), os.environ, log) as process:
        port = process.ready(r"listening on http://127\.0\.0\.1:(\d+)")
        assert 0 < int(port) < 65536

    assert process.stop() == 0
    assert port in log.read_text()


def test_a_process_that_ends_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        Process(("sandbox", "--no-such-option"), os.environ, tmp_path / "log") as process,
        pytest.raises(ProcessFault, match=r"(?s)lensai sandbox ended with code 2.*--no-such-option"),
    ):
        process.ready("listening on (.*)")
