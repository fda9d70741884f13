"""The entry points: whole streams of each API, in any chunks, with and without stripping."""

import json
import random
from itertools import pairwise

import pytest

from gateway.endpoints import APIS
from gateway.metering import meter
from gateway.metering.meter import READERS, Seen, StreamMeter, read_body
from gateway.metering.reading import About, Reading
from gateway.metering.sessions import SESSIONS
from gateway.wire.eventstream import encode


def sse(*events: object, name: str = "", end: str = "\n") -> bytes:
    lines = (f"event: {event['type']}{end}" if name and isinstance(event, dict) else "" for event in events)
    texts = (event if isinstance(event, str) else json.dumps(event, separators=(",", ":")) for event in events)
    return "".join(f"{line}data: {text}{end}{end}" for line, text in zip(lines, texts, strict=True)).encode()


def chunk(content: str | None, **members: object) -> dict[str, object]:
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06",
            "service_tier": "default", "choices": choices, **members}  # fmt: skip


CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
WORDS = ["", "He", 'llo "usage":null ', "wörld", ",\\", "."]
MODERATION = chunk(None, moderation={"flagged": False})
SPLICED = sse(
    *(chunk(word, usage=None, obfuscation="x" * len(word)) for word in WORDS),
    chunk(None, usage=CHAT_USAGE),
    {**MODERATION, "usage": None},
    "[DONE]",
)
UNASKED = sse(*(chunk(word, obfuscation="x" * len(word)) for word in WORDS), MODERATION, "[DONE]")

MESSAGE = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-6", "content": []}
ANTHROPIC = sse(
    {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 50, "output_tokens": 1}}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'say "usage"'}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
    {"type": "message_stop"},
    name="event",
)
GEMINI_CHUNKS = [
    {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}], "modelVersion": "gemini-3-flash",
     "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": tokens, "totalTokenCount": 8 + tokens}}
    for tokens in (1, 5)
]  # fmt: skip
RESPONSE = {"id": "resp_1", "object": "response", "model": "gpt-5.4", "usage": None}
RESPONSES = sse(
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_text.delta", "delta": "Hi"},
    {
        "type": "response.completed",
        "response": {**RESPONSE, "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}},
    },
    name="event",
)


def frames(*events: tuple[str, object]) -> bytes:
    return b"".join(
        encode({":event-type": name, ":message-type": "event"}, json.dumps(event, separators=(",", ":")).encode())
        for name, event in events
    )


CONVERSE = frames(
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"delta": {"text": "Hi"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}}),
)
OLLAMA = b"".join(
    json.dumps({"model": "llama3", **members}).encode() + b"\n"
    for members in (
        *({"message": {"content": word}, "done": False} for word in WORDS),
        {"done": True, "prompt_eval_count": 9, "eval_count": 3},
    )
)
STREAMS = [
    ("openai.chat", "openai", SPLICED, "gpt-4o-2024-08-06", {"input_text": 9, "output_text": 3}),
    ("openai.responses", "openai", RESPONSES, "gpt-5.4", {"input_text": 4, "output_text": 2}),
    ("anthropic.messages", "anthropic", ANTHROPIC, "claude-sonnet-4-6", {"input_text": 50, "output_text": 20}),
    ("gemini.generate", "gemini", sse(*GEMINI_CHUNKS, end="\r\n"), "gemini-3-flash",
     {"input_text": 8, "output_text": 5}),
    ("gemini.generate", "gemini", json.dumps(GEMINI_CHUNKS, indent=1).encode(), "gemini-3-flash",
     {"input_text": 8, "output_text": 5}),
    ("bedrock.converse", "bedrock", CONVERSE, None, {"input_text": 9, "output_text": 3}),
    ("ollama.chat", "ollama", OLLAMA, "llama3", {"input_text": 9, "output_text": 3}),
]  # fmt: skip


def metered(reader: str, provider: str, pieces: list[bytes], strip: bool = False, complete: bool = True):
    stream = StreamMeter(reader, About(provider), strip=strip, event_bytes_max=1 << 20, text_bytes_max=1 << 20)
    sent = b"".join(stream.feed(piece) for piece in pieces) + stream.flush()
    return sent, stream.finish(complete)


def splits(whole: bytes) -> list[list[bytes]]:
    rng = random.Random(1)
    cuts = [[0, *sorted(rng.sample(range(1, len(whole)), 9)), len(whole)] for _ in range(20)]
    random_ones = [[whole[start:end] for start, end in pairwise(cut)] for cut in cuts]
    return [[whole], [whole[at : at + 1] for at in range(len(whole))], *random_ones]


