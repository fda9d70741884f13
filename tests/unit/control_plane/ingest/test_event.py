from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from control_plane.ingest.event import AHEAD_S, BEHIND_S, Event, Origin, to_record, wrongs
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from pricing.catalog import Catalog
from pricing.overrides import Override

NOW_S = 1_790_000_000
PROJECT = "prj_00000000000000000000000001"
LISTED = Catalog.load()
DEAR = Override("eu", "*", {"input_text": "999999999"})
ORIGIN = Origin("org_1", "igk_1", PROJECT, frozenset((PROJECT,)), LISTED)


def at(seconds):
    return datetime.fromtimestamp(NOW_S + seconds, UTC)


def event(**fields):
    return Event(**{"request_id": "r", "ts": at(0), "provider": "openai", "model": "gpt-4o-mini", **fields})


def found(origin=ORIGIN, **fields):
    return dict(wrongs(event(**fields), origin, NOW_S))


def record(catalog=LISTED, **fields):
    return to_record(event(**fields), ORIGIN._replace(catalog=catalog))


def test_a_full_event_becomes_the_record_of_its_fields():
    made = record(
        ts=datetime(2026, 9, 21, 14, 13, 20, 123_456, tzinfo=UTC),
        user_id="ada", team="search", route="checkout", tags=("a", "b", "a"), metadata={"x": 1},
        upstream="eu", endpoint="chat.completions", model_requested="gpt-4o-mini-latest", stream=True, status=200,
        tokens_in=30, tokens_out=5, buckets={"input_text": 10, "cache_read_text": 20, "output_text": 5},
        cost_usd=Decimal("0.000001"), service_tier="flex", latency_ms=12.5, ttft_ms=3, bytes_in=1, bytes_out=2,
        upstream_request_id="u",
    )  # fmt: skip
    assert made == Record(
        request_id="r", ts_ns=1_790_000_000_123_456_000, org_id="org_1", project_id=PROJECT, key_id="igk_1",
        user_id="ada", team="search", route="checkout", tags=("a", "b"), metadata='{"x":1}', upstream="eu",
        provider="openai", endpoint="chat.completions", model_requested="gpt-4o-mini-latest", model="gpt-4o-mini",
        stream=True, outcome="ok", status=200, provenance="reported", tokens_in=30, tokens_out=5,
        buckets={"input_text": 10, "cache_read_text": 20, "output_text": 5}, cost_nanousd=1000, price_match="stated",
        service_tier="flex", latency_us=12_500, ttft_us=3000, bytes_in=1, bytes_out=2, upstream_request_id="u",
        flags=("reported_by_caller",),
    )  # fmt: skip
    assert to_table([made]).num_rows == 1


def test_what_is_left_out_is_unknown_and_not_zero():
    made = record(provider="", model="")
    assert (made.tokens_in, made.tokens_out, made.buckets, made.cost_nanousd) == (None, None, None, None)
    assert (made.latency_us, made.ttft_us, made.provenance, made.price_match) == (None, None, "unknown", "none")


def test_a_moment_of_any_zone_is_utc():
    made = record(ts=datetime.fromisoformat("2026-09-21T20:13:20.000001+06:00"))
    assert made.ts_ns == 1_790_000_000_000_001_000


def test_tokens_are_priced_by_the_list_where_no_cost_is_stated():
    made = record(tokens_in=1000, tokens_out=100)
    assert (made.cost_nanousd, made.price_match, made.price_version) == (210_000, "exact", LISTED.version)
    cached = record(buckets={"cache_read_text": 1000, "output_text": 100})
    assert (cached.tokens_in, cached.cost_nanousd) == (1000, 135_000)


def test_the_organizations_own_prices_come_first():
    catalog = LISTED.with_overrides([Override("eu", "*", multiplier="0.5")])
    assert record(catalog, tokens_in=1000, tokens_out=100, upstream="eu").cost_nanousd == 105_000
    assert record(catalog, tokens_in=1000, tokens_out=100).cost_nanousd == 210_000


def test_what_has_no_price_is_unpriced_and_says_why():
    made = record(model="nobody-1", tokens_in=1, tokens_out=1)
    assert (made.cost_nanousd, made.price_match, made.flags[1:]) == (None, "unpriced", ("unknown_model",))
    made = record(buckets={"output_audio_ms": 5})
    assert (made.cost_nanousd, made.price_match) == (None, "unpriced")
    assert made.flags[1:] == ("no_rate:output_audio_ms",)
    assert record(provider="nobody", tokens_in=1, tokens_out=1).price_match == "unpriced"


