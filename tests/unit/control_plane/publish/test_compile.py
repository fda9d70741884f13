import msgspec
import pytest

from control_plane.auth.tables import User
from control_plane.budgets.tables import Budget, Override, Quota
from control_plane.keys.tables import ApiKey
from control_plane.kill_switch.tables import KillSwitch
from control_plane.projects.tables import Project
from control_plane.providers.tables import PriceOverride, ProviderCredential, Upstream
from control_plane.publish.compile import SealedCredential, compile_row, gone
from gateway.contract import policy
from gateway.contract.publishing import BODIES

ORG = {"id": "x_1", "org_id": "org_1"}
ROWS = {
    "project": Project(**ORG, name="P"),
    "key": ApiKey(
        **ORG, project_id="prj_1", name="k", prefix="lk-x", hash="h" * 64, mode="transparent", on_disconnect="drain",
        tags=["t"], models=["gpt-*"], replaces=["key_0"],
    ),
    "credential": ProviderCredential(**ORG, sealed="k.canary"),
    "upstream": Upstream(
        **ORG, name="u", provider="openai", origin="https://o", models={"a": "b"}, options={"region": "eu"},
    ),
    "price_override": PriceOverride(**ORG, upstream="u", model="*", rates={}),
    "quota": Budget(**ORG, project_id="prj_1", limit_nanousd=5, period="month", thresholds=[90], scope={"tag": "a"}),
    "quota_override": Override(**ORG, limited_id="bud_1", limit_amount=None, until_s=9),
    "kill_switch": KillSwitch(**ORG, project_id=None, scope={}, active=True, reason="r", allow=[]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_every_kind_becomes_what_the_contract_says(kind):
    compiled = compile_row(ROWS[kind])
    assert compiled.kind == kind
    assert compiled.id == "x_1"
    expected = SealedCredential if kind == "credential" else BODIES[kind]
    assert isinstance(compiled.body, expected)
    assert msgspec.json.decode(msgspec.json.encode(compiled.body), type=expected) == compiled.body
    assert gone(ROWS[kind]) == (kind, "x_1", None)


def test_all_kinds_of_the_contract_are_published():
    assert set(ROWS) == set(BODIES)


def test_what_limits_is_narrowed_to_its_organization_whatever_its_scope_says():
    budget = Budget(
        **ORG, project_id=None, limit_nanousd=5, period="day", thresholds=[], scope={"org": "org_2", "key": "*"}
    )
    assert compile_row(budget).body.scope == {"org": "org_1", "key": "*"}
    assert compile_row(ROWS["quota"]).body.scope == {"org": "org_1", "project": "prj_1", "tag": "a"}
    switch = KillSwitch(**ORG, project_id=None, scope={"org": "*"}, active=True, reason="", allow=[])
    assert compile_row(switch).body.scope == {"org": "org_1"}
    quota = Quota(
        **ORG, project_id="p", unit="requests", limit_amount=1, window="minute", action="block", thresholds=[], scope={}
    )
    assert compile_row(quota).body.scope == {"org": "org_1", "project": "p"}


def test_a_soft_budget_only_alerts():
    soft = Budget(**ORG, project_id=None, limit_nanousd=5, period="day", thresholds=[], scope={}, hard_stop=False)
    assert (compile_row(soft).body.action, compile_row(ROWS["quota"]).body.action) == ("alert", "block")


def test_what_counts_no_more_is_told_as_gone():
    for row in (
        Project(**ORG, name="P", archived_at_ms=1),
        ApiKey(**ORG, revoked_at_ms=1),
        Override(**ORG, ended_at_ms=1),
        KillSwitch(**ORG, active=False),
    ):
        assert compile_row(row).body is None


def test_options_of_an_upstream_change_neither_its_name_nor_its_owner():
    row = Upstream(**ORG, name="u", provider="openai", origin="", models={}, options={"org_id": "x", "name": "y"})
    body = compile_row(row).body
    assert isinstance(body, policy.Upstream)
    assert (body.org_id, body.name) == ("org_1", "u")


def test_what_gateways_need_not_know_is_not_published():
    assert (compile_row(User(id="usr_1")), gone(User(id="usr_1"))) == (None, None)
