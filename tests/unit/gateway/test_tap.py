import gzip

import msgspec
import pytest

from gateway.metering.reading import About
from gateway.settings import Settings
from gateway.tap import Tap
from gateway.wire.encoding import DecodeFault

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
BODY = msgspec.json.encode({"id": "a", "model": "gpt-4o-mini", "choices": [], "usage": USAGE})
WORD = b'data: {"id":"a","choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n'
BARE_WORD = b'data: {"id":"a","choices":[{"delta":{"content":"hi"}}]}\n\n'
COUNT = b'data: {"id":"a","model":"gpt-4o-mini","choices":[],"usage":' + msgspec.json.encode(USAGE) + b"}\n\n"
DONE = b"data: [DONE]\n\n"


def tap(
    *, streams: bool = False, encoding: bytes = b"", strip: bool = False, flags: list[str] | None = None, **limits: int
) -> Tap:
    settings = Settings(**limits)
    noted = [] if flags is None else flags
    return Tap("openai.chat", About("openai"), settings, streams=streams, encoding=encoding, strip=strip, flags=noted)


def test_a_whole_body_is_read_when_it_is_complete() -> None:
    tapped = tap()
    tapped.take(BODY[:20])
    tapped.take(BODY[20:])

    assert tapped.copied_bytes == len(BODY)
    assert not tapped.reading(complete=False).lines
    reading = tapped.reading(complete=True)
    assert (reading.provenance, reading.lines[0].usage.tokens_in, reading.lines[0].usage.tokens_out) == (
        "reported",
        3,
        5,
    )


def test_an_encoded_body_is_metered_decoded() -> None:
    tapped = tap(encoding=b"gzip")
    for byte in gzip.compress(BODY):
        tapped.take(bytes((byte,)))

    assert tapped.reading(complete=True).provenance == "reported"


def test_a_stream_is_read_as_it_passes() -> None:
    tapped = tap(streams=True)
    for event in (WORD, COUNT, DONE):
        tapped.take(event)

    assert not tapped.strips
    assert tapped.reading(complete=True).lines[0].usage.tokens_out == 5


def test_what_only_we_asked_for_is_taken_out_again() -> None:
    tapped = tap(streams=True, strip=True)
    passed = [tapped.strip(event, complete=event is DONE) for event in (WORD, COUNT, DONE)]

    assert passed == [BARE_WORD, b"", DONE]
    assert tapped.reading(complete=True).lines[0].usage.tokens_out == 5


def test_what_is_stripped_is_passed_on_decoded() -> None:
    tapped = tap(streams=True, encoding=b"gzip", strip=True)

    assert tapped.strips
    assert tapped.strip(gzip.compress(WORD + COUNT + DONE), complete=True) == BARE_WORD + DONE


def test_a_stripped_stream_that_does_not_decode_is_a_fault() -> None:
    with pytest.raises(DecodeFault):
        tap(streams=True, encoding=b"gzip", strip=True).strip(b"plain", complete=False)


@pytest.mark.parametrize(
    ("encoding", "flag"), [(b"gzip", "undecodable_answer"), (b"gzip, br", "unknown_content_encoding")]
)
def test_bytes_that_mean_nothing_cost_the_numbers_and_nothing_else(encoding: bytes, flag: str) -> None:
    flags: list[str] = []
    tapped = tap(encoding=encoding, flags=flags)
    tapped.take(BODY)
    tapped.take(BODY)

    assert flags == [flag]
    assert tapped.reading(complete=True).provenance == "unknown"
    assert tapped.seen.raw == b""


def test_a_body_over_the_copy_limit_is_estimated_from_its_beginning() -> None:
    tapped = tap(response_copy_bytes_max=len(BODY))
    tapped.take(BODY)
    tapped.take(b" ")

    assert not tapped.reading(complete=True).lines
    assert tapped.seen == (BODY, len(BODY) + 1)


def test_audio_is_metered_as_it_passes_and_never_kept() -> None:
    about = About("openai", request=b'{"model":"tts-1","input":"hello"}')
    spoken = Tap("openai.speech", about, Settings(), streams=False, encoding=b"", strip=False, flags=[])
    for _ in range(100):
        spoken.take(b"\xff\xf3" * 5000)

    assert (spoken.copied_bytes, spoken.seen.raw, spoken.seen.bytes_total) == (0, b"", 1_000_000)
    reading = spoken.reading(complete=False)
    assert (reading.provenance, reading.lines[0].usage.input_characters) == ("reported", 5)
