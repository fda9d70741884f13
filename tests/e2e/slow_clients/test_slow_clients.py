"""A few hundred slow clients of each kind (`make slow-clients` has thousands): healthy calls all succeed."""

import os
from pathlib import Path

from tests.e2e.slow_clients.__main__ import report
from tests.e2e.slow_clients.harness import compare

EACH = int(os.environ.get("TESTS_SLOW_CLIENTS", "150"))


def test_healthy_calls_succeed_among_slow_clients_and_slow_requests_are_ended(tmp_path: Path):
    done = compare(tmp_path, EACH, seconds=10)

    ended = {kind: int(count) for kind, count in (pair.split("=") for pair in done.ended.split())}
    assert done.failures == 0, report(done, EACH)
    assert len(done.among) > 100, report(done, EACH)
    # A head may take seven seconds here, and a stream may be read as slowly as its reader likes.
    assert ended["head"] > 0, report(done, EACH)
    assert ended["read"] == 0, report(done, EACH)