def test_a_cost_that_no_column_holds_is_unknown_and_the_event_can_be_read():
    made = record(tokens_in=10**12, tokens_out=1, upstream="eu", catalog=LISTED.with_overrides([DEAR]))
    assert (made.cost_nanousd, made.price_match, made.flags[1:]) == (None, "unpriced", ("cost_too_large",))
    assert to_table([made]).num_rows == 1


def test_a_stated_cost_is_rounded_once():
    assert record(cost_usd=Decimal("0.30000000000000004")).cost_nanousd == 300_000_000
    assert record(cost_usd=Decimal("0.0000000005")).cost_nanousd == 0
    assert record(cost_usd=Decimal("0.0000000015")).cost_nanousd == 2
    assert record(cost_usd=Decimal("1e-999999")).cost_nanousd == 0


@pytest.mark.parametrize("text", ["-0.1", "NaN", "Infinity", "1e999999", "9007200"])
def test_what_is_no_amount_is_refused(text):
    assert "cost_usd" in found(cost_usd=Decimal(text))


def test_the_end_follows_from_the_status_where_it_is_not_said():
    assert [record(status=status).outcome for status in (None, 200, 399, 400, 503)] == [
        "ok", "ok", "ok", "upstream_error", "upstream_error",
    ]  # fmt: skip
    assert record(status=503, outcome="client_gone").outcome == "client_gone"


def test_a_time_that_cannot_be_is_refused():
    assert found(ts=at(AHEAD_S)) == found(ts=at(-BEHIND_S)) == {}
    assert "future" in found(ts=at(AHEAD_S + 1))["ts"]
    assert "past" in found(ts=at(-BEHIND_S - 1))["ts"]
    assert "ts" in found(ts=datetime.max.replace(tzinfo=UTC) - timedelta(days=2))
    assert "ts" in found(ts=datetime.min.replace(tzinfo=UTC) + timedelta(days=2))


def test_buckets_are_those_there_are_and_agree_with_the_tokens():
    assert found(buckets={"input_text": 1}, tokens_in=1, tokens_out=0) == {}
    assert "no bucket 'thoughts'" in found(buckets={"thoughts": 1})["buckets"]
    assert found(buckets={"input_text": 1}, tokens_in=2) == {"tokens_in": "is 2, but its buckets sum to 1"}
    assert "tokens_in" in found(tokens_out=2)


def test_metadata_is_bounded():
    assert found(metadata={"a": {"b": [1, None, "x"]}}) == {}
    assert "bytes" in found(metadata={"a": "x" * 2048})["metadata"]
    deep = {"a": 1}
    for _ in range(20):
        deep = {"a": [deep]}
    assert "deeper" in found(metadata=deep)["metadata"]


def test_a_project_is_the_keys_or_one_it_may_report_for():
    anywhere = ORIGIN._replace(project_id=None)
    other = "prj_00000000000000000000000002"
    assert found(project_id=PROJECT) == found(anywhere, project_id=PROJECT) == {}
    assert "project_id" in found(project_id=other)
    assert "project_id" in found(anywhere)
    assert "project_id" in found(anywhere, project_id=other)
    assert "project_id" in found(ORIGIN._replace(projects=frozenset()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"ts": "2026-11-26T05:45:26"}, {"ts": 1_790_000_000}, {"ts": "yesterday"}, {"request_id": ""},
        {"request_id": "a\nb"}, {"request_id": "x" * 129}, {"user_id": "a\x00"}, {"tags": ["x"] * 17}, {"tags": [""]},
        {"tokens_in": -1}, {"tokens_in": 1.5}, {"tokens_in": 10**12 + 1}, {"tokens_in": "1"}, {"status": 99},
        {"latency_ms": -1}, {"outcome": "open"}, {"provenance": "held"}, {"metadata": []}, {"buckets": {"x": -1}},
        {"prompt": "Hello"}, {"org_id": "org_2"}, {"key_id": "k"}, {"cost_nanousd": 1}, {"project_id": "../x"},
        {"cost_usd": "a lot"},
    ],
)  # fmt: skip
def test_fields_are_of_their_types_and_no_others_are_taken(wrong):
    good = {"request_id": "1", "ts": "2026-11-26T05:45:26Z"}
    assert msgspec.convert(good, Event)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(good | wrong), type=Event)
