"""The order of a Record's fields is a format on disk: this list only ever grows at its end."""

import msgspec
import pytest

from gateway.contract.record import Record, decode_record, encode_record

FIELDS_OF_VERSION_1 = [
    "version", "request_id", "ts_ns", "org_id", "project_id", "key_id", "user_id", "team", "route", "tags", "metadata",
    "upstream", "provider", "endpoint", "model_requested", "model", "mode", "stream", "outcome", "status",
    "refusal_code", "provenance", "tokens_in", "tokens_out", "buckets", "cost_nanousd", "price_match", "price_version",
    "service_tier", "latency_us", "ttft_us", "bytes_in", "bytes_out", "upstream_status", "upstream_request_id", "flags",
]  # fmt: skip

CALL = Record(
    request_id="req_1",
    ts_ns=1_795_435_200_123_456_789,
    project_id="shop",
    tags=("nightly", "eval"),
    model="gpt-5-mini",
    outcome="ok",
    status=200,
    provenance="reported",
    tokens_in=12,
    tokens_out=34,
    buckets={"input_text": 12, "output_text": 34},
    cost_nanousd=71_000,
    price_match="exact",
)


def test_fields_keep_their_places():
    assert list(Record.__struct_fields__)[: len(FIELDS_OF_VERSION_1)] == FIELDS_OF_VERSION_1


def test_a_record_travels_as_an_array_and_comes_back_equal():
    wire = encode_record(CALL)
    assert msgspec.msgpack.decode(wire)[:3] == [1, "req_1", 1_795_435_200_123_456_789]
    assert decode_record(wire) == CALL


def test_a_shorter_record_of_an_older_version_is_read_with_defaults():
    older = msgspec.msgpack.encode([1, "req_1", 5, "acme"])
    assert decode_record(older) == Record(request_id="req_1", ts_ns=5, org_id="acme")


def test_a_longer_record_of_a_newer_version_is_read_without_what_is_new():
    newer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode_record(CALL)), "something new"])
    assert decode_record(newer) == CALL


def test_unknown_is_not_zero():
    bare = decode_record(encode_record(Record(request_id="req_1", ts_ns=5)))
    assert (bare.tokens_in, bare.tokens_out, bare.buckets, bare.cost_nanousd, bare.latency_us) == (None,) * 5


@pytest.mark.parametrize("damaged", [b"", b"\x90", b"\x93\x01\x02\x03", encode_record(CALL)[:-1], b"\xc1"])
def test_what_is_no_record_is_refused(damaged):
    with pytest.raises(msgspec.MsgspecError):
        decode_record(damaged)
