from datetime import UTC
from typing import Any

import pytest

from gateway.cli.columns import COLUMNS, duration, fit, heading, money, printable, row, tokens_per_s
from gateway.contract.record import Outcome, Record

WHOLE_WIDTH = 190


def ended(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "request_id": "r1",
        "ts_ns": 1_764_000_000_000_000_000,
        "project_id": "shop",
        "key_id": "web",
        "endpoint": "chat.completions",
        "model": "gpt-4o-mini",
        "stream": True,
        "outcome": "ok",
        "status": 200,
        "provenance": "reported",
        "tokens_in": 1200,
        "tokens_out": 60,
        "buckets": {"input_text": 200, "cache_read_text": 1000},
        "cost_nanousd": 141_000,
        "latency_us": 1_700_000,
        "ttft_us": 500_000,
    }
    return Record(**(fields | changes))


def line(record: Record, width: int = WHOLE_WIDTH) -> str:
    return row(fit(width), record, UTC).plain


def test_a_wide_row_says_everything() -> None:
    assert line(ended()).split() == [
        "16:00:00", "shop/web", "chat.completions", "⇣", "gpt-4o-mini", "1,200", "1,000", "60", "$0.000141000",
        "500", "ms", "1.70", "s", "50", "reported", "200", "ok",
    ]  # fmt: skip


def test_a_row_is_as_wide_as_its_heading_at_any_width() -> None:
    for width in range(1, 250):
        columns = fit(width)
        assert heading(columns).cell_len == row(columns, ended(), UTC).cell_len <= width


def test_a_narrow_terminal_keeps_what_matters_most() -> None:
    assert [column.name for column in fit(80)] == ["MODEL", "IN", "OUT", "COST", "TOTAL", "STATUS"]
    assert [column.name for column in fit(WHOLE_WIDTH)] == [column.name for column in COLUMNS]


def test_a_status_fits_a_narrow_row() -> None:
    assert line(ended(outcome="client_gone"), 80).endswith("200 client left")


@pytest.mark.parametrize("outcome", Outcome.__args__)
def test_every_outcome_has_its_words(outcome: Outcome) -> None:
    assert len(line(ended(outcome=outcome, status=0)).partition("– ")[2].strip()) > 1


def test_a_refusal_is_told_by_its_code() -> None:
    refused = ended(outcome="refused", status=402, refusal_code="budget_exhausted")

    assert line(refused).rstrip().endswith("402 budget_exhausted")


def test_an_error_the_gateway_passed_on_is_told_as_one() -> None:
    assert line(ended(outcome="upstream_error", status=429)).rstrip().endswith("429 provider error")


def test_unknown_is_not_zero() -> None:
    unknown = ended(tokens_in=None, tokens_out=None, buckets=None, cost_nanousd=None, latency_us=None, ttft_us=None)

    assert line(unknown).split()[5:] == ["–", "–", "–", "–", "reported", "200", "ok"]
    assert "unpriced" in line(ended(cost_nanousd=None, price_match="unpriced"))


def test_what_callers_chose_cannot_steer_the_terminal() -> None:
    shown = line(ended(model="a\x1b[2Jb\r\n", key_id="k\x07\u202e"))

    assert shown.isprintable()
    assert "a\N{REPLACEMENT CHARACTER}[2Jb" in shown
    assert printable("naïve 模型") == "naïve 模型"


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0.0 ms"), (400, "0.4 ms"), (9_949, "9.9 ms"), (9_950, "10 ms"), (320_400, "320 ms"), (999_499, "999 ms"),
        (999_500, "1.00 s"), (9_994_999, "9.99 s"), (9_995_000, "10.0 s"), (59_949_999, "59.9 s"),
        (59_950_000, "1m 00s"), (3_599_600_000, "60m 00s"),
    ],
)  # fmt: skip
def test_durations_have_three_digits_and_a_unit(us: int, text: str) -> None:
    assert duration(us) == text


@pytest.mark.parametrize(
    ("nanousd", "text", "bright"),
    [
        (0, "$0.000000000", ""),
        (460, "$0.000000460", "46"),
        (27_000, "$0.000027000", "27"),
        (1_050_000_001, "$1.050000001", "$1.050000001"),
        (12_500_000_000, "$12.500000000", "$12.5"),
    ],
)
def test_money_is_exact_and_its_digits_stand_out(nanousd: int, text: str, bright: str) -> None:
    shown = money(nanousd)

    assert shown.plain == text
    assert "".join(text[span.start : span.end] for span in shown.spans) == bright


def test_speed_is_of_a_stream_after_its_first_byte() -> None:
    assert tokens_per_s(ended()) == 50
    assert tokens_per_s(ended(stream=False)) is None
    assert tokens_per_s(ended(tokens_out=None)) is None
    assert tokens_per_s(ended(latency_us=500_100)) is None
