"""Whatever the framing, the bytes come first: a defect of the reading costs a number, never the stream."""

from gateway.metering.counts import PROVIDER_ERROR
from gateway.metering.fold import UNREADABLE, LastWins
from gateway.metering.framing import (
    BODY_TOO_LARGE,
    EVENT_TOO_LARGE,
    METER_ERROR,
    Array,
    Body,
    Events,
    Frames,
    Lines,
    Opaque,
    Records,
)
from gateway.metering.reading import Line, Reading
from gateway.wire.eventstream import encode
from pricing.usage import Usage

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5}}\n\n'
CHUNK = b'data: {"choices":[{"delta":{}}],"usage":null}\n\n'


class Recorder:
    """A fold that keeps what it is given."""

    def __init__(self, lines: tuple[Line, ...] = ()) -> None:
        self.taken: list[bytes] = []
        self.lines = lines

    def take(self, payload: bytes) -> None:
        self.taken.append(payload)

    @property
    def is_named(self) -> bool:
        return len(self.taken) > 1

    def reading(self, complete: bool) -> Reading:
        return Reading(self.lines, "reported" if self.lines else "unknown")


class Broken(Recorder):
    def take(self, payload: bytes) -> None:
        raise ZeroDivisionError


def events(fold: Recorder, strip: bool = False, limit: int = 1000) -> Events:
    return Events(fold, limit, strip=strip)


def test_only_the_first_events_and_those_with_usage_are_read():
    fold = Recorder((Line(Usage()),))
    meter = events(fold)
    for chunk in (CHUNK, CHUNK, CHUNK, CHUNK, USAGE, b"data: [DONE]\n\n"):
        assert meter.feed(chunk) is chunk
    meter.reading(complete=True)
    assert fold.taken == [CHUNK[6:-2], CHUNK[6:-2], USAGE[6:-2]]


def test_without_usage_the_last_events_are_read_for_what_they_say():
    error = b'event: error\ndata: {"error":{"message":"no"}}\n\n'
    meter = Events(
        LastWins(lambda payload: Reading(flags=(PROVIDER_ERROR,) * (b'"error"' in payload))), 1000, strip=False
    )
    for chunk in (CHUNK, CHUNK, CHUNK, error, b"data: [DONE]\n\n"):
        meter.feed(chunk)
    assert meter.reading(complete=True).flags == (PROVIDER_ERROR,)


def test_an_error_after_running_totals_is_noticed_too():
    def read(payload: bytes) -> Reading:
        if b'"error"' in payload:
            return Reading(flags=(PROVIDER_ERROR,))
        return Reading(lines=(Line(Usage(output_text=1)),), provenance="partial")

    meter = Events(LastWins(read), 1000, strip=False)
    meter.feed(CHUNK * 3)
    meter.feed(b'data:  {"error":{}}\n\n')
    reading = meter.reading(complete=False)
    assert (reading.provenance, reading.flags) == ("partial", (PROVIDER_ERROR,))


def test_a_last_event_without_its_blank_line_is_read_and_stripped():
    fold = Recorder()
    meter = events(fold, strip=True)
    assert meter.feed(CHUNK * 2 + USAGE[:-2]) == CHUNK.replace(b',"usage":null', b"") * 2
    assert meter.flush() == b""
    assert USAGE[6:-2] in fold.taken


def test_an_event_cut_in_its_midst_is_passed_on_and_not_read():
    fold = Recorder()
    meter = events(fold, strip=True)
    meter.feed(CHUNK * 2)
    assert meter.feed(USAGE[:30]) == b""
    assert meter.flush() == USAGE[:30]
    assert len(fold.taken) == 2


def test_a_broken_reader_is_flagged_and_every_byte_passes():
    for strip in (False, True):
        meter = events(Broken(), strip)
        assert meter.feed(CHUNK + CHUNK[:9]) + meter.feed(CHUNK[9:]) + meter.flush() == CHUNK * 2
        assert METER_ERROR in meter.reading(complete=True).flags


