from control_plane.ingest.allowance import BURST_S, KEYS_MAX, Allowances


def test_a_key_may_report_its_rate_and_a_burst():
    allowances, reported = Allowances(), 0
    for now_ms in range(0, 100_000, 100):
        while not allowances.wait_s("k", 1000, now_ms):
            allowances.take("k", 1000, 10, now_ms)
            reported += 10
    assert 1000 * (99.9 + BURST_S) <= reported <= 1000 * (99.9 + BURST_S) + 10


def test_a_batch_of_any_size_passes_once_and_is_waited_for():
    allowances = Allowances()
    allowances.take("k", 1, 1000, 0)
    allowances.take("k", 1, 1000, 0)
    assert allowances.wait_s("k", 1, 0) == 1001
    assert allowances.wait_s("k", 1, 1_000_999) > 0
    assert allowances.wait_s("k", 1, 1_001_000) == 0


def test_keys_are_apart_and_a_clock_that_goes_back_gives_nothing():
    allowances = Allowances()
    allowances.take("k", 1, 5000, 10_000)
    assert allowances.wait_s("other", 1, 10_000) == 0
    wait_s = allowances.wait_s("k", 1, 10_000)
    assert allowances.wait_s("k", 1, 0) == wait_s


def test_a_clock_that_was_set_back_stops_no_key_until_it_is_where_it_was():
    allowances = Allowances()
    allowances.take("k", 1000, 5000, 3_600_000)  # all that was saved up
    assert allowances.wait_s("k", 1000, 0) > 0
    assert allowances.wait_s("k", 1000, 1) == 0


def test_so_many_keys_are_remembered_and_no_more():
    allowances = Allowances()
    for number in range(KEYS_MAX + 1):
        allowances.take(str(number), 1, 5000, 0)
    assert allowances.wait_s("0", 1, 0) == 0
    assert allowances.wait_s("1", 1, 0) > 0
