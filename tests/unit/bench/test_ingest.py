import time

import pytest

from bench import ingest
from bench.cpu import machine
from bench.ingest import Installation, Measured, Run, markdown, measure, requests
from bench.samples import Spread
from control_plane.ingest.batch import decode
from control_plane.ingest.signature import is_signed

THERE = Installation({}, 8000, "igk_1", None, {})


def measured(**fields):
    counts = {"rate": 1000, "events": 2, "calls": 10, "errors": 0, "accepted": 20, "landed": 20}
    return Measured(**{**counts, "cpu_us": 250.4, "total": None, **fields})


def test_every_request_is_signed_and_has_events_of_its_own():
    ids = []
    for request in requests(THERE, 5, 3, 2, 1_790_000_000):
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert int(headers[b"Content-Length"]) == len(body)
        secret = [ingest._SECRET.encode()]
        assert is_signed(secret, headers[b"X-Lensai-Timestamp"], body, headers[b"X-Lensai-Signature"])
        ids += [event.request_id for event in decode(body)]
    assert ids == ["5-0", "5-1", "6-0", "6-1", "7-0", "7-1"]


def test_a_run_is_whole_if_all_was_taken_and_is_there():
    assert measured().whole
    assert not measured(errors=1).whole
    assert not measured(landed=19).whole


def test_the_report_has_the_times_and_says_when_they_are_worth_nothing():
    text = markdown(Run("now", machine(), measured(total=Spread(10, 1000.0, 2000.0, 19_000.0, None, 30_000.0))))
    assert "| 1000 | 2 | 10 | 1.0 | 19.0 | 30.0 | 250 |" in text
    assert "Invalid" not in text
    assert "Invalid" in markdown(Run("now", machine(), measured(errors=1)))


@pytest.mark.timeout(120)
async def test_it_measures_a_real_control_plane(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "_WARM_S", 0.1)
    began_s = time.monotonic()
    found = await measure(tmp_path, rate=50, duration_s=0.5, events=3)
    assert found.whole, found
    assert found.calls >= 1
    assert found.cpu_us < (time.monotonic() - began_s) * 1e6