def test_an_event_too_large_to_hold_passes_and_is_flagged():
    fold = Recorder()
    meter = events(fold, strip=True, limit=50)
    big = b'data: {"image":"' + b"A" * 200 + b'"}\n\n'
    sent = b"".join(meter.feed(bytes([byte])) for byte in big + USAGE) + meter.flush()
    assert sent == big
    assert fold.taken[-1] == USAGE[6:-2]
    assert EVENT_TOO_LARGE in meter.reading(complete=True).flags


def test_the_elements_of_an_array_are_read_one_by_one():
    fold = Recorder()
    meter = Array(fold, 1000)
    for chunk in (b'[{"a":1', b"}\n,\r\n", b'{"b":2}', b"]"):
        assert meter.feed(chunk) is chunk
    assert fold.taken == [b'{"a":1}', b'{"b":2}']
    assert meter.flush() == b""


def test_a_broken_reader_of_an_array_is_flagged():
    meter = Array(Broken(), 1000)
    assert meter.feed(b"[{}]") == b"[{}]"
    assert METER_ERROR in meter.reading(complete=True).flags


def test_a_body_is_read_when_it_is_whole():
    meter = Body(lambda body: Reading(model=body.decode()), 10)
    assert (meter.feed(b"01234"), meter.feed(b"56789")) == (b"01234", b"56789")
    assert meter.reading(complete=True).model == "0123456789"


def test_a_body_beyond_the_limit_is_not_kept():
    meter = Body(lambda body: Reading(model=body.decode()), 10)
    for chunk in (b"0123456789", b"x", b"small"):
        assert meter.feed(chunk) == chunk
    assert meter.reading(complete=True) == Reading(flags=(BODY_TOO_LARGE,))


def frame(payload: bytes, kind: str = "event") -> bytes:
    return encode({":event-type": "metadata", ":message-type": kind}, payload)


TEXT_FRAME, USAGE_FRAME, BLOB_FRAME = frame(b'{"delta":{}}'), frame(b'{"usage":{}}'), frame(b'{"bytes":"e30="}')


class Finished(Recorder):
    """A fold that says whether it was told that its stream came to its end."""

    def reading(self, complete: bool) -> Reading:
        return Reading(flags=("finished",) if complete else ())


def test_of_frames_those_with_usage_or_with_a_blob_are_read():
    fold = Recorder()
    meter = Frames(fold, 1000)
    for chunk in (TEXT_FRAME + USAGE_FRAME, BLOB_FRAME[:9], BLOB_FRAME[9:]):
        assert meter.feed(chunk) is chunk
    assert meter.flush() == b""
    assert fold.taken == [b'{"usage":{}}', b'{"bytes":"e30="}']


def test_a_frame_that_is_an_exception_ends_a_stream_before_its_end():
    meter = Frames(Finished(), 1000)
    meter.feed(TEXT_FRAME)
    assert meter.reading(complete=True).flags == ("finished",)
    meter.feed(frame(b'{"message":"no"}', "exception"))
    assert meter.reading(complete=True).flags == (PROVIDER_ERROR,)


def test_bytes_that_are_no_frame_pass_and_are_flagged():
    fold = Finished()
    meter = Frames(fold, 1000)
    assert meter.feed(USAGE_FRAME + b"<html>............") == USAGE_FRAME + b"<html>............"
    assert meter.feed(USAGE_FRAME) == USAGE_FRAME
    assert meter.reading(complete=True).flags == (UNREADABLE,)
    assert fold.taken == [b'{"usage":{}}']


def test_a_frame_too_large_to_hold_passes_and_is_flagged():
    fold = Recorder()
    meter = Frames(fold, 150)
    big = frame(b"A" * 200)
    assert b"".join(meter.feed(bytes([byte])) for byte in big + USAGE_FRAME) == big + USAGE_FRAME
    assert fold.taken == [b'{"usage":{}}']
    assert meter.reading(complete=True).flags == (EVENT_TOO_LARGE,)


