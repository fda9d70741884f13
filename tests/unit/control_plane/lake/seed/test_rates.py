from datetime import UTC, datetime

from control_plane.lake.seed.rates import OWN, PRICED, Prices
from control_plane.lake.seed.world import OFFERS
from pricing.catalog import Catalog
from pricing.rates import BUCKETS, Price

FROM_S = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
DAY_S = 86_400


def test_every_model_has_one_price_at_every_moment():
    rates = Prices(FROM_S + 5 * DAY_S).between(FROM_S, FROM_S + 20 * DAY_S)
    for name in OFFERS:
        own = [rate for rate in rates if rate.offer == name]
        assert own[0].from_s == FROM_S
        assert own[-1].to_s == FROM_S + 20 * DAY_S
        assert [rate.to_s for rate in own[:-1]] == [rate.from_s for rate in own[1:]]


def test_the_rates_are_those_of_the_catalog():
    catalog = Catalog.load()
    priced = [rate for rate in Prices(FROM_S).between(FROM_S, FROM_S + 1) if rate.offer != "qwen-own"]
    for rate in priced:
        found = catalog.find(OFFERS[rate.offer].catalog, OFFERS[rate.offer].answered, FROM_S)
        assert isinstance(found, Price)
        assert rate.attousd == tuple(found.rates[BUCKETS.index(bucket)] for bucket in PRICED)
        assert rate.match == found.match

    assert len(priced) == len(OFFERS) - 1 >= 18


def test_the_own_model_has_a_price_once_somebody_states_it():
    stated_s = FROM_S + 5 * DAY_S
    before, after = [rate for rate in Prices(stated_s).between(FROM_S, FROM_S + 9 * DAY_S) if rate.offer == "qwen-own"]

    assert OWN is OFFERS["qwen-own"]
    assert (before.match, before.attousd[0], before.to_s) == ("unpriced", None, stated_s)
    assert (after.match, after.attousd[0], after.from_s) == ("override", 120_000_000_000, stated_s)
    assert after.version.startswith(before.version + "+")


def test_prices_that_change_with_the_time_of_day_are_followed():
    deepseek = [rate for rate in Prices(FROM_S).between(FROM_S, FROM_S + DAY_S) if rate.offer == "deepseek-chat"]

    assert len({rate.attousd for rate in deepseek}) == 2
