"""Owns Request: one HTTP request, whole, as the stages read it. Knows no caller and no route."""

import msgspec
from msgspec.structs import replace

from gateway.wire import upgrade
from gateway.wire.headers import keeps_alive
from gateway.wire.http1 import Framing, Head, HttpFault, check_host, check_target, framing


class Request(msgspec.Struct, eq=False, gc=False):
    """What arrived: its head in order and case, its body as sent (still content-encoded).

    Not frozen, because the body is filled in when it has arrived; from `Pipeline.begin` on nobody changes it.
    """

    head: Head
    method: str
    target: bytes
    http10: bool
    keep_alive: bool  # the client lets its connection be used again
    framing: Framing
    websocket: bool  # it asks to become one
    arrived_ns: int  # UTC, nanoseconds since the epoch
    started_ns: int  # the same instant on the monotonic clock
    body: bytes = b""

    @classmethod
    def read(cls, head: Head, *, arrived_ns: int, started_ns: int) -> "Request":
        """The request of a head. Raises HttpFault for what two servers might read differently."""
        method, target, minor = head.first.groups()
        http10 = minor == b"0"
        check_target(target)
        check_host(head, http10=http10)
        framed = framing(head)
        if framed.chunked and http10:
            raise HttpFault("HTTP/1.0 has no transfer-encoding")
        keep_alive = keeps_alive(head, http10=http10)
        websocket = upgrade.asks(head, framed, http10=http10)
        return cls(head, method.decode("ascii"), target, http10, keep_alive, framed, websocket, arrived_ns, started_ns)

    def again(self, length: int, *, arrived_ns: int, started_ns: int) -> "Request":
        """A request without a body yet; its head is this one's but for the length, which `head` then does not tell."""
        framed = Framing(length, False)
        return replace(self, framing=framed, arrived_ns=arrived_ns, started_ns=started_ns, body=b"")

    def value(self, lowered: bytes) -> bytes | None:
        """The value of a marked header (see wire.headers.request_reader); None: it was not sent."""
        return self.head.values.get(lowered)
