from control_plane.lake.seed.world import CURVES, KEYS, OFFERS, PROJECTS, SOURCES, users_of
from gateway.providers import PROVIDERS


def test_everything_that_is_named_is_there():
    for source in SOURCES.values():
        assert source.project in PROJECTS
        assert source.curve in CURVES
        assert source.mix.keys() <= OFFERS.keys()
    for offer in OFFERS.values():
        assert offer.catalog == PROVIDERS[offer.provider].catalog
        assert offer.fallback in {"", *OFFERS}
    assert {key.source for key in KEYS} == SOURCES.keys()
    assert all(len(curve) == 24 for curve in CURVES.values())


def test_keys_have_names_of_their_own():
    assert len({key.name for key in KEYS}) == len(KEYS) > 35


def test_nobody_is_twice_among_the_users_of_a_source():
    for name, source in SOURCES.items():
        users = users_of(name)
        assert len(set(users)) == len(users) == source.users

    assert len({user for name in SOURCES for user in users_of(name)}) > 1500
    assert users_of("documents") == ("documents-agent",)