def test_a_broken_reader_of_frames_is_flagged():
    meter = Frames(Broken(), 1000)
    assert meter.feed(USAGE_FRAME) == USAGE_FRAME
    assert METER_ERROR in meter.reading(complete=True).flags


def test_of_lines_the_first_and_the_last_two_are_read():
    fold = Recorder()
    meter = Lines(fold, 1000)
    for number in range(9):
        chunk = b'{"n":%d}\n\r\n' % number
        assert meter.feed(chunk) is chunk
    assert fold.taken == [b'{"n":0}', b'{"n":1}']
    meter.reading(complete=True)
    assert fold.taken[2:] == [b'{"n":7}', b'{"n":8}']


def test_a_last_line_without_its_end_is_read_and_a_cut_one_is_not():
    for last, read in ((b'{"n":2}', True), (b'{"n":', False)):
        fold = Recorder()
        meter = Lines(fold, 1000)
        assert meter.feed(b'{"n":0}\n{"n":1}\n' + last) == b'{"n":0}\n{"n":1}\n' + last
        assert meter.flush() == b""
        meter.reading(complete=True)
        assert (last in fold.taken) is read


def test_one_object_over_several_lines_is_read_as_one():
    whole = b'\n{\n "error": {\n  "message": "no"\n }\n}\n'
    for size in (1, 7, 100):
        fold = Recorder()
        meter = Lines(fold, 1000)
        assert b"".join(meter.feed(whole[at : at + size]) for at in range(0, len(whole), size)) == whole
        meter.flush()
        meter.reading(complete=True)
        assert set(fold.taken) == {whole.strip()}


def test_a_line_too_large_to_hold_passes_and_is_flagged():
    fold = Recorder()
    meter = Lines(fold, 20)
    sent = b'{"n":0}\n{"text":"' + b"A" * 200 + b'"}\n{"n":2}\n'
    assert b"".join(meter.feed(bytes([byte])) for byte in sent) == sent
    assert EVENT_TOO_LARGE in meter.reading(complete=True).flags
    assert set(fold.taken) == {b'{"n":0}', b'{"n":2}'}


def test_a_broken_reader_of_lines_is_flagged():
    meter = Lines(Broken(), 1000)
    assert meter.feed(b"{}\n") == b"{}\n"
    assert METER_ERROR in meter.reading(complete=True).flags


def test_every_line_of_records_is_read_and_the_last_may_lack_its_end():
    fold = Recorder()
    records = Records(fold, 100)
    body = b'{"a":1}\r\n\n{"b":2}\n{"c":3}'
    assert b"".join(records.feed(body[at : at + 1]) for at in range(len(body))) == body
    records.reading(complete=True)
    assert fold.taken == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_line_too_large_is_skipped_and_the_next_is_read():
    fold = Recorder()
    records = Records(fold, 20)
    for piece in (b'{"a":"' + b"x" * 15, b"x" * 15 + b'"}\n{"b"', b":2}\n"):
        records.feed(piece)
    assert records.reading(complete=True).flags == (EVENT_TOO_LARGE,)
    assert fold.taken == [b'{"b":2}']


def test_a_defect_in_records_costs_a_number():
    records = Records(Broken(), 100)
    assert records.feed(b'{"a":1}\n') == b'{"a":1}\n'
    assert records.reading(complete=True).flags == (METER_ERROR,)


def test_of_what_is_opaque_only_the_beginning_is_kept():
    kept: list[bytes] = []
    opaque = Opaque(lambda beginning: kept.append(beginning) or Reading())
    for _ in range(100):
        assert opaque.feed(b"\0" * 1000) == b"\0" * 1000
    assert opaque.flush() == b""
    opaque.reading(complete=True)
    assert kept == [b"\0" * 4096]
