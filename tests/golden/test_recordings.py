"""Every recorded answer of every metered API, read by the meter and by a second, plain reading of the facts."""

import json
import random
from collections import Counter

import pytest

from gateway.metering.meter import StreamMeter
from gateway.metering.reading import About, Reading
from gateway.wire import sse
from tests.golden.recordings import ABSENT, FILE, Recording, recordings
from tests.golden.usage_oracle import expected

if not FILE.exists():
    pytest.skip(ABSENT, allow_module_level=True)

RECORDINGS = list(recordings())
STREAMS = [recording for recording in RECORDINGS if recording.stream]
# What is fed byte by byte: all kinds of stream are in it, and it takes a second.
SMALL_BYTES = 12_000
# Providers whose streams carry usage only when asked, as recorded with the option.
ASKED = ("openai", "azure", "alibaba", "crusoe", "snowflake", "xai")


def metered(recording: Recording, pieces: list[bytes], strip: bool = False, complete: bool = True):
    meter = StreamMeter(
        recording.reader, About(recording.provider), strip=strip, event_bytes_max=1 << 24, text_bytes_max=1 << 16
    )
    sent = b"".join(meter.feed(piece) for piece in pieces) + meter.flush()
    return sent, meter.finish(complete)


def lines(reading: Reading):
    return [(line.model, line.usage) for line in reading.lines]


def wanted(recording: Recording):
    return expected(recording.reader, recording.provider, recording.usages, recording.body)


def random_pieces(body: bytes, rng: random.Random, mean: int) -> list[bytes]:
    pieces, at = [], 0
    while at < len(body):
        size = rng.randint(1, 2 * mean)
        pieces.append(body[at : at + size])
        at += size
    return pieces


def test_the_recordings_cover_every_metered_api():
    kinds = Counter((recording.reader, recording.stream) for recording in RECORDINGS if wanted(recording))
    assert {reader for reader, stream in kinds if stream} == {
        "openai.chat", "openai.completions", "openai.responses", "anthropic.messages", "gemini.generate",
    }  # fmt: skip
    assert sum(kinds.values()) > 190


def test_whole_answers_are_read_exactly_and_pass_unchanged():
    for recording in RECORDINGS:
        sent, reading = metered(recording, [recording.body])
        assert sent == recording.body
        assert lines(reading) == wanted(recording), recording.kind
        assert not recording.model or reading.model == recording.model, recording.kind
        assert reading.provenance == ("reported" if reading.lines else "unknown")


def test_byte_by_byte_nothing_changes():
    small = [recording for recording in STREAMS if len(recording.body) <= SMALL_BYTES]
    assert {recording.reader for recording in small} == {recording.reader for recording in STREAMS}
    for recording in small:
        body = recording.body
        sent, reading = metered(recording, [body[at : at + 1] for at in range(len(body))])
        assert sent == body
        assert (lines(reading), reading.model) == (wanted(recording), metered(recording, [body])[1].model)


@pytest.mark.parametrize("mean", [20, 300, 3000])
def test_in_random_chunks_nothing_changes(mean: int):
    rng = random.Random(mean)
    for recording in RECORDINGS:
        body = recording.body
        if len(body) < mean * 1000:
            sent, reading = metered(recording, random_pieces(body, rng, mean))
            assert sent == body
            assert lines(reading) == wanted(recording), recording.kind


def test_a_cut_stream_passes_and_never_claims_more_than_the_whole_one():
    rng = random.Random(5)
    for recording in STREAMS:
        most = sum(usage.tokens_in + usage.tokens_out for _, usage in wanted(recording))
        peak = max([most, *(_stated(usage) for _, usage in recording.usages)])
        for _ in range(3):
            cut = recording.body[: rng.randrange(len(recording.body))]
            sent, reading = metered(recording, [cut], complete=False)
            assert sent == cut
            assert reading.provenance == "unknown" or reading.lines
            assert sum(usage.tokens_in + usage.tokens_out for _, usage in lines(reading)) <= peak


def _stated(usage: dict[str, object]) -> int:
    totals = (usage.get("total_tokens"), usage.get("totalTokenCount"))
    return max((total for total in totals if isinstance(total, int)), default=0)


@pytest.mark.parametrize("mean", [40, 100_000])
def test_stripping_leaves_the_events_of_an_unasked_stream_and_reads_the_same(mean: int):
    rng = random.Random(mean)
    asked = [recording for recording in STREAMS if recording.provider in ASKED and "complet" in recording.endpoint]
    assert len(asked) > 20
    for recording in asked:
        sent, reading = metered(recording, random_pieces(recording.body, rng, mean), strip=True)
        assert sent == unasked(recording.body), recording.kind
        assert lines(reading) == wanted(recording)


def unasked(body: bytes) -> bytes:
    """The stream without what `include_usage` causes, by parsing every event and writing it anew."""
    return b"".join(_unasked(event) for event in sse.split(body))


def _unasked(event: bytes) -> bytes:
    text = event.partition(b"data:")[2].strip()
    if not text.startswith(b"{") or "usage" not in (chunk := json.loads(text)):
        return event
    usage = chunk.pop("usage")
    if usage is not None:
        assert chunk["choices"] == []
        return b""
    written = json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode()
    spaced = json.dumps(chunk, ensure_ascii=True).encode()
    return event.replace(text, written if b'": ' not in text.partition(b"choices")[0] else spaced)
