from base64 import b64encode

import pytest

from gateway.metering.flowing import HELD_BYTES_MAX, Flow
from gateway.wire import eventstream

CHAT = (
    b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":" w\\u00f6rld"}}]}\n\ndata: [DONE]\n\n'
)


def test_the_bytes_of_what_was_written_bound_its_tokens():
    flow = Flow("openai.chat")
    flow.feed(CHAT)

    assert flow.tokens_max == len(b"Hello") + len(b" w\\u00f6rld")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_however_the_stream_is_cut_the_count_is_the_same(size: int):
    flow = Flow("openai.chat")
    for at in range(0, len(CHAT), size):
        flow.feed(CHAT[at : at + size])

    assert flow.tokens_max == len(b"Hello") + len(b" w\\u00f6rld")


def test_a_tool_costs_more_than_its_text():
    flow = Flow("anthropic.messages")
    flow.feed(b'data: {"content_block":{"type":"tool_use","name":"look"}}\n')
    flow.feed(b'data: {"delta":{"partial_json":"{}"}}\n')

    assert flow.tokens_max >= 55 + 2


def test_a_line_without_an_end_is_counted_by_its_bytes():
    flow = Flow("openai.chat")
    flow.feed(b'data: {"content":"' + b"x" * HELD_BYTES_MAX)

    assert flow.tokens_max >= HELD_BYTES_MAX


def test_of_an_api_whose_streams_are_not_known_every_byte_counts():
    flow = Flow("nothing.known")
    flow.feed(b"x" * 40)

    assert flow.tokens_max == 40


SAID = b'{"delta":{"text":"Hello"}}'
FRAMES = {
    "bedrock.converse": eventstream.encode({":event-type": "contentBlockDelta"}, SAID),
    "bedrock.invoke": eventstream.encode({":event-type": "chunk"}, b'{"bytes":"%b"}' % b64encode(SAID)),
}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("reader", FRAMES)
def test_binary_frames_are_counted_as_they_come(reader: str, size: int):
    flow, stream = Flow(reader), FRAMES[reader] * 3
    for at in range(0, len(stream), size):
        flow.feed(stream[at : at + size])

    assert flow.tokens_max == 3 * len(b"Hello")


def test_what_is_no_frame_counts_by_its_bytes():
    flow = Flow("bedrock.converse")
    flow.feed(b"x" * 40)

    assert flow.tokens_max == 40
