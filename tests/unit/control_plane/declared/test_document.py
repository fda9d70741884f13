import pytest

from control_plane.declared.document import DocumentError, Thing, read

DOCUMENT = """
projects:
  - name: Checkout
    keys:
      - name: web
        models: [gpt-4o-mini]
    budgets:
      - name: monthly
        limit_usd: 100
        period: month
budgets:
  - name: everything
    limit_usd: "1000.50"
    period: month
alerts:
  - name: to Slack
    trigger: threshold
    target: {channel: slack, token: "${SLACK_TOKEN}", channel_id: C0123456789}
"""


def test_things_come_with_their_project_and_projects_first():
    things = read(DOCUMENT, {"SLACK_TOKEN": "xoxb-1"})
    assert things[0] == Thing("projects", "Checkout", "Checkout", {})
    assert {(thing.collection, thing.project, thing.name) for thing in things[1:]} == {
        ("keys", "Checkout", "web"),
        ("budgets", "Checkout", "monthly"),
        ("budgets", "", "everything"),
        ("alert-rules", "", "to Slack"),
    }
    assert things[0].label == "projects Checkout"
    assert "budgets Checkout/monthly" in {thing.label for thing in things}


def test_a_value_takes_what_the_environment_has():
    alert = next(thing for thing in read(DOCUMENT, {"SLACK_TOKEN": "xoxb-1"}) if thing.collection == "alert-rules")
    assert alert.fields["target"]["token"] == "xoxb-1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DOCUMENT, "organization.alerts.to Slack.target.token: the environment has no SLACK_TOKEN; set it"),
        ("projects: [", "line 1: this is not YAML"),
        ("- a", "the document: write name: value pairs"),
        ("", "the document: write name: value pairs"),
        ("keys: []", "keys: unknown; the document may have alerts, budgets, projects, quotas"),
        ("projects: {a: 1}", "projects: write a list"),
        ("projects: [{}]", "projects[1]: it needs a name"),
        ("projects: [{name: A, budget: []}]", "project A: budget is unknown"),
        (
            "projects: [{name: A, budgets: [{limit_usd: 1}]}]",
            "A.budgets[1]: it needs a name, by which it is found again",
        ),
        ("budgets: [{name: a, project_id: prj_1}]", "organization.budgets.a: leave out project_id"),
        ("budgets: [{name: a}, {name: a}]", "budgets a: declared twice; give each its own name"),
    ],
)
def test_a_bad_document_says_where_and_what_to_do(text, problem):
    with pytest.raises(DocumentError) as error:
        read(text, {})
    assert any(line.startswith(problem) for line in str(error.value).splitlines())
