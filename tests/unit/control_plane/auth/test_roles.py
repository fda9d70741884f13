import pytest

from control_plane.auth.roles import GRANTED, PERMISSIONS, ROLES, may, may_grant


def test_an_owner_may_do_everything_and_nobody_else_pays_and_renames_but_billing():
    assert all(may("owner", permission) for permission in PERMISSIONS)
    assert [role for role in ROLES if may(role, "organization:write")] == ["owner"]
    assert [role for role in ROLES if may(role, "billing:write")] == ["owner", "billing"]


def test_who_reads_alone_changes_nothing():
    assert [one for one in GRANTED["viewer"] if not one.endswith(":read")] == ["self"]


@pytest.mark.parametrize("permission", ["members:write", "tokens:write", "providers:write", "audit:export"])
def test_people_and_secrets_are_the_owners_and_the_admins(permission):
    assert [role for role in ROLES if may(role, permission)] == ["owner", "admin"]


def test_nobody_hands_out_more_than_they_have():
    handed = {role: [other for other in ROLES if may_grant(role, other)] for role in ROLES}
    assert handed == {
        "owner": list(ROLES),
        "admin": ["admin", "developer", "viewer"],
        "developer": ["developer", "viewer"],
        "viewer": ["viewer"],
        "billing": ["billing"],
    }
