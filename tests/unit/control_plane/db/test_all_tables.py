from control_plane.db.all_tables import PARTS, metadata
from control_plane.db.base import Base
from tests.tidy.tree import ROOT

# What the product promises to keep, whatever else there is.
PROMISED = {
    "users", "projects", "api_keys", "budgets", "budget_events", "alerts", "kill_switch", "billing_customers",
    "subscriptions", "audit_logs", "organizations", "memberships", "provider_credentials", "upstreams", "quotas",
    "overrides", "alert_rules",
}  # fmt: skip


def test_every_module_of_tables_is_known():
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
               for path in (ROOT / "control_plane").glob("*/tables.py")}  # fmt: skip
    assert modules == {part.__name__ for part in PARTS}


def test_every_promised_table_is_there():
    assert PROMISED - set(metadata.tables) == set()
    assert metadata is Base.metadata
