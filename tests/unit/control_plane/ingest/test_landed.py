import msgspec
import pytest

from control_plane.ingest.landed import BatchFault, encode_batch, holds_the_same, read_batch, read_records
from control_plane.keyring import Keyring
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.schema import SCHEMA
from tests.support.control_plane import ring

RING = ring("seal1")
FULL = Record(
    request_id="r-1", ts_ns=1_790_000_000_123_456_789, org_id="org_1", project_id="prj_1", key_id="igk_1", tags=("a",),
    metadata='{"x":"é"}', outcome="ok", status=200, provenance="reported", tokens_in=3, tokens_out=0,
    buckets={"input_text": 3}, cost_nanousd=0, price_match="exact", latency_us=5, flags=("reported_by_caller",),
)  # fmt: skip
BARE = Record(request_id="r-2", ts_ns=1)


def test_records_come_back_as_they_were():
    assert read_records(encode_batch([FULL, BARE], RING), RING) == [FULL, BARE]
    assert read_records(encode_batch([], RING), RING) == []


def test_each_line_is_an_object_of_what_is_not_a_default():
    head, first, second, rest = encode_batch([FULL, BARE], RING).split(b"\n")
    assert (msgspec.json.decode(head)["lensai_events"], msgspec.json.decode(head)["count"], rest) == (1, 2, b"")
    assert msgspec.json.decode(first)["buckets"] == {"input_text": 3}
    assert msgspec.json.decode(second) == {"request_id": "r-2", "ts_ns": 1}


def test_as_a_table_it_is_what_a_landing_file_would_hold():
    data = encode_batch([FULL, BARE], RING)
    assert read_batch(data, RING).equals(to_table([FULL, BARE]))
    assert read_batch(data).schema == SCHEMA
    assert read_batch(encode_batch([], RING), RING).num_rows == 0


def test_an_older_key_of_the_ring_is_believed_and_another_is_not():
    data = encode_batch([BARE], RING)
    assert read_records(data, Keyring({"new": b"n" * 32, **RING.secrets})) == [BARE]
    with pytest.raises(BatchFault, match="no key"):
        read_records(data, ring("seal2"))


def test_no_byte_can_be_changed_left_out_or_added():
    data = encode_batch([FULL, BARE], RING)
    for at in range(len(data)):
        with pytest.raises(BatchFault):
            read_records(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], RING)
        with pytest.raises(BatchFault):
            read_records(data[:at], RING)
    with pytest.raises(BatchFault):
        read_records(data + b'{"request_id":"x","ts_ns":1}\n', RING)


def test_bytes_that_are_no_text_and_a_signature_that_is_no_ascii_are_told_too():
    head, _, lines = encode_batch([BARE], RING).partition(b"\n")
    for wrong in (b"\xff", "é".encode()):
        with pytest.raises(BatchFault):
            read_records(head.replace(b"seal1.", b"seal1." + wrong) + b"\n" + lines, RING)


def test_what_a_later_version_wrote_is_not_guessed_at():
    head, _, lines = encode_batch([BARE], RING).partition(b"\n")
    later = head.replace(b'"lensai_events":1', b'"lensai_events":2') + b"\n" + lines
    with pytest.raises(BatchFault, match="format 2"):
        read_records(later, RING)


def test_files_with_the_same_lines_hold_the_same():
    data = encode_batch([BARE], RING)
    assert holds_the_same(encode_batch([BARE], ring("seal2")), data)
    assert not holds_the_same(encode_batch([FULL], RING), data)