@pytest.mark.parametrize(("reader", "provider", "body", "model", "buckets"), STREAMS)
def test_a_stream_is_read_alike_in_any_chunks_and_passes_unchanged(
    reader: str, provider: str, body: bytes, model: str | None, buckets: dict[str, int]
):
    for pieces in splits(body):
        sent, reading = metered(reader, provider, pieces)
        assert sent == body
        assert [dict(line.usage.buckets()) for line in reading.lines] == [buckets]
        assert (reading.model, reading.provenance, reading.flags) == (model, "reported", ())


def test_stripping_gives_the_stream_that_was_asked_for_in_any_chunks():
    expected = metered("openai.chat", "openai", [SPLICED])[1]
    for pieces in splits(SPLICED):
        sent, reading = metered("openai.chat", "openai", pieces, strip=True)
        assert sent == UNASKED
        assert reading == expected


def test_stripping_lets_whole_events_go_in_the_call_they_came_in():
    stream = StreamMeter("openai.chat", About("openai"), strip=True, event_bytes_max=1000, text_bytes_max=0)
    first, second = SPLICED.split(b"\n\n")[:2]
    assert stream.feed(first + b"\n\n" + second) == first.replace(b',"usage":null', b"") + b"\n\n"
    assert stream.feed(b"\n\n") == second.replace(b',"usage":null', b"") + b"\n\n"


@pytest.mark.parametrize(("reader", "provider", "body", "model", "buckets"), STREAMS)
def test_a_stream_cut_anywhere_passes_and_claims_no_more_than_it_was_told(
    reader: str, provider: str, body: bytes, model: str | None, buckets: dict[str, int]
):
    for end in range(len(body)):
        sent, reading = metered(reader, provider, [body[:end]], complete=False)
        assert sent == body[:end]
        assert reading.provenance in ("unknown", "partial", "reported")
        assert bool(reading.lines) == (reading.provenance != "unknown")
        for line in reading.lines:
            assert all(count <= buckets[bucket] for bucket, count in line.usage.buckets())


def test_a_cut_anthropic_stream_keeps_its_exact_input():
    reading = metered(
        "anthropic.messages", "anthropic", [ANTHROPIC[: ANTHROPIC.index(b"event: ping")]], complete=False
    )[1]
    assert reading.provenance == "partial"
    assert dict(reading.lines[0].usage.buckets()) == {"input_text": 50, "output_text": 1}


def test_a_stream_without_usage_names_its_model_and_is_unknown():
    sent, reading = metered("openai.chat", "openai", [UNASKED])
    assert sent == UNASKED
    assert (reading.model, reading.response_id, reading.provenance) == ("gpt-4o-2024-08-06", "chatcmpl-1", "unknown")


