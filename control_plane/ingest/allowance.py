"""Owns how much a key may report: events a second, with a burst. Time is an argument."""

from control_plane.ingest.batch import EVENTS_MAX

# What was not used is saved up for so long, so that a sender that collects for some seconds is not refused.
BURST_S = 5
# Keys that are remembered, a hundred bytes each; the one that was silent longest begins anew.
KEYS_MAX = 10_000


class Allowances:
    """Of each key, how many events it may report at a moment: less than none after a batch that was more than that.

    So a batch of any size passes once, and the key then waits for as long as the batch was worth.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[float, int]] = {}  # left, at

    def wait_s(self, key_id: str, events_per_s: int, now_ms: int) -> float:
        """Seconds until the key may report again; 0 if it may now."""
        left = self._left(key_id, events_per_s, now_ms)
        return 0.0 if left >= 1 else (1 - left) / events_per_s

    def take(self, key_id: str, events_per_s: int, events: int, now_ms: int) -> None:
        left = self._left(key_id, events_per_s, now_ms)
        self._by_key.pop(key_id, None)  # to the end: whoever was silent longest stands first
        self._by_key[key_id] = (left - events, now_ms)
        if len(self._by_key) > KEYS_MAX:
            del self._by_key[next(iter(self._by_key))]

    def _left(self, key_id: str, events_per_s: int, now_ms: int) -> float:
        most = float(max(BURST_S * events_per_s, EVENTS_MAX))
        left, at_ms = self._by_key.get(key_id, (most, now_ms))
        if now_ms < at_ms:
            # The clock was set back: what is saved up from here on counts from here on.
            self._by_key[key_id] = (left, at_ms) = (left, now_ms)
        return min(most, left + (now_ms - at_ms) / 1000 * events_per_s)
