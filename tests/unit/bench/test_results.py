from pathlib import Path

import msgspec

from bench import results


class _Run(msgspec.Struct):
    found: int


def test_a_run_is_a_file_named_after_what_was_measured_and_when(tmp_path: Path) -> None:
    path = results.save(_Run(3), "2026-01-02T03:04:05+00:00", prefix="kill-", directory=tmp_path / "out")
    assert path.name == "kill-2026-01-02T030405Z.json"
    assert msgspec.json.decode(path.read_bytes(), type=_Run).found == 3
