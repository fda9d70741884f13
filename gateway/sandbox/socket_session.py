"""Owns one WebSocket after its handshake: what comes in goes to the talk, what it says goes out, and on the bill.

It knows no dialect and does no I/O: the connection feeds it and asks for the next frame.
"""

from collections import deque
from collections.abc import Iterator

from gateway.sandbox.bill import Bill, Entry, State
from gateway.sandbox.call import Call, Said, Talk, entry_of
from gateway.sandbox.delivery import Frame, sliced, trouble_of
from gateway.sandbox.websocket import Broken, Deflate, Event, FrameReader, FrameWriter, close, pong

# Messages of a client that wait to be answered; one that sends more does not listen.
UNANSWERED_MAX = 256


class SocketSession:
    def __init__(self, talk: Talk, call: Call, bill: Bill, deflate: Deflate | None) -> None:
        self._talk, self._call, self._bill = talk, call, bill
        self._reader = FrameReader(deflate)
        self._writer = FrameWriter(deflate, call.controls.fragment_bytes)
        self._trouble = trouble_of(call.controls)
        self._answers: deque[Iterator[Said]] = deque((iter(talk.opening()),))
        self._urgent: deque[Frame] = deque()
        self._slices: deque[Frame] = deque()
        self._said: Said | None = None  # on its way: counted once it is sent
        self._entry: Entry | None = None
        self._said_count = 0
        self._closing = False

    def receive(self, data: bytes) -> None:
        """Take what the client sent. What is wrong with it ends the session with the code for that."""
        if self._closing:
            return
        try:
            for event in self._reader.feed(data):
                self._take(event)
                if self._closing:
                    return
        except Broken as error:
            self._close(error.code, error.reason)

    def next_frame(self) -> Frame | None:
        """What to send now; nothing, until the client says more."""
        if not self._slices:
            if self._urgent:
                return self._urgent.popleft()
            frame = self._next_message()
            if frame is None:
                return None
            size = self._call.controls.write_bytes
            self._slices.extend(sliced(frame, size) if size else (frame,))
        return self._slices.popleft()

    def sent(self, frame: Frame) -> None:
        """Those bytes have left."""
        entry, said, self._said = self._entry, self._said, None
        if entry is not None:
            entry.wire_bytes += len(frame.data)
            if said is not None and said.tokens is not None:
                entry.add(said.tokens)
            if said is not None and said.done:
                self._end("completed")
        if frame.end:
            self._end("client_left" if frame.end == "close" else "cut")

    def lost(self) -> None:
        """The client is gone, in whatever way."""
        self._end("client_left")

    def _end(self, state: State) -> None:
        if self._entry is not None:
            self._entry.state = state
            self._entry = None

    def _take(self, event: Event) -> None:
        if event.kind == "text":
            if len(self._answers) >= UNANSWERED_MAX:
                self._close(1008, "too many messages wait to be answered")
                return
            self._answers.append(iter(self._talk.hear(event.data.decode())))
        elif event.kind == "binary":
            self._close(1003, "only text is understood")
        elif event.kind == "ping":
            self._urgent.append(Frame(pong(event.data)))
        elif event.kind == "close":
            self._close(event.code, "")

    def _close(self, code: int, reason: str) -> None:
        self._closing = True
        self._answers.clear()
        self._urgent.append(Frame(close(code, reason), end="close"))

    def _next_message(self) -> Frame | None:
        while self._answers:
            said = next(self._answers[0], None)
            if said is None:
                self._answers.popleft()
                continue
            if self._trouble and self._said_count == self._trouble.after_chunks:
                return self._break(self._trouble.kind)
            if said.close_code:
                self._close(said.close_code, said.text.decode())
                return self._urgent.popleft()
            return self._say(said)
        return None

    def _say(self, said: Said) -> Frame:
        if said.charge is not None:
            self._entry = entry_of(self._call, said.charge, stream=True)
            self._bill.open(self._entry)
        wait_ms = self._call.controls.chunk_delay_ms if self._said_count else 0
        self._said, self._said_count = said, self._said_count + 1
        write = self._writer.binary if said.binary else self._writer.text
        return Frame(write(said.text), wait_ms or None)

    def _break(self, kind: str) -> Frame:
        """End as ordered, in the place of the next message."""
        self._closing = True
        self._answers.clear()
        if kind == "error":
            message = self._talk.failure()
            return Frame((self._writer.text(message) if message else b"") + close(1011), end="close")
        return Frame(b"", end="cut" if kind == "cut" else "stall")
