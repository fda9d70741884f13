import pytest
from msgspec.structs import replace

from gateway import price_lists
from gateway.contract.policy import Policy, PriceOverride, Upstream
from gateway.policy import PolicyView
from gateway.price_lists import PriceLists
from pricing.catalog import Catalog, Price
from pricing.cost import cost
from pricing.usage import Usage

LISTED = Catalog.load()
USAGE = Usage(input_text=1_000_000)
SHARED = Upstream("openai", "openai", "https://api.openai.com")
OWN = Upstream("openai", "openai", "https://own", org_id="b")
HALF = PriceOverride("openai", "*", multiplier="0.5")
DEAR = PriceOverride("openai", "gpt-4o-mini", multiplier="10", org_id="a")


def lists(*overrides: PriceOverride) -> PriceLists:
    return PriceLists(LISTED, view(*overrides))


def view(*overrides: PriceOverride) -> PolicyView:
    return PolicyView(Policy(upstreams=(SHARED, OWN), price_overrides=overrides))


def factor(prices: PriceLists, org_id: str) -> float:
    """How dear a model is for an organization, of its list price."""
    found, listed = (
        catalog.find("openai", "gpt-4o-mini", 1_800_000_000, scope="openai") for catalog in (prices.of(org_id), LISTED)
    )
    assert isinstance(found, Price)
    assert isinstance(listed, Price)
    return cost(USAGE, found).nanousd / cost(USAGE, listed).nanousd


def test_an_organizations_overrides_hold_for_its_own_calls_over_everybodys():
    prices = lists(HALF, DEAR)
    assert (factor(prices, "a"), factor(prices, "c"), factor(prices, "")) == (10, 0.5, 0.5)


def test_everybodys_override_is_not_for_an_organizations_own_upstream_of_that_name():
    prices = lists(HALF, replace(DEAR, upstream="*", model="*", org_id="c"))
    assert (factor(prices, "a"), factor(prices, "b")) == (0.5, 1)
    assert factor(prices, "c") == 0.5, "the more specific one, whoever stated it"


def test_organizations_without_anything_of_their_own_share_one_catalog():
    prices = lists(HALF, DEAR)
    assert prices.of("c") is prices.of("d") is prices.of("")
    assert prices.of("a") is prices.of("a") is not prices.of("c")
    assert prices.of("a").version != prices.of("c").version


def test_a_change_makes_anew_what_it_is_about():
    prices = lists(HALF, DEAR)
    before = prices.of("a"), prices.of("c")
    same = view(HALF, DEAR)
    prices.follow(PolicyView(same.policy, before=same))
    prices.follow(view(HALF, replace(DEAR, multiplier="3")))
    assert (factor(prices, "a"), factor(prices, "c")) == (3, 0.5)
    assert prices.of("c") is before[1]
    prices.follow(view())
    assert (factor(prices, "a"), factor(prices, "c")) == (1, 1)


def test_catalogs_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(price_lists, "CATALOGS_MAX", 2)
    prices = lists(*(replace(DEAR, org_id=f"o{number}") for number in range(5)))
    assert [factor(prices, f"o{number}") for number in range(5)] == [10] * 5
    assert len(prices._own) <= 2
