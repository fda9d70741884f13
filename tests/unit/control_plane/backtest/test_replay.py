from control_plane.backtest.replay import Call, refused, squeezed


def calls(*rows):
    return [Call(number, period, values, amount) for number, (period, values, amount) in enumerate(rows)]


def test_a_call_is_taken_by_all_of_its_counters_or_by_none():
    made = calls((0, (["x", "y"],), 6), (0, (["x"],), 5), (0, (["y", "z"],), 5), (0, (["z"],), 10))
    assert list(refused(made, 10, 100)) == [1, 2]


def test_another_window_begins_at_zero():
    assert list(refused(calls((0, (["x"],), 10), (0, (["x"],), 1), (1, (["x"],), 10)), 10, 100)) == [1]


def test_what_has_no_value_is_touched_by_nothing():
    assert list(refused(calls((0, ([],), 11)), 10, 100)) == []


def test_there_are_as_many_values_as_a_quota_may_have():
    assert list(refused(calls((0, (["a"],), 0), (0, (["b"],), 0), (0, (["a"],), 0), (1, (["b"],), 0)), 10, 1)) == [1]


def test_what_is_left_only_shrinks():
    rows = [(1, 0, "a", 10, 6), (2, 0, "a", 10, 5), (3, 0, "a", 10, 4), (4, 0, "b", 3, 3), (5, 1, "b", 3, 3)]
    assert list(squeezed(rows)) == [1, 3, 4, 5]
