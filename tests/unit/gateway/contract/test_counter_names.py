from itertools import product

import pytest

from gateway.contract.counter_names import counter_name, shown, values_in

EACH = ("user", "team", "tag")


def test_ordinary_values_stand_as_they_are():
    scope = (("user", "zoë+1@example.com"), ("team", "a b/c:d?e&f#g;h,i'j"), ("tag", "arn:aws:x::1-2_3.4~5"))
    name = counter_name("q@2027-01", scope)
    assert name == "q@2027-01|user=zoë+1@example.com|team=a b/c:d?e&f#g;h,i'j|tag=arn:aws:x::1-2_3.4~5"
    assert counter_name("q@2027-01", ()) == shown("q@2027-01") == "q@2027-01"
    assert values_in("q@2027-01", EACH) == {}
    assert values_in(name, EACH) == dict(scope)
    assert shown(name) == name


@pytest.mark.parametrize(
    ("value", "written"),
    [("a|team=b", "a%7Cteam%3Db"), ("100%", "100%25"), ("%7C", "%257C"), ("a\nb\x00\x7f", "a%0Ab%00%7F"), ("", "")],
)
def test_what_could_spell_another_name_is_escaped_and_read_back(value: str, written: str):
    name = counter_name("q@total", (("user", value), ("tag", "x")))
    assert name == f"q@total|user={written}|tag=x"
    assert values_in(name, ("user", "tag")) == {"user": value, "tag": "x"}
    assert shown(name) == f"q@total|user={value}|tag=x"


def test_no_two_scopes_have_one_name():
    parts = ("x", "x|team=y", "y|team=z", "|", "=", "%", "%7C", "%7C=", "|user=x|team=y")
    scopes = [(("user", user), ("team", team)) for user, team in product(parts, parts)]
    names = {counter_name("q@total", scope): scope for scope in scopes}
    assert len(names) == len(scopes)
    assert all(values_in(name, ("user", "team")) == dict(scope) for name, scope in names.items())


def test_names_of_before_are_read_too():
    assert values_in("q@total|user=a|b=c|tag=", ("user", "tag")) == {"user": "a|b=c", "tag": ""}
