import pytest

from gateway.problems import listed, missing, name_faults


@pytest.mark.parametrize("name", ["a", "0", "team-7.eu_1", "a" * 64])
def test_plain_names_are_names(name: str):
    assert list(name_faults("id", name)) == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a@b", "a|b", "a" * 65, "a\n"])
def test_anything_else_is_told_where_it_stands(name: str):
    ((field, message),) = name_faults("id", name)
    assert (field, message.startswith(f"{name!r} is not a name; use")) == ("id", True)


def test_a_missing_row_is_told_with_those_there_are():
    assert missing("keys", "c", ["b", "a"]) == "there is no 'c' in keys; add it, or use one of a, b"
    assert missing("keys", "c", []) == "there is no 'c' in keys; add it, or use one of none so far"
    assert listed({"b", "a"}) == "a, b"
