"""Every recorded answer of every metered API, read by the meter and by a second, plain reading of the facts."""

import json
import random
from collections import Counter

import pytest

from gateway.metering.counts import INPUT_NOT_COUNTED, PROVIDER_ERROR
from gateway.metering.meter import READERS, StreamMeter, read_body
from gateway.metering.reading import Reading
from gateway.metering.sessions import SESSIONS, Session, session
from gateway.wire import sse
from gateway.wire.whole import Whole, WholeEvents, WholeFrames, WholeLines
from tests.golden.recordings import ABSENT, FILE, Recording, recordings
from tests.golden.usage_oracle import ORACLES, Lines, expected

if not FILE.exists():
    pytest.skip(ABSENT, allow_module_level=True)

EVERYTHING = list(recordings())
SOCKETS = [recording for recording in EVERYTHING if recording.messages]
RECORDINGS = [recording for recording in EVERYTHING if recording.reader in ORACLES and not recording.messages]
STREAMS = [recording for recording in RECORDINGS if recording.stream]
# What is fed byte by byte: all kinds of stream are in it, and it takes a second.
SMALL_BYTES = 12_000
# Readers whose recorded answers are of versions that stated no usage yet.
STATE_NOTHING = {"ollama.embed"}
# Providers whose streams carry usage only when asked, as recorded with the option.
ASKED = ("openai", "azure", "alibaba", "crusoe", "snowflake", "xai")


def metered(recording: Recording, pieces: list[bytes], strip: bool = False, complete: bool = True):
    meter = StreamMeter(recording.reader, recording.about, strip=strip, event_bytes_max=1 << 24, text_bytes_max=1 << 16)
    sent = b"".join(meter.feed(piece) for piece in pieces) + meter.flush()
    return sent, meter.finish(complete)


def whole_as(body: bytes) -> Whole:
    """What keeps a recorded stream whole, told by its first byte in the place of its content-type."""
    if body.startswith(b"\0"):
        return WholeFrames()
    return WholeLines() if body.startswith(b"{") else WholeEvents()


def lines(reading: Reading):
    return [(line.model, line.usage) for line in reading.lines]


def wanted(recording: Recording) -> Lines:
    lines = expected(recording)
    assert lines is not None, recording.kind
    return lines


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
        "gemini.interactions", "bedrock.converse", "bedrock.invoke", "cohere.chat", "ollama.chat",
    }  # fmt: skip
    assert {reader for reader, _ in kinds} | {recording.reader for recording in SOCKETS} == set(ORACLES) - STATE_NOTHING
    assert sum(kinds.values()) > 290


def test_what_has_no_meter_has_a_reason():
    assert [recording.kind for recording in EVERYTHING if not recording.reader and not recording.why] == []


def test_whole_answers_are_read_exactly_and_pass_unchanged():
    flags: Counter[str] = Counter()
    provenances: Counter[str] = Counter()
    for recording in RECORDINGS:
        sent, reading = metered(recording, [recording.body])
        assert sent == recording.body
        assert lines(reading) == wanted(recording), recording.kind
        assert not recording.model or reading.model == recording.model, recording.kind
        if reading.lines:
            provenances[reading.provenance] += 1
        else:
            assert reading.provenance in ("unknown", "deferred")
        flags.update(reading.flags)
    # Bedrock's reranker says nothing; of three of Ollama's prompts only a part was counted.
    assert (provenances["estimated"], provenances["partial"]) == (1, 3)
    assert provenances["reported"] > 280
    assert flags == {PROVIDER_ERROR: 64, INPUT_NOT_COUNTED: 3, "event_unreadable": 1, "guardrail_intervened": 1}


def test_whole_bodies_are_read_alike_at_once():
    for recording in RECORDINGS:
        if recording.body and not recording.stream:
            streamed = metered(recording, [recording.body])[1]
            assert read_body(recording.reader, recording.about, recording.body) == streamed, recording.kind


def test_a_stream_ends_where_an_event_of_ours_could_follow():
    for recording in STREAMS:
        if recording.is_error or recording.body.startswith(b"["):
            continue  # one JSON value, which nothing could follow
        whole = whole_as(recording.body)
        assert (whole.feed(recording.body), whole.may_be_followed) == (recording.body, True), recording.kind
        assert whole.feed(recording.body[:20]) == b"", recording.kind


def test_an_error_has_no_usage():
    errors = [recording for recording in EVERYTHING if recording.is_error and recording.reader in READERS]
    assert len(errors) > 30
    for recording in errors:
        assert metered(recording, [recording.body])[1].lines == (), recording.kind


def test_a_background_response_is_deferred_until_a_call_tells_its_usage():
    told: dict[str, list[str]] = {}
    for recording in RECORDINGS:
        reading = metered(recording, [recording.body])[1]
        if recording.reader == "openai.responses" and reading.work_id:
            told.setdefault(reading.work_id, []).append(reading.provenance)
    assert sorted(told.values()) == [
        ["deferred", "deferred"],
        ["deferred", "deferred", "reported"],
        ["deferred", "reported"],
        ["reported"],
        ["reported"],
    ]


def replayed(recording: Recording) -> tuple[Session, list[Reading]]:
    opened = session(recording.reader, recording.about)
    readings: list[Reading] = []
    for is_sent, message in recording.messages:
        if is_sent:
            opened.sent(message)
        elif reading := opened.received(message):
            readings.append(reading)
    return opened, readings


def test_sockets_give_a_reading_for_every_answer():
    assert {recording.reader for recording in SOCKETS} == set(SESSIONS) - {"openai.responses_socket"}
    for recording in SOCKETS:
        opened, readings = replayed(recording)
        assert [(reading.model, line.usage) for reading in readings for line in reading.lines] == wanted(recording)
        assert {(reading.provenance, reading.flags) for reading in readings} == {("reported", ())}
        assert (opened.open, opened.pending()) == (0, ())


def test_a_socket_that_closes_early_says_what_was_open():
    for recording in SOCKETS:
        whole = len(replayed(recording)[1])
        for end in range(len(recording.messages)):
            opened, readings = replayed(recording._replace(messages=recording.messages[:end]))
            assert len(readings) <= whole
            # xAI bills messages that no answer came after, which is one more to tell.
            assert opened.open <= len(opened.pending()) <= opened.open + (recording.provider == "xai")


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
            assert reading.provenance in ("unknown", "deferred") or reading.lines
            assert sum(usage.tokens_in + usage.tokens_out for _, usage in lines(reading)) <= peak


def _stated(usage: dict[str, object] | float) -> int:
    if not isinstance(usage, dict):
        return 0  # Titan's and Ollama's: a part, whose whole is the oracle's
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
