import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.tail import main, run_tail
from gateway.contract.record import Record, encode_record
from gateway.journal.frame import FINAL, FORMAT, INTENT, crc32c, encode, header


class Gateway:
    """A worker's journal, written by hand; `steps` happen one by one, each at a pause of the command."""

    def __init__(self, journal: Path) -> None:
        self._segment = journal / "worker-0" / "n-00000001-00000001.open"
        self._segment.parent.mkdir(parents=True)
        self._segment.write_bytes(header())
        self.steps: list[Callable[[], object]] = []

    def ends(self, request_id: str, project: str = "shop", kind: int = FINAL) -> None:
        record = Record(request_id=request_id, ts_ns=1, project_id=project, model="gpt-4o-mini", outcome="ok")
        self.append(encode(kind, request_id.encode(), encode_record(record)))

    def append(self, data: bytes) -> None:
        with self._segment.open("ab") as segment:
            segment.write(data)

    def pause(self, _: float) -> bool:
        """Lets the next step happen; with none left, ends the command."""
        if self.steps:
            self.steps.pop(0)()
            return False
        return True


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_calls_appear_as_they_end_and_older_ones_do_not(gateway: Gateway, tmp_path: Path) -> None:
    gateway.ends("before")
    gateway.steps = [
        lambda: gateway.ends("open", kind=INTENT),
        lambda: gateway.ends("first"),
        lambda: gateway.ends("second"),
    ]
    output = io.StringIO()

    assert run_tail(tmp_path, as_json=True, output=output, pause=gateway.pause) == 0
    assert [json.loads(line)["request_id"] for line in output.getvalue().splitlines()] == ["first", "second"]


def test_a_json_line_is_the_whole_record(gateway: Gateway, tmp_path: Path) -> None:
    gateway.steps = [lambda: gateway.ends("first")]
    output = io.StringIO()
    run_tail(tmp_path, as_json=True, output=output, pause=gateway.pause)

    call = json.loads(output.getvalue())
    assert tuple(call) == Record.__struct_fields__
    assert call["tokens_in"] is None


def test_only_the_asked_projects_are_shown(gateway: Gateway, tmp_path: Path) -> None:
    gateway.steps = [
        lambda: gateway.ends("a", "shop"),
        lambda: gateway.ends("b", "bot"),
        lambda: gateway.ends("c", "x"),
    ]
    output = io.StringIO()
    run_tail(tmp_path, projects=("shop", "bot"), as_json=True, output=output, pause=gateway.pause)

    assert [json.loads(line)["request_id"] for line in output.getvalue().splitlines()] == ["a", "b"]


def test_a_pipe_gets_a_table(gateway: Gateway, tmp_path: Path) -> None:
    gateway.steps = [lambda: gateway.ends("a")]
    output = io.StringIO()
    run_tail(tmp_path, output=output, pause=gateway.pause)

    heading, call, totals = output.getvalue().splitlines()
    assert heading.startswith("TIME")
    assert "gpt-4o-mini" in call
    assert totals.startswith("1 call ")


def test_a_gateway_may_come_later(tmp_path: Path) -> None:
    started: list[Gateway] = []

    def pause(_: float) -> bool:
        if started:
            return True
        started.append(Gateway(tmp_path / "journal"))
        started[0].ends("a")
        return False

    output = io.StringIO()
    assert run_tail(tmp_path / "journal", as_json=True, output=output, pause=pause) == 0
    assert json.loads(output.getvalue())["request_id"] == "a"


def test_a_journal_of_a_later_version_is_said_to_be(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = b"LENSAIJ\n" + (FORMAT + 1).to_bytes(2, "little") + b"\0\0"
    newer = tmp_path / "worker-0" / "n-00000002-00000001.open"
    gateway.steps = [lambda: newer.write_bytes(lead + crc32c(lead).to_bytes(4, "little"))]

    assert run_tail(tmp_path, output=io.StringIO(), pause=gateway.pause) == 1
    assert "newer than" in capsys.readouterr().err


def test_an_interrupt_ends_it_quietly(gateway: Gateway, tmp_path: Path) -> None:
    def interrupt(_: float) -> bool:
        raise KeyboardInterrupt

    output = io.StringIO()
    assert run_tail(tmp_path, output=output, pause=interrupt) == 0
    assert output.getvalue() == "0 calls · 0 → 0 tokens · $0.000000000\n"


def test_the_command_looks_into_the_data_dir_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"], tmp_path)

    assert ended.value.code == 0
    assert str(tmp_path) in capsys.readouterr().out.replace("\n", "").replace(" ", "")
