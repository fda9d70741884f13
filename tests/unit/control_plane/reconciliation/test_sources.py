from control_plane.reconciliation.names import CATALOGS
from control_plane.reconciliation.sources import SOURCE_NAMES, SOURCES
from gateway.providers import PROVIDERS


def test_every_source_is_of_a_provider_that_the_gateway_knows_and_prices():
    assert tuple(SOURCES) == SOURCE_NAMES
    assert {source.provider for source in SOURCES.values()} == set(CATALOGS)
    assert {name: PROVIDERS[name].catalog for name in CATALOGS} == dict(CATALOGS)


def test_what_a_provider_used_and_what_it_cost_is_each_said_by_one_source():
    for says in ("says_usage", "says_cost"):
        providers = [source.provider for source in SOURCES.values() if getattr(source, says)]
        assert sorted(providers) == sorted(set(providers)) == sorted(CATALOGS)
