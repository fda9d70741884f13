"""Owns a WebSocket to a sandbox without a network: an independent client's bytes go in, the session's come out."""

import json
from collections.abc import Sequence
from typing import Any

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from gateway.sandbox import Sandbox
from gateway.sandbox.request import RequestReader
from gateway.sandbox.socket_session import SocketSession
from tests.support.sandbox_calls import KEY, Told, take_apart


class Socket:
    """One connection of a client. `told` is the answer to its handshake; `session` is there if that is a 101."""

    def __init__(
        self, sandbox: Sandbox, path: str, protocols: Sequence[str] = (), compress: bool = False, **headers: Any
    ) -> None:
        extensions = [ClientPerMessageDeflateFactory()] if compress else None
        uri = parse_uri("ws://sandbox" + path)
        self.client = ClientProtocol(uri, subprotocols=list(protocols) or None, extensions=extensions)  # pyright: ignore[reportArgumentType]
        request = self.client.connect()
        given = {"authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        for name, value in given.items():
            if value is not None:
                request.headers[name] = value
        self.client.send_request(request)
        (asked,) = RequestReader().feed(b"".join(self.client.data_to_send()))
        plan = sandbox.plan(asked, connection=1, reused=False)
        assert plan is not None
        wire = b"".join(frame.data for frame in plan.frames)
        self.told: Told = take_apart(wire)
        self.session: SocketSession | None = plan.socket
        self.ends = list[str]()
        if self.session:
            self.client.receive_data(wire)
            assert self.client.handshake_exc is None
            self.client.events_received()

    def send(self, *events: Any) -> None:
        """Send these as JSON; texts and bytes as they are."""
        for event in events:
            if isinstance(event, bytes):
                self.client.send_binary(event)
            else:
                self.client.send_text((event if isinstance(event, str) else json.dumps(event)).encode())
        self.flush()

    def flush(self) -> None:
        self.raw(b"".join(self.client.data_to_send()))

    def raw(self, data: bytes) -> None:
        assert self.session is not None
        self.session.receive(data)

    def receive(self, count: int | None = None) -> list[Any]:
        """All that is said now, or so many frames of it; a message's JSON, a control frame's opcode."""
        self.pump(count)
        return [self._told(event) for event in self.client.events_received() if isinstance(event, Frame)]

    def pump(self, count: int | None = None) -> None:
        assert self.session is not None
        while count is None or count > 0:
            frame = self.session.next_frame()
            if frame is None:
                return
            self.client.receive_data(frame.data)
            self.session.sent(frame)
            if frame.end:
                self.ends.append(frame.end)
                return
            count = None if count is None else count - 1

    def _told(self, frame: Frame) -> Any:
        return json.loads(frame.data) if frame.opcode in (Opcode.TEXT, Opcode.BINARY) else frame.opcode.name
