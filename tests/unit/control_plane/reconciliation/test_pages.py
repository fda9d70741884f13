from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.reconciliation.lines import Unreadable
from control_plane.reconciliation.pages import DAY_S, day_of, decoded, following


class Page(msgspec.Struct):
    data: list[int]


def test_one_page_a_list_of_pages_and_a_page_a_line_are_the_same():
    assert decoded(b'{"data":[1]}', Page) == [Page([1])]
    assert decoded(b'[{"data":[1]},{"data":[2]}]', Page) == [Page([1]), Page([2])]
    assert decoded(b'{"data":[1]}\n\n{"data":[2]}\n', Page) == [Page([1]), Page([2])]


@pytest.mark.parametrize("data", [b"", b"{", b'{"data":["a"]}', b"[1]", b"\xff", b"[" * 5000])
def test_what_is_no_page_is_refused(data):
    with pytest.raises(Unreadable):
        decoded(data, Page)


def test_a_line_that_is_no_page_is_named():
    with pytest.raises(Unreadable, match="line 2"):
        decoded(b'{"data":[1]}\n{"data":"x"}\n', Page)


@given(st.integers(0, 40_000), st.integers(0, DAY_S - 1), st.integers(1, 2 * DAY_S))
def test_a_bucket_is_within_one_day(day, second, length):
    start = day * DAY_S + second
    if second + length <= DAY_S:
        assert day_of(start, start + length, "data[0]").toordinal() == date(1970, 1, 1).toordinal() + day
    else:
        with pytest.raises(Unreadable, match=r"data\[0\]"):
            day_of(start, start + length, "data[0]")


def test_a_last_page_that_promises_more_names_it():
    assert following([(True, "a"), (False, None)]) is None
    assert following([(False, None), (True, "b")]) == "b"
    with pytest.raises(Unreadable, match="next_page"):
        following([(True, None)])
