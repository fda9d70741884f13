"""Owns Request: one HTTP request, whole, as the stages read it. Knows no caller and no route."""

from gateway.wire import upgrade
from gateway.wire.headers import keeps_alive
from gateway.wire.http1 import Framing, Head, HttpFault, check_host, check_target, framing


class Request:
    """What arrived: its head in order and case, its body as sent (still content-encoded).

    Slots and not a frozen struct, because the body is filled in when it has arrived; from
    `Pipeline.begin` on nobody changes it.
    """

    __slots__ = (
        "arrived_ns", "body", "framing", "head", "http10", "keep_alive", "method", "started_ns", "target",
        "websocket",
    )  # fmt: skip

    head: Head
    method: str
    target: bytes
    http10: bool
    keep_alive: bool  # the client lets its connection be used again
    framing: Framing
    websocket: bool  # it asks to become one
    arrived_ns: int  # UTC, nanoseconds since the epoch
    started_ns: int  # the same instant on the monotonic clock
    body: bytes

    def __init__(self, *, arrived_ns: int, started_ns: int) -> None:
        self.arrived_ns = arrived_ns
        self.started_ns = started_ns
        self.body = b""

    @classmethod
    def read(cls, head: Head, *, arrived_ns: int, started_ns: int) -> "Request":
        """The request of a head. Raises HttpFault for what two servers might read differently."""
        self = cls(arrived_ns=arrived_ns, started_ns=started_ns)
        method, self.target, minor = head.first.groups()
        self.head = head
        self.method = method.decode("ascii")
        self.http10 = minor == b"0"
        check_target(self.target)
        check_host(head, http10=self.http10)
        self.framing = framing(head)
        if self.framing.chunked and self.http10:
            raise HttpFault("HTTP/1.0 has no transfer-encoding")
        self.keep_alive = keeps_alive(head, http10=self.http10)
        self.websocket = upgrade.asks(head, self.framing, http10=self.http10)
        return self

    def again(self, length: int, *, arrived_ns: int, started_ns: int) -> "Request":
        """A request whose head is this one's but for its content-length (which `head` then does not tell)."""
        same = Request(arrived_ns=arrived_ns, started_ns=started_ns)
        same.head, same.method, same.target = self.head, self.method, self.target
        same.http10, same.keep_alive = self.http10, self.keep_alive
        same.framing = Framing(length, False)
        same.websocket = self.websocket
        return same

    def value(self, lowered: bytes) -> bytes | None:
        """The value of a marked header (see wire.headers.request_reader); None: it was not sent."""
        return self.head.values.get(lowered)
