import io

from rich.console import Console

from gateway.cli.board import PULSE_S, Board, Pulse
from gateway.contract.record import Record


def ended(number: int) -> Record:
    return Record(
        request_id=f"r{number}", ts_ns=0, model=f"model-{number}", outcome="ok", status=200, tokens_in=1, tokens_out=1
    )


def terminal(width: int = 100, height: int = 24) -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=width, height=height, highlight=False)
    return console, screen


def test_a_pipe_gets_plain_lines_and_the_totals_last() -> None:
    output = io.StringIO()
    with Board(Console(file=output, highlight=False), lambda: 0.0) as board:
        for number in range(100):
            board.show(ended(number))
            board.refresh()

    heading, *rows, totals = output.getvalue().splitlines()
    assert heading.split()[:3] == ["TIME", "PROJECT/KEY", "CALL"]
    assert len(rows) == 100
    assert "model-0 " in rows[0]
    assert totals == "100 calls · 100 → 100 tokens · $0.000000000"
    assert "\x1b" not in output.getvalue()


def test_a_terminal_sees_what_is_waited_for_and_then_the_calls() -> None:
    console, screen = terminal()
    with Board(console, lambda: 0.0, waiting="Waiting for calls …") as board:
        assert "Waiting for calls …" in screen.getvalue()
        board.show(ended(1))
        board.refresh()

    assert "model-1" in screen.getvalue()
    assert "1 call" in screen.getvalue().rpartition("model-1")[2]


def test_the_heading_comes_again_when_it_has_scrolled_away() -> None:
    console, screen = terminal(height=10)
    with Board(console, lambda: 0.0) as board:
        for number in range(12):
            board.show(ended(number))

    assert screen.getvalue().count("STATUS") == 2


def test_a_resized_terminal_gets_rows_that_fit() -> None:
    console, screen = terminal(width=120)
    with Board(console, lambda: 0.0) as board:
        board.show(ended(1))
        console.width = 60
        board.show(ended(2))

    assert screen.getvalue().count("MODEL") == 2


def test_the_pulse_shows_the_last_seconds() -> None:
    now_s = [100.5]
    pulse = Pulse(lambda: now_s[0])
    for calls in (8, 4, 0, 1):
        for _ in range(calls):
            pulse.beat()
        now_s[0] += 1

    assert pulse.bars() == " " * (PULSE_S - 5) + "█▄ ▁ "
    now_s[0] += 3600
    assert pulse.bars() == " " * PULSE_S
