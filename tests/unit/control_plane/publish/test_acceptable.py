import pytest

from control_plane.api.problems import FieldProblem, Problem
from control_plane.publish.acceptable import ITEM_BYTES_MAX, accept
from gateway.contract.policy import Key, Policy, Project, Upstream

GOOD = Key("key_1", "prj_1", "0" * 64)
PROJECTS = (Project("prj_1"),)


def test_what_a_gateway_takes_is_accepted():
    accept(Policy(projects=PROJECTS, keys=(GOOD,)), "keys", {})


def test_every_fault_of_the_table_is_told_with_its_place_in_the_request():
    upstream = Upstream("self", "openai", "ftp://x", connect_timeout_ms=0)
    with pytest.raises(Problem) as refused:
        accept(Policy(upstreams=(upstream,)), "upstreams", {"connect_timeout_ms": "body/options/connect_timeout_ms"})
    assert (refused.value.status, refused.value.code) == (400, "invalid")
    assert [error.pointer for error in refused.value.errors] == ["body/origin", "body/options/connect_timeout_ms"]
    assert "ftp://x" in refused.value.detail


def test_a_fault_of_the_row_as_a_whole_is_of_the_body_unless_said_otherwise():
    policy = Policy(upstreams=(Upstream("k", "openai", "https://x"),))
    for places, pointer in (({}, "body"), ({"": "body/name"}, "body/name")):
        with pytest.raises(Problem) as refused:
            accept(policy, "upstreams", places)
        assert refused.value.errors == (FieldProblem(pointer, refused.value.errors[0].message),)


def test_faults_of_other_tables_are_not_the_request_s():
    accept(Policy(upstreams=(Upstream("self", "openai", "ftp://x"),)), "keys", {})


def test_an_item_has_room_in_what_a_gateway_takes():
    assert ITEM_BYTES_MAX < 200 * 1024
