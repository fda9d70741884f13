import pytest

from control_plane.declared.document import Thing
from control_plane.declared.plan import Found, Impossible, plan

BUDGET = {"limit_usd": "100.00", "period": "month", "thresholds": [50, 80, 90, 100], "hard_stop": True}


def found(collection: str, name: str, fields: dict[str, object], project: str = "A") -> Found:
    return Found(collection, project, name, f"id-{name}", fields)


def planned(things, there=(), *, prune=False, secrets=False):
    return plan(things, there, prune=prune, secrets=secrets)


def test_what_is_not_there_is_made_with_all_its_fields():
    (step,) = planned([Thing("budgets", "A", "b", {"limit_usd": 5})])
    assert (step.verb, step.label, step.fields) == ("create", "budgets A/b", {"limit_usd": 5})


def test_what_is_as_declared_is_left_alone():
    thing = Thing("budgets", "A", "b", {"limit_usd": 100, "thresholds": [100, 90, 80, 50]})
    assert planned([thing], [found("budgets", "b", BUDGET)]) == []


def test_only_what_differs_is_sent():
    thing = Thing("budgets", "A", "b", {"limit_usd": 101, "period": "month", "hard_stop": False})
    (step,) = planned([thing], [found("budgets", "b", BUDGET)])
    assert (step.verb, step.id) == ("update", "id-b")
    assert step.fields == {"limit_usd": 101, "hard_stop": False}
    assert step.differences == {"limit_usd": ("100.00", 101), "hard_stop": (True, False)}


def test_a_switch_is_not_a_number():
    thing = Thing("budgets", "A", "b", {"limit_usd": True})
    assert len(planned([thing], [found("budgets", "b", {"limit_usd": "1"})])) == 1


def test_one_name_in_two_projects_is_two_things():
    things = [Thing("budgets", "A", "b", {}), Thing("budgets", "B", "b", {})]
    assert [step.project for step in planned(things, [found("budgets", "b", BUDGET)])] == ["B"]


def test_what_is_not_declared_stays_unless_pruned_and_projects_go_last():
    there = [found("projects", "A", {}), found("budgets", "b", BUDGET)]
    assert planned([], there) == []
    assert [(step.verb, step.collection) for step in planned([], there, prune=True)] == [
        ("delete", "budgets"),
        ("delete", "projects"),
    ]


def test_a_secret_is_sent_again_only_when_asked():
    thing = Thing("alert-rules", "", "s", {"trigger": "threshold", "target": {"token": "xoxb"}})
    there = [Found("alert-rules", "", "s", "id-s", {"trigger": "threshold", "target_hint": "…"})]
    assert planned([thing], there) == []
    (step,) = planned([thing], there, secrets=True)
    assert step.fields == {"target": {"token": "xoxb"}}
    assert step.differences == {"target": ("…", "…")}


def test_what_cannot_change_says_so():
    thing = Thing("quotas", "A", "q", {"unit": "tokens"})
    with pytest.raises(Impossible, match="quotas A/q: unit cannot be changed; give it another name"):
        planned([thing], [found("quotas", "q", {"unit": "requests"})])


@pytest.mark.parametrize(
    ("field", "old", "new", "changes"),
    [
        ("scope", {"model": "a"}, {"model": "a"}, False),
        ("scope", {"model": "a", "user": "*"}, {"model": "a"}, True),
        ("anomaly", {"factor": 4.0, "floor_usd": "1.00"}, {"factor": 4}, False),
        ("anomaly", {"factor": 4.0, "floor_usd": "1.00"}, {"factor": 4, "floor_usd": 1}, False),
        ("anomaly", {"factor": 4.0, "floor_usd": "1.00"}, {"factor": 4, "floor_usd": 2}, True),
        ("anomaly", None, {"factor": 4}, True),
        ("limit", None, None, False),
        ("limit", None, 0, True),
        ("hard_stop", True, 1, True),
        ("models", ["a"], None, True),
    ],
)
def test_a_field_is_held_against_what_the_document_says_of_it(field, old, new, changes):
    assert bool(planned([Thing("quotas", "A", "q", {field: new})], [found("quotas", "q", {field: old})])) is changes


def test_two_of_one_name_must_be_told_apart_first_and_are_both_pruned_where_nobody_names_them():
    twins = [found("budgets", "b", BUDGET), found("budgets", "b", BUDGET)]
    with pytest.raises(Impossible, match="budgets A/b: 2 are called so; rename or delete all but one"):
        planned([Thing("budgets", "A", "b", {})], twins)
    assert [step.verb for step in planned([], twins, prune=True)] == ["delete", "delete"]