def test_azure_names_its_model_after_the_prompt_filter():
    prompt_filter = {"choices": [], "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    reading = metered("openai.chat", "azure", [sse(prompt_filter, *(chunk(word) for word in WORDS))])[1]
    assert (reading.model, reading.response_id) == ("gpt-4o-2024-08-06", "chatcmpl-1")


def test_a_stream_answered_with_plain_json_is_read_as_a_body():
    body = json.dumps({**chunk("Hi"), "usage": CHAT_USAGE}).encode()
    for strip in (False, True):
        sent, reading = metered("openai.chat", "openai", [body[:20], body[20:]], strip)
        assert sent == body
        assert dict(reading.lines[0].usage.buckets()) == {"input_text": 9, "output_text": 3}


def test_blanks_before_an_answer_do_not_decide_what_it_is():
    body = json.dumps({**chunk("Hi"), "usage": CHAT_USAGE}).encode()
    sent, reading = metered("openai.chat", "openrouter", [b"\n", b"  \n \n", body])
    assert sent == b"\n  \n \n" + body
    assert dict(reading.lines[0].usage.buckets()) == {"input_text": 9, "output_text": 3}


def test_text_that_looks_like_usage_is_not():
    trap = chunk('data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n')
    sent, reading = metered("openai.chat", "openai", [sse(trap, trap, trap)], strip=True)
    assert (sent, reading.lines) == (sse(trap, trap, trap), ())


def test_nothing_at_all_is_unknown():
    assert metered("openai.chat", "openai", []) == (b"", Reading())


def test_what_was_seen_is_kept_up_to_a_limit_and_counted_beyond():
    stream = StreamMeter("openai.chat", About("openai"), strip=False, event_bytes_max=1000, text_bytes_max=10)
    for piece in (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"):
        stream.feed(piece)
    assert stream.seen == Seen(b"data: 1\n\ndata: 2\n\n", 27)


def test_an_answer_of_lines_may_be_one_object_with_or_without_its_end():
    body = json.dumps({"model": "llama3", "done": True, "prompt_eval_count": 9, "eval_count": 3}).encode()
    for end in (b"", b"\n"):
        for pieces in splits(body + end):
            sent, reading = metered("ollama.chat", "ollama", pieces)
            assert sent == body + end
            assert dict(reading.lines[0].usage.buckets()) == {"input_text": 9, "output_text": 3}


def test_a_body_without_its_input_is_not_final():
    reading = read_body("ollama.chat", About("ollama"), b'{"model":"llama3","done":true,"eval_count":79}')
    assert (reading.provenance, reading.flags) == ("partial", ("input_not_counted",))


def test_a_body_is_final_whatever_its_choices_say():
    body = json.dumps({**chunk("Hi"), "usage": CHAT_USAGE}).encode()
    assert read_body("openai.chat", About("openai"), body).provenance == "reported"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"usage":', b"[1]", b'{"choices":' + b"[" * 10_000])
@pytest.mark.parametrize("reader", sorted(set(READERS) - {"openai.speech", "openai.transcription"}))
def test_a_body_that_is_no_answer_is_unknown_and_flagged(reader: str, body: bytes):
    reading = read_body(reader, About("openai"), body)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (meter.BODY_UNREADABLE,))


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe", b"\xed\xa0\x80", rb"\ud83d"], ids=["no utf-8", "surrogate", "half a pair"]
)
def test_text_that_is_none_costs_no_numbers_and_is_no_defect_of_ours(junk: bytes):
    items = b'[{"type":"message","id":"%b"},{"type":"web_search_call%b"}]' % (junk, junk)
    usage = b'{"input_tokens":4,"output_tokens":2,"total_tokens":6}'
    reading = read_body("openai.responses", About("openai"), b'{"model":"m","output":%b,"usage":%b}' % (items, usage))
    assert (reading.lines[0].usage.input_text, reading.lines[0].usage.output_text) == (4, 2)
    assert meter.METER_ERROR not in reading.flags

    details = b'{"promptTokenCount":8,"totalTokenCount":8,"promptTokensDetails":[{"modality":"%b"}]}' % junk
    reading = read_body("gemini.generate", About("gemini"), b'{"modelVersion":"g","usageMetadata":%b}' % details)
    assert meter.METER_ERROR not in reading.flags


def test_every_endpoint_that_names_a_reader_has_one():
    named = {row.endpoint.reader for rows in APIS.values() for row in rows if row.endpoint.reader}
    assert named == set(READERS) | set(SESSIONS)


def test_a_transcription_may_be_any_text_but_broken_json():
    assert read_body("openai.transcription", About("openai"), b"1\n00:00 --> 00:02\nhello\n") == Reading()
    assert read_body("openai.transcription", About("openai"), b'{"text":').flags == (meter.BODY_UNREADABLE,)


SPEECH = About("openai", request=b'{"model":"tts-1","input":"hello"}')
SPEECH_EVENTS = About("openai", request=b'{"model":"gpt-4o-mini-tts","input":"hello","stream_format":"sse"}')
IMAGE_USAGE = {"input_tokens": 9, "output_tokens": 1056, "total_tokens": 1065}
INTERACTION = {"id": "v1_a", "model": "gemini-3-flash", "status": "in_progress"}
INTERACTION_USAGE = {"total_input_tokens": 8, "total_output_tokens": 5, "total_tokens": 13}
BATCH_LINE = {"custom_id": "a", "result": {"type": "succeeded", "message": {**MESSAGE, "usage": {"input_tokens": 50,
              "output_tokens": 10}}}}  # fmt: skip
MEDIA = [
    (
        "openai.images",
        About("openai"),
        sse(
            {"type": "image_generation.partial_image", "b64_json": "AAAA" * 50},
            {"type": "image_generation.completed", "b64_json": "AAAA" * 50, "usage": IMAGE_USAGE},
        ),
        {"input_text": 9, "output_image": 1056},
    ),
    (
        "openai.transcription",
        About("openai"),
        sse(
            {"type": "transcript.text.delta", "delta": "he"},
            {"type": "transcript.text.done", "text": "hello", "usage": {"type": "duration", "seconds": 7}},
        ),
        {"input_audio_ms": 7000},
    ),
    (
        "openai.speech",
        SPEECH_EVENTS,
        sse(
            {"type": "speech.audio.delta", "audio": "AAAA" * 50},
            {"type": "speech.audio.done", "usage": {"input_tokens": 2, "output_tokens": 11, "total_tokens": 13}},
        ),
        {"input_text": 2, "output_audio": 11},
    ),
    ("openai.speech", SPEECH, b"\xff\xf3data: \n\n{}" * 50, {"input_characters": 5}),
    ("openai.speech", SPEECH, b"{\0[\1 \n\n" * 50, {"input_characters": 5}),
    (
        "gemini.interactions",
        About("gemini", request=b'{"input":"hi"}'),
        sse(
            {"event_type": "interaction.created", "interaction": INTERACTION},
            {"event_type": "step.delta", "delta": {"text": 'say "usage"', "type": "text"}},
            {"event_type": "interaction.completed",
             "interaction": {**INTERACTION, "status": "completed", "usage": INTERACTION_USAGE}},
        ),
        {"input_text": 8, "output_text": 5},
    ),
    (
        "anthropic.batch",
        About("anthropic"),
        b"\n".join(json.dumps(BATCH_LINE).encode() for _ in range(3)),
        {"input_text": 150, "output_text": 30},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "about", "body", "buckets"), MEDIA)
def test_answers_that_are_no_text_are_read_alike_in_any_chunks_too(
    reader: str, about: About, body: bytes, buckets: dict[str, int]
):
    for pieces in splits(body):
        stream = StreamMeter(reader, about, strip=False, event_bytes_max=1 << 20, text_bytes_max=1 << 20)
        assert b"".join(stream.feed(piece) for piece in pieces) + stream.flush() == body
        reading = stream.finish(complete=True)
        assert [dict(line.usage.buckets()) for line in reading.lines] == [buckets]
        assert (reading.provenance, reading.flags) == ("reported", ())


@pytest.mark.parametrize(("reader", "about", "body", "buckets"), MEDIA)
def test_cut_anywhere_they_claim_no_more(reader: str, about: About, body: bytes, buckets: dict[str, int]):
    for end in range(len(body)):
        stream = StreamMeter(reader, about, strip=False, event_bytes_max=1 << 20, text_bytes_max=1 << 20)
        assert stream.feed(body[:end]) + stream.flush() == body[:end]
        for line in stream.finish(complete=False).lines:
            assert all(count <= buckets[bucket] for bucket, count in line.usage.buckets())


def test_audio_is_counted_and_not_kept():
    stream = StreamMeter("openai.speech", SPEECH, strip=False, event_bytes_max=1 << 20, text_bytes_max=1 << 20)
    for _ in range(100):
        stream.feed(b"\xff\xf3" * 5000)
    assert stream.seen == Seen(b"", 1_000_000)


def test_an_error_in_place_of_audio_costs_nothing():
    stream = StreamMeter("openai.speech", SPEECH, strip=False, event_bytes_max=1 << 20, text_bytes_max=0)
    for byte in b'{"error":{"message":"no"}}':
        stream.feed(bytes((byte,)))
    assert stream.finish(complete=True).lines == ()


def test_a_stream_in_the_background_that_was_left_is_told_of_later():
    queued = {**RESPONSE, "background": True, "status": "queued"}
    word = {"type": "response.output_text.delta", "delta": "Hi"}
    left = sse({"type": "response.created", "response": queued}, *[word] * 9, name="event")
    ended = sse(
        {
            "type": "response.completed",
            "response": {**queued, "status": "completed", "usage": {"input_tokens": 4, "output_tokens": 2}},
        },
        name="event",
    )
    reading = metered("openai.responses", "openai", [left], complete=False)[1]
    assert (reading.lines, reading.provenance, reading.work_id) == ((), "deferred", "resp_1")
    reading = metered("openai.responses", "openai", [left, ended])[1]
    assert (reading.provenance, reading.work_id) == ("reported", "resp_1")


def test_what_is_large_as_a_rule_is_never_kept():
    assert {reader for reader in READERS if meter.is_never_kept(reader)} >= {"openai.speech", "anthropic.batch"}
    assert not meter.is_never_kept("openai.chat")
