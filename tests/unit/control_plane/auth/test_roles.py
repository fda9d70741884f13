import pytest

from control_plane.auth.roles import GRANTED, PERMISSIONS, ROLES, may


def test_every_role_is_granted_something_that_exists():
    assert set(GRANTED) == set(ROLES)
    for permissions in GRANTED.values():
        assert "self" in permissions
        assert permissions <= set(PERMISSIONS)


def test_an_owner_may_all_and_an_admin_all_but_what_is_the_owners():
    assert GRANTED["owner"] == set(PERMISSIONS)
    assert GRANTED["owner"] - GRANTED["admin"] == {"organization:write", "billing:write"}


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_who_looks_changes_nothing_but_payments(role):
    writes = {one for one in GRANTED[role] if one.endswith(":write")}
    assert writes <= {"billing:write"}


def test_the_log_is_read_by_those_who_answer_for_it():
    assert [role for role in ROLES if may(role, "audit:read")] == ["owner", "admin"]
