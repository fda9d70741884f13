"""Estimates follow the measured formulas, lean upward, and say what they could not see."""

import base64
import json

import pytest

from gateway.metering.counts import INPUT_NOT_COUNTED, OUTPUT_ESTIMATED
from gateway.metering.estimate import (
    ATTACHMENT_ASSUMED,
    ATTACHMENT_TOKENS,
    REASONING_NOT_SEEN,
    estimate,
)
from gateway.metering.meter import Seen
from gateway.metering.reading import Line, Reading
from gateway.wire.eventstream import encode
from pricing.usage import Usage
from tests.unit.gateway.metering.test_media import png, wav

NOTHING = Seen(b"", 0)
HELLO = {"role": "user", "content": "hello world"}


def seen(*events: object) -> Seen:
    raw = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return Seen(raw, len(raw))


def estimated(reader: str, model: str, request: object, answer: Seen = NOTHING) -> tuple[int, int, tuple[str, ...]]:
    reading = estimate(reader, model, json.dumps(request).encode(), answer, Reading())
    assert reading.provenance == "estimated"
    [line] = reading.lines
    return line.usage.input_text, line.usage.output_text, reading.flags


def said(*words: str) -> Seen:
    return seen(*({"choices": [{"delta": {"content": word}}]} for word in words))


def test_an_openai_prompt_is_its_texts_three_a_message_and_three():
    system = {"role": "system", "content": "hello world"}
    assert estimated("openai.chat", "gpt-4o", {"messages": [HELLO]})[0] == 3 + 3 + 1 + 2
    assert estimated("openai.chat", "gpt-4o", {"messages": [system, HELLO]})[0] == 3 + 2 * (3 + 1 + 2)


def test_parts_of_a_message_are_texts_too():
    parts = [{"type": "text", "text": "hello world"}, {"type": "text", "text": "hello"}]
    assert (
        estimated("openai.chat", "gpt-4o", {"messages": [{"role": "user", "content": parts}]})[0] == 3 + 3 + 1 + 2 + 1
    )


def test_tools_count_as_their_json_and_more_on_gpt_5():
    tools = {"messages": [HELLO], "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
    bare = estimated("openai.chat", "gpt-4o", {"messages": [HELLO]})[0]
    assert estimated("openai.chat", "gpt-4o", tools)[0] > bare + 9
    assert estimated("openai.chat", "gpt-5", tools)[0] == estimated("openai.chat", "gpt-4o", tools)[0] + 80


def test_an_image_is_the_dearest_image_and_never_its_base64():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0K" * 5000}}
    found = estimated("openai.chat", "gpt-4o", {"messages": [{"role": "user", "content": [image]}]})
    assert found == (3 + 3 + 1 + ATTACHMENT_TOKENS, 0, (ATTACHMENT_ASSUMED,))


def data_url(file: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(file).decode()


def test_an_image_whose_header_is_read_costs_what_its_size_says():
    image = {"type": "image_url", "image_url": {"url": data_url(png(512, 512)), "detail": "high"}}
    found = estimated("openai.chat", "openai/gpt-4o", {"messages": [{"role": "user", "content": [image]}]})
    assert found == (3 + 3 + 1 + 255, 0, ())


@pytest.mark.parametrize("url", ["https://example.com/cat.png", data_url(b"%PDF-1.7" + b"\0" * 600)])
def test_one_that_lies_elsewhere_or_has_pages_is_assumed(url: str):
    image = {"type": "image_url", "image_url": {"url": url}}
    found = estimated("openai.chat", "gpt-4o", {"messages": [{"role": "user", "content": [image]}]})
    assert found == (3 + 3 + 1 + ATTACHMENT_TOKENS, 0, (ATTACHMENT_ASSUMED,))


def test_sound_is_billed_as_sound():
    part = {"inlineData": {"mimeType": "audio/wav", "data": base64.b64encode(wav(b"\0" * 96_000)).decode()}}
    request = {"contents": [{"role": "user", "parts": [part]}]}
    reading = estimate("gemini.generate", "gemini-2.5-flash", json.dumps(request).encode(), NOTHING, Reading())
    assert reading.lines[0].usage.input_audio == 64
    assert reading.flags == ()


def test_a_text_without_blanks_is_a_text():
    assert estimated("openai.embeddings", "text-embedding-3-small", {"input": "\u4f60\u597d" * 400})[0] < 1600


def test_speech_and_transcriptions_are_estimated_by_their_own_rules():
    request = json.dumps({"model": "gpt-4o-mini-tts", "input": "hello world"}).encode()
    reading = estimate("openai.speech", "gpt-4o-mini-tts", request, Seen(b"", 900), Reading())
    assert (reading.provenance, reading.flags) == ("estimated", (OUTPUT_ESTIMATED,))
    assert estimate("openai.transcription", "whisper-1", b"no form", NOTHING, Reading()) == Reading()


@pytest.mark.parametrize("reader", ["openai.images", "openai.batch", "anthropic.batch", "gemini.live"])
def test_of_some_answers_a_text_tells_nothing(reader: str):
    assert estimate(reader, "gpt-4o", b'{"prompt":"hello"}', NOTHING, Reading()) == Reading()


def test_what_will_be_told_later_is_not_estimated():
    deferred = Reading(provenance="deferred", work_id="resp_1")
    assert estimate("openai.responses", "gpt-5", b'{"input":"hello"}', NOTHING, deferred) == deferred


def test_the_output_is_the_text_that_was_seen():
    assert estimated("openai.chat", "gpt-4o", {"messages": []}, said("hello", " world", "!"))[1] == 3
    assert estimated("openai.chat", "gpt-4o", {"messages": []}, said('"content":"x" \\ é'))[1] > 3


def test_an_answer_kept_in_part_is_scaled_up():
    part = said(*["hello"] * 100)
    assert estimated("openai.chat", "gpt-4o", {}, Seen(part.raw, part.bytes_total * 10))[1] == 1000


def test_tool_calls_cost_more_than_their_text():
    call = {"choices": [{"delta": {"tool_calls": [{"function": {"name": "add", "arguments": "{}"}}]}}]}
    assert estimated("openai.chat", "gpt-4o", {}, seen(call))[1] == 2 + 16


def test_hidden_reasoning_is_said_to_be_missing():
    assert estimated("openai.chat", "o4-mini", {}, said("hello"))[2] == (REASONING_NOT_SEEN,)
    assert estimated("openai.chat", "gpt-4o", {}, said("hello"))[2] == ()


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o-mini", 100), ("gpt-4-0613", 100), ("claude-sonnet-4-5", 127), ("anthropic/claude-opus-4-8", 144),
        ("claude-opus-5", 144), ("gemini-2.5-pro", 112), ("models/gemini-3-flash", 105), ("llama-3.3-70b", 144),
    ],
)  # fmt: skip
def test_other_tokenizers_are_measured_against_openais(model: str, tokens: int):
    assert estimated("openai.chat", model, {}, said("hello" + " world" * 99))[1] == tokens


