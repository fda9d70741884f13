import time

from control_plane.clock import now_ms


def test_it_tells_milliseconds_since_the_epoch():
    before = int(time.time() * 1000)
    assert before <= now_ms() <= int(time.time() * 1000) + 1
