import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from gateway.sandbox.eventstream import event_message, exception_message


def test_an_independent_decoder_reads_what_was_written():
    buffer = EventStreamBuffer()
    buffer.add_data(event_message("chunk", b'{"a": 1}') + exception_message("throttlingException", b"{}"))

    event, exception = buffer
    assert (event.headers, event.payload) == (
        {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"},
        b'{"a": 1}',
    )
    assert exception.headers[":message-type"] == "exception"
    assert exception.headers[":exception-type"] == "throttlingException"


def test_a_changed_byte_is_found():
    message = bytearray(event_message("chunk", b'{"a": 1}'))
    message[-6] ^= 1
    buffer = EventStreamBuffer()
    buffer.add_data(bytes(message))

    with pytest.raises(ChecksumMismatch):
        next(buffer)
