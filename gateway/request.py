"""Owns Request: one HTTP request, whole, as the stages read it. Knows no caller and no route."""

from gateway.wire.http1 import Head


class Request:
    """What arrived: its head in order and case, its body as sent (still content-encoded).

    Slots and not a frozen struct, because the body is filled in when it has arrived; from
    `Pipeline.begin` on nobody changes it.
    """

    __slots__ = ("arrived_ns", "body", "head", "http10", "method", "started_ns", "target")

    def __init__(self, head: Head, *, arrived_ns: int, started_ns: int) -> None:
        method, target, minor = head.first.groups()
        self.head = head
        self.method: str = method.decode("ascii")
        self.target: bytes = target
        self.http10 = minor == b"0"
        self.arrived_ns = arrived_ns  # UTC, nanoseconds since the epoch
        self.started_ns = started_ns  # the same instant on the monotonic clock
        self.body = b""

    def value(self, lowered: bytes) -> bytes | None:
        """The value of a marked header (see wire.headers.request_reader); None: it was not sent."""
        return self.head.values.get(lowered)
