from datetime import date

import pytest

from control_plane.reconciliation.lines import Line, Unreadable
from control_plane.reconciliation.openai_costs import read, split

PAGE = (
    b'{"object":"page","data":[{"object":"bucket","start_time":1730419200,"end_time":1730505600,"results":['
    b'{"object":"organization.costs.result","amount":{"value":%s,"currency":"usd"},"line_item":%s,"project_id":null}'
    b']}],"has_more":false,"next_page":null}'
)


def test_an_amount_is_exact_whatever_digits_it_has():
    [line] = read(PAGE % (b"0.8958740000000000", b'"gpt-4o-2024-08-06, input"')).lines
    day = date(2024, 11, 1)
    assert line == Line(
        day, "openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06, input", "input", None, 895_874_000, "USD"
    )
    assert read(PAGE % (b'"0.06"', b"null")).lines[0].cost_nanousd == 60_000_000
    assert read(PAGE % (b"0.1000000005", b"null")).lines[0].cost_nanousd == 100_000_000  # half to even
    assert read(PAGE % (b"-1.5", b"null")).lines[0].cost_nanousd == -1_500_000_000


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("gpt-4o-mini, cached input", ("gpt-4o-mini", "cache_read")),
        ("gpt-4o, output", ("gpt-4o", "output")),
        ("gpt-image-1 image, output", ("gpt-image-1", "output")),
        ("gpt-4o, something new", ("gpt-4o", "other")),
        ("web search tool calls", ("", "other")),
        ("", ("", "other")),
    ],
)
def test_a_line_item_is_a_model_and_what_was_billed_of_it(item, expected):
    assert split(item) == expected


def test_an_amount_in_another_currency_is_no_dollars():
    line = read((PAGE % (b"1", b"null")).replace(b"usd", b"eur")).lines[0]
    assert (line.cost_nanousd, line.currency) == (None, "EUR")


@pytest.mark.parametrize("value", [b'"x"', b"1e9999", b'"NaN"', b"null"])
def test_what_is_no_amount_is_refused_with_its_place(value):
    with pytest.raises(Unreadable, match=r"results\[0\]\.amount\.value"):
        read(PAGE % (value, b"null"))
