from decimal import Decimal

import pytest

from gateway.toml_text import Lines, NotToml, parse, table

TEXT = '''\
top = 1

[settings]  # a comment with [brackets] and "quotes
workers = 2
[projects."my.app"]
name = "x"
[[keys]]
id = "a"
upstreams = [
  "one", # ]
  'two]',
]
text = """
[not.a.table]
fake = 1
"""
after = 1
[[keys]]
id = "b"
inline = { deep = 1 }
dotted.name = 2
[keys.sub]
leaf = 3
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("settings",), 3),
        (("settings", "workers"), 4),
        (("projects", "my.app", "name"), 6),
        (("keys", 0), 7),
        (("keys", 0, "id"), 8),
        (("keys", 0, "upstreams"), 9),
        (("keys", 0, "upstreams", 1), 9),
        (("keys", 0, "after"), 17),
        (("keys", 1), 18),
        (("keys", 1, "inline", "deep"), 20),
        (("keys", 1, "dotted", "name"), 21),
        (("keys", 1, "sub", "leaf"), 23),
        (("keys", 1, "missing"), 18),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_path_or_of_what_is_nearest_around_it(path: tuple[str | int, ...], line: int):
    assert Lines(TEXT)[path] == line


def test_text_inside_a_string_is_not_a_table():
    assert parse(TEXT)["keys"][0]["text"] == "[not.a.table]\nfake = 1\n"
    assert Lines(TEXT)["not", "a", "table"] == 1


def test_a_path_that_is_not_in_the_text_has_no_line_of_its_own():
    lines = Lines(TEXT)
    assert ("keys", 0, "id") in lines
    assert ("keys", 1, "after") not in lines


def test_only_a_newline_ends_a_line():
    assert Lines("a = '\u2028'\r\nb = 1\r\n")["b",] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "not TOML: Invalid value (at end of document)"),
        ("\na = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 3, column 6)"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("a = " + "9" * 5000, "not TOML: Exceeds the limit (4300 digits) for integer string conversion"),
    ],
)
def test_what_is_not_toml_says_where(text: str, message: str):
    with pytest.raises(NotToml) as raised:
        parse(text)
    assert str(raised.value).startswith(message)


def test_a_fraction_is_exact():
    assert parse("a = 0.1") == {"a": Decimal("0.1")}


def test_a_literal_string_may_span_lines():
    lines = Lines('a = \'\'\'\n\\\'\'\'\nb = """\\""""\nc = 1\n')
    assert (lines["b",], lines["c",]) == (3, 4)


def test_a_table_is_told_from_other_values():
    assert table({"a": 1}) == {"a": 1}
    assert table([1]) is None


def test_a_table_reaches_to_the_next_one_or_to_the_end():
    lines = Lines("[a]\nx = 1\n\n[[b]]\ny = [\n 2,\n]\n[b.c]\nz = 3\n[[b]]\n")
    assert lines.span(("a",)) == (1, 4)
    assert lines.span(("b", 0)) == (4, 10)
    assert lines.span(("b", 1)) == (10, 12)
