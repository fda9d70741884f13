"""Owns Request: one parsed HTTP request, whole, as the stages read it. Knows no caller and no route."""

Header = tuple[bytes, bytes, bytes]  # lower-case name, name as sent, value


class Request:
    """What arrived: headers in order and case, the body as sent (still content-encoded).

    Slots and not a frozen struct, because the connection fills it while bytes arrive; from
    `Pipeline.begin` on nobody changes it.
    """

    __slots__ = (
        "arrived_ns",
        "body",
        "content_length",
        "headers",
        "http10",
        "method",
        "started_ns",
        "target",
        "values",
    )

    def __init__(self, *, arrived_ns: int, started_ns: int) -> None:
        self.arrived_ns = arrived_ns  # UTC, nanoseconds since the epoch
        self.started_ns = started_ns  # the same instant on the monotonic clock
        self.method = ""
        self.target = b""
        self.headers: list[Header] = []
        # The last value of each header the stages ask for by name, keyed by lower-case name.
        self.values: dict[bytes, bytes] = {}
        self.content_length: int | None = None
        self.http10 = False
        self.body = b""
