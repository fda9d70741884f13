"""Owns the Tap: the copy of one answer on its way to the meter, decoded, and stripped of what only we asked for.

What goes wrong here costs a number and is named in `flags`; only where the client gets the decoded copy
itself does it cost the answer.
"""

from gateway.metering.flowing import Flow
from gateway.metering.meter import Seen, StreamMeter, is_never_kept, read_body
from gateway.metering.reading import About, Reading
from gateway.settings import Settings
from gateway.wire.encoding import DecodeFault, Decoder, decoder


class Tap:
    """Meters one answer. A stream is read as it passes, any other body when it is whole."""

    strips = False  # the client gets what `strip` leaves of it
    copied_bytes = 0  # how much `reading` has to read at once
    _decoder: Decoder | None = None
    _meter: StreamMeter | None = None
    _blind = False  # its bytes mean nothing to us

    def __init__(
        self,
        reader: str,
        about: About,
        settings: Settings,
        *,
        streams: bool,
        encoding: bytes,
        strip: bool,
        flow: Flow | None = None,
        flags: list[str],
    ) -> None:
        """`streams`: read it as it passes; `encoding`: b"" for none; what goes wrong is added to `flags`.

        `flow` is shown what passes, decoded.
        """
        self.flow = flow
        self._reader, self._about = reader, about
        self._copy_bytes_max = settings.response_copy_bytes_max
        self._copy: list[bytes] = []
        self._flags = flags
        if encoding:
            self._decoder = decoder(encoding, settings.response_copy_bytes_max)
            if self._decoder is None:
                self._lose_sight("unknown_content_encoding")
                return
        if streams or is_never_kept(reader):
            self.strips = strip
            self._meter = StreamMeter(
                reader,
                about,
                strip=strip,
                event_bytes_max=settings.event_bytes_max,
                text_bytes_max=settings.estimate_copy_bytes_max,
            )

    def strip(self, data: bytes, *, complete: bool) -> bytes:
        """What of the data the client gets, decoded: what is stripped cannot stay encoded. Raises DecodeFault."""
        assert self._meter is not None, "what is stripped is metered"
        if self._decoder is not None:
            data = self._decoder.feed(data)
        if self.flow is not None:
            self.flow.feed(data)
        out = self._meter.feed(data) if data else b""
        return out + self._meter.flush() if complete else out

    def take(self, data: bytes) -> None:
        """Meters data that the client has been given as it is."""
        if self._blind:
            if self.flow is not None:  # what cannot be read is counted by its bytes
                self.flow.tokens_max += len(data)
            return
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except DecodeFault:
                self._lose_sight("undecodable_answer")
                return
        if self.flow is not None:
            self.flow.feed(data)
        if self._meter is not None:
            self._meter.feed(data)
            return
        self.copied_bytes += len(data)
        if self.copied_bytes <= self._copy_bytes_max:
            self._copy.append(data)

    def reading(self, *, complete: bool) -> Reading:
        """What the meter made of the answer; without lines where it could make nothing of it."""
        if self._meter is not None:
            return self._meter.finish(complete)
        if self._blind or not complete or self.copied_bytes > self._copy_bytes_max:
            return Reading()
        return read_body(self._reader, self._about, b"".join(self._copy))

    @property
    def seen(self) -> Seen:
        """What is known of the answer, for an estimate."""
        if self._meter is not None:
            return self._meter.seen
        return Seen(b"".join(self._copy), self.copied_bytes)

    def _lose_sight(self, flag: str) -> None:
        self._flags.append(flag)
        self._blind = True
        self._decoder = self._meter = None
        self._copy, self.copied_bytes = [], 0
