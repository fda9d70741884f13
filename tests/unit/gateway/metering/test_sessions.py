"""Each WebSocket API has a meter, and each response its own reading."""

from gateway.endpoints import APIS, WEBSOCKET
from gateway.metering.reading import About
from gateway.metering.sessions import SESSIONS, session

DONE = b'{"type":"response.done","response":{"id":"r1","usage":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}}'


def test_every_socket_has_a_meter():
    readers = {row.endpoint.reader for rows in APIS.values() for row in rows if row.method == WEBSOCKET}
    assert readers == set(SESSIONS)


def test_a_response_is_open_until_its_usage_is_stated():
    meter = session("openai.realtime", About("openai"))
    meter.received(b'{"type":"session.created","session":{"model":"gpt-realtime"}}')
    assert meter.open == 0
    assert meter.received(b'{"type":"response.created","response":{"id":"r1"}}') is None
    assert meter.open == 1
    reading = meter.received(DONE)
    assert reading is not None
    assert (reading.model, reading.response_id, reading.provenance) == ("gpt-realtime", "r1", "reported")
    assert (reading.lines[0].usage.tokens_in, reading.lines[0].usage.tokens_out) == (9, 2)
    assert meter.open == 0


def test_what_is_no_message_of_the_api_is_left_alone():
    meter = session("openai.realtime", About("openai"))
    for payload in (b"", b"no json", b"[]", b'{"type":1}', b'{"type":{}}', b'{"type":[]}'):
        meter.sent(payload)
        assert meter.received(payload) is None
    assert meter.open == 0
