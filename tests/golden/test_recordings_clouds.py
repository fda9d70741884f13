"""Every recorded answer of Bedrock, Cohere, Ollama and their like, read by the meter and by a second, plain reading."""

import random
from collections import Counter

import pytest

from gateway.metering.counts import INPUT_NOT_COUNTED, PROVIDER_ERROR
from gateway.metering.meter import StreamMeter, read_body
from gateway.metering.reading import Reading
from pricing.usage import Usage
from tests.golden.cloud_recordings import READERS, CloudRecording, cloud_recordings
from tests.golden.clouds_oracle import expected
from tests.golden.recordings import ABSENT, FILE

if not FILE.exists():
    pytest.skip(ABSENT, allow_module_level=True)

RECORDINGS = list(cloud_recordings())
STREAMS = [recording for recording in RECORDINGS if recording.stream]
# What is fed byte by byte: all kinds of stream are in it, and it takes a second.
SMALL_BYTES = 30_000


def metered(recording: CloudRecording, pieces: list[bytes], complete: bool = True) -> tuple[bytes, Reading]:
    meter = StreamMeter(recording.reader, recording.about, strip=False, event_bytes_max=1 << 24, text_bytes_max=1 << 16)
    sent = b"".join(meter.feed(piece) for piece in pieces) + meter.flush()
    return sent, meter.finish(complete)


def usage(reading: Reading) -> Usage | None:
    assert len(reading.lines) <= 1
    return reading.lines[0].usage if reading.lines else None


def random_pieces(body: bytes, rng: random.Random, mean: int) -> list[bytes]:
    pieces, at = [], 0
    while at < len(body):
        size = rng.randint(1, 2 * mean)
        pieces.append(body[at : at + size])
        at += size
    return pieces


def test_the_recordings_cover_these_apis():
    kinds = Counter((recording.provider, recording.endpoint) for recording in RECORDINGS if expected(recording))
    assert set(READERS) - set(kinds) == {("ollama", "embeddings")}
    assert sum(kinds.values()) > 65


def test_whole_answers_are_read_exactly_and_pass_unchanged():
    for recording in RECORDINGS:
        sent, reading = metered(recording, [recording.body])
        got, wanted = usage(reading), expected(recording)
        assert sent == recording.body
        assert got == wanted, recording.kind
        assert set(reading.flags) <= {INPUT_NOT_COUNTED, PROVIDER_ERROR, "guardrail_intervened"}, recording.kind
        assert (reading.provenance == "unknown") == (not reading.lines)


def test_whole_bodies_are_read_alike_at_once():
    for recording in RECORDINGS:
        if not recording.stream:
            streamed = metered(recording, [recording.body])[1]
            assert read_body(recording.reader, recording.about, recording.body) == streamed, recording.kind


def test_what_ollama_did_not_count_is_not_final():
    uncounted = [
        reading
        for recording in RECORDINGS
        if recording.reader == "ollama.chat"
        for reading in (metered(recording, [recording.body])[1],)
        if INPUT_NOT_COUNTED in reading.flags
    ]
    assert [reading.provenance for reading in uncounted] == ["partial"] * 3


def test_byte_by_byte_nothing_changes():
    small = [recording for recording in STREAMS if len(recording.body) <= SMALL_BYTES]
    assert {recording.reader for recording in small} == {recording.reader for recording in STREAMS}
    for recording in small:
        body = recording.body
        sent, reading = metered(recording, [body[at : at + 1] for at in range(len(body))])
        assert sent == body
        assert reading == metered(recording, [body])[1]


@pytest.mark.parametrize("mean", [20, 300, 3000])
def test_in_random_chunks_nothing_changes(mean: int):
    rng = random.Random(mean)
    for recording in RECORDINGS:
        if len(recording.body) < mean * 1000:
            sent, reading = metered(recording, random_pieces(recording.body, rng, mean))
            got, wanted = usage(reading), expected(recording)
            assert sent == recording.body
            assert got == wanted, recording.kind


def test_a_cut_stream_passes_and_never_claims_more_than_the_whole_one():
    rng = random.Random(5)
    for recording in STREAMS:
        whole = expected(recording) or Usage()
        for _ in range(30):
            cut = recording.body[: rng.randrange(len(recording.body))]
            sent, reading = metered(recording, [cut], complete=False)
            assert sent == cut
            claimed = usage(reading) or Usage()
            assert claimed.tokens_in <= whole.tokens_in, recording.kind
            assert claimed.tokens_out <= whole.tokens_out, recording.kind


def test_a_stream_ends_where_an_event_of_ours_could_follow():
    framed = [recording for recording in STREAMS if not recording.body.startswith(b"{\n")]
    for recording in framed:
        meter = StreamMeter(recording.reader, recording.about, strip=False, event_bytes_max=1 << 24, text_bytes_max=0)
        meter.feed(recording.body)
        whole = meter.at_boundary
        meter.feed(recording.body[:20])
        assert (whole, meter.at_boundary) == (True, False), recording.kind
