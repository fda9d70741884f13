import pytest
from sqlalchemy import JSON, BigInteger, Enum

from control_plane.auth.tables import Membership
from control_plane.budgets.tables import Budget
from control_plane.db.base import Edited, OrgOwned


def test_integers_are_wide_and_lists_are_json():
    columns = Budget.__table__.c
    assert isinstance(columns.limit_nanousd.type, BigInteger)
    assert isinstance(columns.thresholds.type, JSON)


def test_a_literal_is_text_that_a_new_value_does_not_migrate():
    kind = Membership.__table__.c.role.type
    assert isinstance(kind, Enum)
    assert (kind.native_enum, kind.length) == (False, 32)


def test_rows_of_an_organization_go_with_it():
    (key,) = Membership.__table__.c.org_id.foreign_keys
    assert (key.column.table.name, key.ondelete) == ("organizations", "CASCADE")
    assert issubclass(Membership, OrgOwned)
    assert issubclass(Membership, Edited)


def test_a_row_has_its_defaults_before_it_is_stored():
    assert (Budget(id="bud_1").hard_stop, Budget(hard_stop=False).hard_stop, Budget().time_zone) == (True, False, "UTC")
    with pytest.raises(TypeError, match="Budget has no column limit"):
        Budget(limit=1)