REQUESTS = [
    ("openai.completions", {"prompt": ["hello world", "hello"]}, 3 + 2 + 1),
    ("openai.completions", {"prompt": [[1, 2, 3], [4]]}, 3 + 4),
    ("openai.embeddings", {"input": "hello world", "encoding_format": "base64"}, 2),
    ("openai.embeddings", {"input": ["hello", "hello world"]}, 3),
    ("openai.responses", {"instructions": "hello", "input": [HELLO]}, 3 + 1 + 3 + 1 + 2),
    ("gemini.embeddings", {"content": {"parts": [{"text": "hello world"}]}}, 2),
    ("gemini.interactions", {"input": "hello world", "system_instruction": "hello"}, 3 + 2 + 1),
    ("gemini.generate", {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}, 3 + 3 + 1 + 1),
    ("anthropic.messages", {"system": "hello", "messages": [HELLO], "max_tokens": 9}, 3 + 1 + 3 + 1 + 2),
    ("openai.embeddings", {"inputs": [["hello", "hello world"]]}, 3),
    ("bedrock.converse", {"system": [{"text": "hello"}], "messages": [HELLO]}, 3 + 3 + 1 + 3 + 1 + 2),
    ("bedrock.invoke", {"anthropic_version": "x", "messages": [HELLO]}, 3 + 3 + 1 + 2),
    ("bedrock.invoke", {"inputText": "hello world"}, 3 + 2),
    ("cohere.chat", {"messages": [HELLO], "model": "command-r"}, 3 + 3 + 1 + 2),
    ("cohere.chat", {"message": "hello world", "preamble": "hello"}, 3 + 2 + 1),
    ("cohere.embed", {"texts": ["hello world"], "input_type": "search_query"}, 2),
    ("ollama.chat", {"messages": [HELLO], "options": {"seed": 1}}, 3 + 3 + 1 + 2),
    ("ollama.chat", {"prompt": "hello world", "context": [1, 2, 3]}, 3 + 2 + 3),
    ("ollama.embed", {"input": ["hello world"]}, 2),
    ("vertex.predict", {"instances": [{"content": "hello world"}]}, 3 + 2),
]


@pytest.mark.parametrize(("reader", "request_", "tokens"), REQUESTS)
def test_the_prompt_of_every_api_is_found(reader: str, request_: object, tokens: int):
    assert estimated(reader, "gpt-4o", request_)[0] == tokens


