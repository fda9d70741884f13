"""Owns the form that OpenAI's and Anthropic's reports share: pages of time buckets with results. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

import msgspec

from control_plane.reconciliation.lines import Unreadable

DAY_S = 86_400

P = TypeVar("P")


def decoded(data: bytes, page: type[P]) -> Sequence[P]:
    """One page, a list of pages, or a page a line. Raises Unreadable, with the place in the document."""
    try:
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[page])
        try:
            return [msgspec.json.decode(data, type=page)]
        except msgspec.DecodeError:
            if data.strip().count(b"\n") == 0:
                raise
            return _lines(data.splitlines(), page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(str(fault)) from None


def _lines(lines: Iterable[bytes], page: type[P]) -> Sequence[P]:
    decoder = msgspec.json.Decoder(page)
    found: list[P] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise Unreadable(f"line {number}: {fault}") from None
    return found


def day_of(start_s: int, end_s: int, where: str) -> date:
    """The UTC day that a bucket lies in. Raises Unreadable for one that is not within a day."""
    if not 0 <= start_s < end_s <= start_s // DAY_S * DAY_S + DAY_S:
        raise Unreadable(f"{where}: the bucket is not within one UTC day; ask for bucket_width=1d")
    try:
        return datetime.fromtimestamp(start_s, UTC).date()
    except (ValueError, OverflowError):
        raise Unreadable(f"{where}: {start_s} is not a time") from None


def following(next_pages: Sequence[tuple[bool, str | None]]) -> str | None:
    """The cursor of the last page's successor; None where there is none. Raises Unreadable where it is not told."""
    more, cursor = next_pages[-1] if next_pages else (False, None)
    if more and not cursor:
        raise Unreadable("has_more is true and next_page is missing")
    return cursor if more else None
