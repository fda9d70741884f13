import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.reconciliation import table
from control_plane.reconciliation.lines import Unreadable
from control_plane.reconciliation.table import column, rows, unpacked


def test_columns_have_one_name_in_every_spelling():
    names = ["lineItem/UsageType", "line_item_usage_type", "LineItem_UsageType", "line item usage type"]
    assert {column(name) for name in names} == {"line_item_usage_type"}


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), st.text("ab")), max_size=5))  # fmt: skip # noqa: E501
def test_what_was_written_is_read(cells):
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["One", "Two"])
    writer.writerows(cells)
    packed = gzip.compress(("\ufeff" + text.getvalue()).encode())
    assert [(row["one"], row["two"]) for _, row in rows(packed, ("one",))] == cells


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "columns one are missing"),
        (b"Two\r\n1\r\n", "line 1: the columns one are missing"),
        (b"One,Two\r\n1\r\n", "line 2: 1 cells, and 2 columns"),
        (b'One\r\n"a\r\n', "line 2"),
        (b"One\r\n\xff\r\n", "byte 5 is not UTF-8"),
        (gzip.compress(b"One\r\n1")[:-3], "cut short"),
        (gzip.compress(b"One\r\n1\r\n") + gzip.compress(b"2\r\n")[:-3], "cut short"),
        (b"\x1f\x8bxxxx", "damaged"),
        (gzip.compress(b"One\r\n1\r\n") + b"2\r\n", "damaged"),
    ],
)
def test_what_is_no_table_is_named_with_its_line(data, place):
    with pytest.raises(Unreadable, match=place):
        list(rows(data, ("one",)))


def test_what_is_not_packed_stays_as_it_is():
    assert unpacked(b"One") == b"One"


def test_a_packed_file_may_have_several_members():
    packed = gzip.compress(b"One\r\n1\r\n") + gzip.compress(b"2\r\n") + bytes(512)
    assert [row["one"] for _, row in rows(packed, ("one",))] == ["1", "2"]


def test_a_packed_file_is_bounded_whatever_its_members(monkeypatch):
    monkeypatch.setattr(table, "TEXT_BYTES_MAX", 6)
    assert unpacked(gzip.compress(b"123") * 2) == b"123123"
    for packed in (gzip.compress(b"1234567"), gzip.compress(b"123") * 3):
        with pytest.raises(Unreadable, match="more than 6 bytes"):
            unpacked(packed)
