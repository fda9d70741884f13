import pytest

from control_plane.reconciliation.names import Named, Names, spelled
from pricing.catalog import Catalog

NOW_S = 1_795_000_000
CATALOG = Catalog.load()


def names(provider: str, *ours: str, **mapped: str) -> Names:
    return Names(provider, ours, CATALOG, NOW_S, mapped)


def test_a_dated_snapshot_is_the_model_that_is_priced():
    known = names("openai", "gpt-4o")
    assert known.find("gpt-4o-2024-08-06") == Named("gpt-4o", "catalog")
    assert known.find("gpt-4o-2024-05-13") == Named("gpt-4o-2024-05-13", "catalog")


@pytest.mark.parametrize(
    ("ours", "billed"),
    [
        ("us.anthropic.claude-sonnet-4-6-20260501-v1:0", "Claude4.6Sonnet"),
        ("amazon.nova-pro-v1:0", "NovaPro"),
        ("amazon.nova-2-lite-v1:0", "Nova2.0Lite"),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1"),
        ("eu.anthropic.claude-3-5-sonnet-20240620-v1:0", "Claude 3.5 Sonnet"),
    ],
)
def test_a_bill_of_bedrock_spells_models_in_its_own_way(ours, billed):
    known = names("bedrock", ours, "amazon.titan-embed-text-v2:0")
    assert known.find(billed).model == known.canonical(ours)
    assert known.find(billed).found in ("spelling", "catalog")


def test_geographies_of_bedrock_are_one_model():
    known = names("bedrock")
    assert known.canonical("us.amazon.nova-pro-v1:0") == known.canonical("amazon.nova-pro-v1:0")


def test_a_bill_of_azure_says_the_day_of_a_snapshot():
    known = names("azure", "gpt-4o-2024-08-06", "gpt-4o-2024-05-13", "gpt-4o-mini")
    assert known.find("gpt 4o 0806") == Named("gpt-4o", "spelling")
    assert known.find("gpt 4o 0513") == Named("gpt-4o-2024-05-13", "spelling")
    assert known.find("gpt 4o mini 0718").model == "gpt-4o-mini"


def test_between_two_nothing_is_guessed():
    known = names("azure", "sonnet-4-6", "4-6-sonnet")
    assert known.find("4.6 sonnet").found == "none"


def test_what_somebody_wrote_down_comes_first():
    known = names("bedrock", "amazon.nova-pro-v1:0", NovaPro="amazon.nova-lite-v1:0")
    assert known.find("NovaPro") == Named("amazon.nova-lite", "mapped")


def test_a_line_of_no_model_stays_so():
    assert names("openai", "gpt-4o").find("") == Named("", "none")


def test_words_are_sorted_and_dates_told_apart():
    assert spelled("gpt-4o-2024-08-06", dated=True) == ("0806", "4", "gpt", "o")
    assert spelled("gpt 4o 0806", dated=False) == ("4", "gpt", "o")
