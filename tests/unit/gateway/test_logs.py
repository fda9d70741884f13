import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway import logs
from gateway.logs import WARNINGS_MAX, WARNINGS_WINDOW_S, RequestLog, configure_logs, logger

Lines = Callable[[], list[dict[str, Any]]]
CANARY = "sk-canary-please-ignore"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What was written so far, parsed; logging is put back as it was."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], logger.level
    configure_logs(stream, "json")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    root.handlers[:] = before
    logger.setLevel(level)


@pytest.fixture
def text() -> Iterator[Callable[[], str]]:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], logger.level
    configure_logs(stream, "text")
    yield stream.getvalue
    logging.captureWarnings(False)
    root.handlers[:] = before
    logger.setLevel(level)


def test_a_line_is_one_json_object_of_named_fields(lines: Lines) -> None:
    logger.info("policy_swapped", extra={"version": 3, "source": "a\nb"})

    (line,) = lines()
    assert line.pop("ts").endswith("+00:00")
    assert line == {"level": "info", "event": "policy_swapped", "version": 3, "source": "a\nb"}


def test_an_exception_is_told_without_its_message(lines: Lines) -> None:
    try:
        {}[CANARY]
    except KeyError:
        logger.exception("task_died")

    (line,) = lines()
    assert line["exception"] == "KeyError"
    assert line["at"][0].startswith("gateway/test_logs.py:")
    assert CANARY not in str(line)


def test_a_failed_system_call_says_why(lines: Lines) -> None:
    logger.error("journal_fault", exc_info=OSError(28, "No space left on device"))

    assert lines()[0]["reason"] == "No space left on device"


def test_a_slip_in_the_code_is_told_in_full(lines: Lines) -> None:
    try:
        object().missing  # type: ignore[attr-defined]
    except AttributeError:
        logger.exception("pipeline_failed")

    assert lines()[0]["reason"] == "'object' object has no attribute 'missing'"


def test_other_libraries_may_say_that_they_spoke_and_no_more(lines: Lines) -> None:
    logging.getLogger("asyncio").error("Exception in callback data_received(b'%s')", CANARY)
    logging.getLogger("asyncio").info("too low to matter")
    logging.getLogger("py.warnings").warning(CANARY)

    assert [(line["event"], line["logger"]) for line in lines()] == [("foreign", "asyncio"), ("foreign", "py.warnings")]
    assert CANARY not in str(lines())


def test_text_is_one_plain_line_whatever_the_values_hold(text: Callable[[], str]) -> None:
    logger.warning("upstream_fault", extra={"upstream": "a b\n\x1b[31m", "status": 502})

    assert text()[9:] == "warning upstream_fault upstream='a b\\n\\x1b[31m' status=502\n"


def test_a_request_warning_names_the_request_and_the_fault(lines: Lines) -> None:
    fault = ConnectionRefusedError(111, "Connection refused")
    RequestLog(lambda: 0.0).warn(
        "upstream_fault", request_id="r1", upstream="openai", code="upstream_unreachable", fault=fault
    )

    (line,) = lines()
    told = {"request_id": "r1", "upstream": "openai", "code": "upstream_unreachable", "reason": "Connection refused"}
    assert line.items() >= told.items()
    assert "status" not in line


def test_a_flood_of_warnings_is_withheld_and_counted(lines: Lines) -> None:
    now_s = [0.0]
    requests = RequestLog(lambda: now_s[0])
    for n in range(WARNINGS_MAX + 90):
        requests.warn("upstream_fault", request_id=f"r{n}", upstream="openai")
    requests.warn("upstream_fault", request_id="other", upstream="azure")
    assert len(lines()) == WARNINGS_MAX + 1

    now_s[0] = WARNINGS_WINDOW_S
    requests.warn("upstream_fault", request_id="next", upstream="openai")

    withheld, fresh = lines()[WARNINGS_MAX + 1 :]
    assert withheld.items() >= {"event": "warnings_withheld", "about": "upstream_fault", "count": 90}.items()
    assert fresh["request_id"] == "next"


def test_upstreams_beyond_the_limit_share_one_count(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SUBJECTS_MAX", 2)
    requests = RequestLog(lambda: 0.0)
    for n in range(100):
        requests.warn("upstream_fault", request_id="r", upstream=f"u{n}")

    assert len(lines()) == 2 + WARNINGS_MAX
