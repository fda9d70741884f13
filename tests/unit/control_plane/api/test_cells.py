import pytest

from control_plane.api.cells import cell


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://a")'])
def test_c17_a_text_that_a_spreadsheet_would_compute_is_marked(text):
    assert cell(text) == "'" + text


@pytest.mark.parametrize("value", ["gpt-4o", "a=b", "-1", "+1.50", "-0.000000001", " =1", "", 7, -7, 1.5])
def test_everything_else_stays_as_it_is(value):
    assert cell(value) == value


def test_what_is_unknown_is_an_empty_cell():
    assert cell(None) == ""
