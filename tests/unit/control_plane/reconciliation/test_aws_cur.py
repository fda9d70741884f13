import gzip
import io
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from control_plane.reconciliation.aws_cur import read, split
from control_plane.reconciliation.lines import Unreadable

NAMES = (
    "line_item_line_item_type", "line_item_product_code", "line_item_usage_start_date", "line_item_usage_type",
    "line_item_usage_amount", "line_item_unblended_cost", "line_item_currency_code",
    "line_item_line_item_description", "pricing_unit",
)  # fmt: skip
INPUT = (
    "Usage", "AmazonBedrock", "2026-11-24T13:00:00Z", "USE1-Claude4.6Sonnet-input-tokens", "12.5", "0.0375", "USD",
    "$0.003 per 1K input tokens", "1K tokens",
)  # fmt: skip


def csv(*rows: tuple[str, ...], names: tuple[str, ...] = NAMES) -> bytes:
    return "".join(",".join(cells) + "\r\n" for cells in (names, *rows)).encode()


def line(**changed: str) -> tuple[str, ...]:
    return tuple(changed.get(name, value) for name, value in zip(NAMES, INPUT, strict=True))


def test_hours_of_a_usage_type_are_one_line_of_the_day():
    later = line(line_item_usage_start_date="2026-11-24T14:00:00Z", line_item_usage_amount="0.001")
    [found] = read(csv(INPUT, later)).lines
    assert (found.day, found.provider, found.model) == (date(2026, 11, 24), "bedrock", "Claude4.6Sonnet")
    assert (found.measure, found.quantity, found.cost_nanousd) == ("input", 12_501, 75_000_000)


def test_both_generations_of_the_report_are_the_same():
    legacy = (
        "lineItem/LineItemType", "lineItem/ProductCode", "lineItem/UsageStartDate", "lineItem/UsageType",
        "lineItem/UsageAmount", "lineItem/UnblendedCost", "lineItem/CurrencyCode", "lineItem/LineItemDescription",
        "pricing/unit",
    )  # fmt: skip
    assert read(gzip.compress(csv(INPUT, names=legacy))) == read(csv(INPUT))


def test_parquet_is_the_same():
    columns: dict[str, list[object]] = {name: [value] for name, value in zip(NAMES, INPUT, strict=True)}
    columns |= {
        "line_item_usage_amount": [12.5],
        "line_item_unblended_cost": [0.0375],
        "line_item_usage_start_date": [datetime(2026, 11, 24, 13, tzinfo=UTC)],
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    assert read(sink.getvalue()) == read(csv(INPUT))


@pytest.mark.parametrize(
    ("usage_type", "expected"),
    [
        ("USE1-NovaPro-output-tokens", ("NovaPro", "output")),
        ("USE1-Claude4Sonnet-cache-read-input-token-count-cross-region-global", ("Claude4Sonnet", "cache_read")),
        ("EUC1-Claude4.6Sonnet-cache-write-input-token-count", ("Claude4.6Sonnet", "cache_write")),
        ("USE1-Nova2.0Lite-input-tokens-flex", ("Nova2.0Lite", "input")),
        ("USE1-openai.gpt-oss-120b-mantle-input-tokens-standard", ("openai.gpt-oss-120b", "input")),
        ("USE1-ProvisionedThroughput-ModelUnits", ("", "other")),
    ],
)
def test_a_usage_type_is_a_model_and_what_is_counted(usage_type, expected):
    assert split(usage_type) == expected


def test_models_of_the_marketplace_are_told_by_their_edition():
    sold = line(
        line_item_product_code="bd8c3bnvd8abc",
        line_item_usage_type="USE1-MP:USE1_OutputTokenCount-Units",
        line_item_line_item_description="AWS Marketplace software usage|us-east-1|Million Response Tokens",
        pricing_unit="Units",
    )
    row = csv((*sold, "Claude 3.5 Sonnet (Amazon Bedrock Edition)"), names=(*NAMES, "product_product_name"))
    [found] = read(row).lines
    assert (found.model, found.measure, found.quantity) == ("Claude 3.5 Sonnet", "output", 12_500_000)


def test_taxes_credits_and_other_products_are_passed_over():
    assert read(csv(line(line_item_product_code="AmazonS3"))).lines == ()
    with pytest.raises(Unreadable, match="no day"):
        read(csv(line(line_item_line_item_type="Tax")))


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (csv(line(line_item_usage_start_date="yesterday")), "line 2: line_item_usage_start_date"),
        (csv(line(line_item_usage_amount="x")), "line 2: line_item_usage_amount"),
        (csv(line(line_item_unblended_cost="x")), "line 2: line_item_unblended_cost"),
        (csv(line(pricing_unit="Hrs", line_item_line_item_description="")), "line 2: pricing_unit"),
        (csv(INPUT[1:], names=NAMES[1:]), "columns line_item_line_item_type are missing"),
        (b"PAR1xxxxPAR1", "Parquet"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(data, place):
    with pytest.raises(Unreadable, match=place):
        read(data)
