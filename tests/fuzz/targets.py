"""Owns the table of what is fuzzed: a function that must take any bytes, and where its seeds come from.

A new parser is one row. A target raises where the parser breaks a promise: it raises something that it does not
declare, loses or changes a byte, or disagrees with a second reading.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.fuzz import bounds, ingest, metering, policy, seeds, wire


class Target(NamedTuple):
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


TARGETS: dict[str, Target] = {
    "http1.requests": Target(wire.http1_requests, seeds.requests),
    "http1.responses": Target(wire.http1_responses, seeds.responses),
    "http1.chunked": Target(wire.http1_chunked, seeds.chunked),
    "sse": Target(wire.sse_events, seeds.streams),
    "jsontext": Target(wire.jsontext_members, seeds.json_texts),
    "splice.ask": Target(wire.splice_ask, seeds.json_texts),
    "splice.strip": Target(wire.splice_strip, seeds.chunks),
    "strictjson": Target(wire.strictjson_check, seeds.json_texts),
    "peek": Target(wire.peek_body, seeds.json_texts),
    "multipart": Target(wire.multipart_read, seeds.forms),
    "encoding": Target(wire.encoding_decode, seeds.packed),
    "eventstream": Target(wire.eventstream_frames, seeds.frames),
    "websocket": Target(wire.websocket_frames, seeds.socket_frames),
    "metering.stream": Target(metering.stream, seeds.answers),
    "metering.body": Target(metering.body, seeds.answers),
    "metering.socket": Target(metering.socket, seeds.socket_messages),
    "bounds.bodies": Target(bounds.bodies, seeds.json_texts),
    "policy.toml": Target(policy.toml, seeds.policies),
    "policy.msgpack": Target(policy.msgpack, seeds.packed_policies),
    "ingest.body": Target(ingest.body, ingest.bodies),
    "ingest.file": Target(ingest.file, ingest.files),
}