ANSWERS = [
    ("openai.completions", {"choices": [{"text": "hello world"}]}),
    ("openai.responses", {"type": "response.output_text.delta", "delta": "hello world"}),
    ("anthropic.messages", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hello world"}}),
    ("gemini.interactions", {"event_type": "step.delta", "delta": {"text": "hello world", "type": "text"}}),
    ("gemini.generate", {"candidates": [{"content": {"parts": [{"text": "hello world"}]}}]}),
    ("bedrock.converse", {"contentBlockIndex": 0, "delta": {"text": "hello world"}}),
    ("bedrock.invoke", {"generation": "hello world"}),
    ("bedrock.invoke", {"choices": [{"message": {"content": "hello world"}}]}),
    ("cohere.chat", {"type": "content-delta", "delta": {"message": {"content": {"text": "hello world"}}}}),
    ("ollama.chat", {"message": {"role": "assistant", "content": "hello world"}, "done": False}),
    ("ollama.chat", {"response": "hello world", "done": False}),
]


@pytest.mark.parametrize(("reader", "event"), ANSWERS)
def test_the_output_of_every_api_is_found(reader: str, event: object):
    assert estimated(reader, "gpt-4o", {}, seen(event))[1] == 2


def test_repeated_texts_of_responses_are_counted_once():
    delta = {"type": "response.output_text.delta", "delta": "hello world"}
    done = {"type": "response.output_text.done", "text": "hello world"}
    assert estimated("openai.responses", "gpt-4o", {}, seen(delta, done))[1] == 2
    whole = b'{"output":[{"content":[{"type":"output_text","text":"hello world"}]}]}'
    assert estimated("openai.responses", "gpt-4o", {}, Seen(whole, len(whole)))[1] == 2


def test_events_in_base64_are_unwrapped():
    deltas = [
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": word}} for word in ("hello", " you")
    ]
    blobs = [json.dumps({"bytes": base64.b64encode(json.dumps(delta).encode()).decode()}, separators=(",", ":"))
             for delta in deltas]  # fmt: skip
    raw = b"".join(encode({":event-type": "chunk"}, blob.encode()) for blob in blobs)
    assert estimated("bedrock.invoke", "gpt-4o", {}, Seen(raw, len(raw)))[1] == 2
    assert estimated("bedrock.invoke", "gpt-4o", {}, Seen(raw[:-20], len(raw[:-20])))[1] == 1


def test_a_name_on_bedrock_says_whose_tokenizer_it_is():
    for model in ("anthropic.claude-haiku-4-5-20251001-v1:0", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"):
        assert estimated("openai.chat", model, {}, said("hello" + " world" * 99))[1] == 127
    assert estimated("openai.chat", "gpt-4.1", {}, said("hello" + " world" * 99))[1] == 100


@pytest.mark.parametrize("reader", ["rerank", "cohere.rerank", "mistral.ocr"])
def test_what_no_text_shows_stays_unknown(reader: str):
    assert estimate(reader, "m", b'{"query":"hello","documents":["world"]}', NOTHING, Reading()) == Reading()


def test_an_input_that_was_not_counted_is_estimated_and_the_output_kept():
    line = Line(Usage(output_text=79))
    reading = Reading(lines=(line,), provenance="partial", model="gpt-4o", flags=(INPUT_NOT_COUNTED,))
    filled = estimate("ollama.chat", "", json.dumps({"messages": [HELLO]}).encode(), said("hello" * 500), reading)
    assert filled.lines[0].usage == Usage(input_text=3 + 3 + 1 + 2, output_text=79)
    assert (filled.provenance, filled.flags) == ("partial", (INPUT_NOT_COUNTED,))
    assert estimate("ollama.chat", "", b"{", NOTHING, reading) == reading


def partial(output: int) -> Reading:
    return Reading(
        lines=(Line(Usage(input_text=702, output_text=output)),), provenance="partial", model="claude-3-opus"
    )


def test_a_cut_stream_keeps_its_reported_input_and_gains_the_output_that_was_seen():
    event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hello" + " world" * 99}}
    reading = estimate("anthropic.messages", "", b"{}", seen(event), partial(1))
    assert reading.lines[0].usage == Usage(input_text=702, output_text=127)
    assert (reading.provenance, reading.flags) == ("partial", (OUTPUT_ESTIMATED,))


def test_what_a_cut_stream_reported_is_never_lowered():
    assert estimate("anthropic.messages", "", b"{}", NOTHING, partial(9)) == partial(9)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages":' + b"[" * 100_000, b"\xff"])
def test_a_request_that_cannot_be_read_stays_unknown(body: bytes):
    assert estimate("openai.chat", "gpt-4o", body, NOTHING, Reading()) == Reading()
