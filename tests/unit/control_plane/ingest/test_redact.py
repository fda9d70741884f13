from datetime import UTC, datetime

import msgspec
import pytest

from control_plane.ingest.event import Event
from control_plane.ingest.redact import Pattern, Redactor, Rules, fault_of


def event(**fields):
    return Event(**{"request_id": "r", "ts": datetime(2026, 11, 26, tzinfo=UTC), **fields})


def redacted(rules, *events, key=b"k"):
    return Redactor(rules, key)(events)


def test_without_rules_nothing_changes():
    one = event(user_id="ada@example.com", metadata={"a": [1, "x", None]})
    assert redacted(Rules(), one) == [one]
    assert redacted(Rules(detect=["email"]), event(team="a")) == [event(team="a")]


def test_fields_are_dropped():
    rules = Rules(drop=["user_id", "tags", "metadata.name", "metadata.gone"])
    (kept,) = redacted(rules, event(user_id="ada", team="t", tags=("a",), metadata={"name": "Ada", "n": None}))
    assert kept == event(team="t", metadata={"n": None})
    assert redacted(Rules(drop=["metadata"]), event(metadata={"a": 1})) == [event()]
    assert redacted(rules, event(metadata={"name": "Ada"})) == [event()]


def test_values_are_hashed_alike_within_an_organization_alone():
    rules = Rules(hash=["user_id", "tags", "metadata.id"])
    one, two = redacted(rules, event(user_id="ada", metadata={"id": 7, "x": 7}), event(user_id="ada", tags=("a", "b")))
    assert one.user_id == two.user_id != "ada"
    assert one.user_id.startswith("h_")
    assert (one.metadata["x"], len(one.metadata["id"]), len(set(two.tags))) == (7, len(one.user_id), 2)
    (other,) = redacted(rules, event(user_id="ada"), key=b"another")
    assert other.user_id != one.user_id
    assert redacted(rules, event()) == [event()]


def test_patterns_look_at_every_text_however_deep():
    rules = Rules(detect=["email", "card"], patterns=[Pattern("CUST-[0-9]+", "<customer>"), Pattern("secret")])
    events = [
        event(user_id="CUST-1", team="secret team", route="/CUST-2", tags=("a@example.com", "CUST-3")),
        event(metadata={"a": [{"b": "secret"}, 4111111111111111, 1_000_001, True, 1.5, None], "c": "CUST-4 CUST-5"}),
        event(upstream_request_id="CUST-6"),
    ]
    assert redacted(rules, *events) == [
        event(user_id="<customer>", team="[redacted] team", route="/<customer>", tags=("[email]", "<customer>")),
        event(
            metadata={"a": [{"b": "[redacted]"}, "[card]", 1_000_001, True, 1.5, None], "c": "<customer> <customer>"}
        ),
        event(upstream_request_id="<customer>"),
    ]


def test_a_replacement_is_text_and_names_no_group():
    (kept,) = redacted(Rules(patterns=[Pattern("(a)", r"\1\0")]), event(team="xax"))
    assert kept.team == r"x\1\0x"


def test_what_is_hashed_is_not_looked_at_again():
    (kept,) = redacted(Rules(hash=["user_id"], detect=["email", "phone", "card"]), event(user_id="ada@example.com"))
    assert kept.user_id.startswith("h_")
    assert "[" not in kept.user_id


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing )"), ("(?=a)", "RE2"), (r"(a)\1", "RE2"), ("a*", "empty"), ("", "empty"), ("x{1001}", "RE2"),
        ("((a{100}){100}){100}", "RE2"),
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_used_is_told(pattern, said):
    assert said in fault_of(pattern)


def test_patterns_that_make_others_backtrack_take_no_time_here():
    assert fault_of("(a+)+$") == ""
    (kept,) = redacted(
        Rules(patterns=[Pattern("(a+)+$"), Pattern("(a|aa)+b")]), event(metadata={"x": "a" * 2000 + "!"})
    )
    assert kept.metadata == {"x": "a" * 2000 + "!"}


@pytest.mark.parametrize(
    "field", ["request_id", "model", "metadata.", "Metadata", "user_id\n", "metadata.x" + "y" * 128]
)
def test_rules_name_fields_that_there_are(field):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"drop": [field]}, Rules)
