import pytest

from control_plane.backtest.proposal import Proposal, faults


def test_a_scope_is_of_fixed_and_of_varying_dimensions():
    proposal = Proposal(unit="usd", limit=1, scope={"model": "gpt-4o", "user": "*"})
    assert (proposal.fixed, proposal.varying) == ({"model": "gpt-4o"}, ("user",))
    assert faults(proposal) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"limit": -1}, "limit"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"values_max": 0}, "values_max"),
        ({"unit": "requests", "ceiling": 5}, "ceiling"),
        ({"unit": "concurrent"}, "unit"),
    ],
)
def test_what_a_gateway_would_not_obey_is_named(fields, field):
    proposal = Proposal(**({"unit": "usd", "limit": 1} | fields))
    assert [name for name, _ in faults(proposal)] == [field]
