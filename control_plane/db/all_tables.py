"""Owns knowing every table: importing it fills the registry, for migrations and for tests."""

from control_plane.alerts import tables as alerts
from control_plane.api import tables as api
from control_plane.audit import tables as audit
from control_plane.auth import tables as auth
from control_plane.billing import tables as billing
from control_plane.budgets import tables as budgets
from control_plane.db.base import Base
from control_plane.ingest import tables as ingest
from control_plane.jobs import tables as jobs
from control_plane.keys import tables as keys
from control_plane.kill_switch import tables as kill_switch
from control_plane.projects import tables as projects
from control_plane.providers import tables as providers
from control_plane.publish import tables as publish
from control_plane.reconciliation import tables as reconciliation
from control_plane.retention import tables as retention

PARTS = (
    alerts,
    api,
    audit,
    auth,
    billing,
    budgets,
    ingest,
    jobs,
    keys,
    kill_switch,
    projects,
    providers,
    publish,
    reconciliation,
    retention,
)
metadata = Base.metadata
