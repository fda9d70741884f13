"""Owns what the gateway writes to stderr: one JSON object a line, or plain text for a person at a terminal.

A log line says what happened and to which request, never what was in it. That is kept by construction:
values come only as named fields; of an exception only its type and the places it passed; of other
libraries' lines, which may hold anything, only who spoke. Configuration and writing are all that is here.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec

logger = logging.getLogger("lensai")

# A broken upstream fails thousands of calls a second and says the same each time.
WARNINGS_MAX = 10
WARNINGS_WINDOW_S = 60.0
# Subjects (event and upstream) that are counted at once; upstreams are named by the policy, so few.
SUBJECTS_MAX = 1_000
# The places of an exception that are told, innermost last.
FRAMES_MAX = 12

LogFormat = Literal["auto", "json", "text"]

# Whose messages quote code and types, never a value.
_ABOUT_CODE = (AttributeError, ImportError, ModuleNotFoundError, NameError, TypeError, UnboundLocalError)

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure_logs(stream: TextIO = sys.stderr, log_format: LogFormat = "auto", level: str = "info") -> None:
    """Sends every logger of the process to `stream`; `auto` is text on a terminal, else JSON."""
    as_text = log_format == "text" or (log_format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    logger.setLevel(level.upper())


class JsonFormatter(logging.Formatter):
    """`{"ts", "level", "event", …fields}`, one line."""

    def format(self, record: logging.LogRecord) -> str:
        ts = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"ts": ts, "level": record.levelname.lower(), **_fields(record)}
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextFormatter(logging.Formatter):
    """`12:00:01 warning event field=value …`, local time, one line whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        ts = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        values = "".join(f" {name}={_text(value)}" for name, value in fields.items() if name != "event")
        return f"{ts} {record.levelname.lower():<7} {fields['event']}{values}"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    ours = record.name.partition(".")[0] == logger.name
    fields: dict[str, object] = {"event": record.getMessage() if ours else "foreign"}
    if ours:
        fields |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    else:
        fields["logger"] = record.name
    if record.exc_info and record.exc_info[1] is not None:
        fields |= _exception_fields(record.exc_info[1])
    return fields


def _exception_fields(error: BaseException) -> dict[str, object]:
    """Type, places, and a reason where that is safe: many a message quotes the value that was wrong."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    fields: dict[str, object] = {"exception": type(error).__qualname__}
    if isinstance(error, OSError) and error.strerror:
        fields["reason"] = error.strerror
    elif type(error) in _ABOUT_CODE:
        fields["reason"] = str(error)
    return fields | {"at": [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno}" for frame in frames]}


def _text(value: object) -> str:
    """Bare where that is unambiguous, else escaped: no value can forge a line or steer a terminal."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text and text else ascii(text)


class RequestLog:
    """Warnings about single requests, at most WARNINGS_MAX per event and upstream in WARNINGS_WINDOW_S."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._counts: dict[tuple[str, str], int] = {}
        self._window_start_s = monotonic_s()

    def warn(
        self,
        event: str,
        *,
        request_id: str,
        upstream: str = "",
        status: int = 0,
        code: str = "",
        fault: BaseException | None = None,
    ) -> None:
        """Writes one warning, unless its like were written too often; those are counted and told of later."""
        now_s = self._monotonic_s()
        if now_s - self._window_start_s >= WARNINGS_WINDOW_S:
            self._turn(now_s)
        if self._counted(event, upstream) > WARNINGS_MAX:
            return
        fields = {"request_id": request_id, "upstream": upstream, "status": status, "code": code}
        cause = (type(fault), fault, fault.__traceback__) if fault is not None else None
        logger.warning(event, exc_info=cause, extra={name: value for name, value in fields.items() if value})

    def _counted(self, event: str, upstream: str) -> int:
        subject = (event, upstream)
        if subject not in self._counts and len(self._counts) >= SUBJECTS_MAX:
            subject = (event, "other")
        self._counts[subject] = self._counts.get(subject, 0) + 1
        return self._counts[subject]

    def _turn(self, now_s: float) -> None:
        """Starts a new window, and says what the last one withheld."""
        for (event, upstream), count in self._counts.items():
            if count > WARNINGS_MAX:
                logger.warning(
                    "warnings_withheld", extra={"about": event, "upstream": upstream, "count": count - WARNINGS_MAX}
                )
        self._counts.clear()
        self._window_start_s = now_s
