from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price

from gateway.sandbox import bill
from gateway.sandbox.bill import MODELS, Bill, Entry, Model, Share, Tokens, find_model

TOKENS = Tokens(input=1, cache_read=20, cache_write=300, cache_write_1h=4000, output=50_000, reasoning=600_000)


def entry(model: str = "claude-haiku-4-5", tokens: Tokens = TOKENS, **more: Any) -> Entry:
    return Entry("req_1", "", "anthropic", "messages", model, False, tokens, **more)


def test_an_amount_is_the_sum_of_tokens_times_rates():
    amount_nanousd = MODELS["claude-haiku-4-5"].amount_nanousd(TOKENS)

    assert amount_nanousd == 1 * 1000 + 20 * 100 + 300 * 1250 + 4000 * 2000 + 650_000 * 5000


def test_a_bucket_without_a_rate_is_named():
    assert MODELS["gpt-4o"].unbillable(Tokens(input=1, cache_read=1)) == ""
    assert MODELS["gpt-4o"].unbillable(Tokens(cache_write=1)) == "cache_write"
    assert MODELS["gpt-5.6-sol"].unbillable(Tokens(cache_write=1)) == ""
    assert MODELS["gemini-embedding-001"].unbillable(Tokens(cache_read=1)) == "cache_read"


# What a family is called where prices are listed; the others run on machines of one's own.
CATALOG = {"gemini": "google", "xai": "x-ai", "moonshot": "moonshotai", "voyage": "voyageai"}
SELF_HOSTED = ("ollama", "vllm", "llama.cpp")
# Not listed there; what is not listed costs nothing here.
UNLISTED_KINDS = ("moderations", "rerank", "multimodal")
UNLISTED = ("BAAI/bge-base-en-v1.5", "black-forest-labs/FLUX.1-schnell", "dall-e-2", "dall-e-3")
LISTED = [
    name
    for name, model in MODELS.items()
    if model.kind not in UNLISTED_KINDS and model.family not in SELF_HOSTED and name not in UNLISTED
]
PRICED = {
    "input_tokens": "input_nanousd",
    "output_tokens": "output_nanousd",
    "cache_read_tokens": "cache_read_nanousd",
    "cache_write_tokens": "cache_write_nanousd",
}
# What our buckets are called there. `training` is not in its list.
RATED_AS = {
    "input_pages": {"input_document_pages": 1000},
    "input_annotated_pages": {"input_document_pages": 1000, "input_annotated_document_pages": 1000},
    "web_searches": {"web_searches": 1000},
    "input_audio": {"input_tokens": 1000, "input_audio_tokens": 1000},
    "input_image": {"input_tokens": 1000, "input_image_tokens": 1000},
    "cache_read_audio": {
        "input_tokens": 1000, "input_audio_tokens": 1000, "cache_read_tokens": 1000, "cache_audio_read_tokens": 1000,
    },
    "output_audio": {"output_tokens": 1000, "output_audio_tokens": 1000},
    "output_image": {"output_tokens": 1000, "output_image_tokens": 1000},
    "input_characters": {"input_characters": 1000},
}  # fmt: skip


def listed_nanousd(name: str, **counts: int) -> Decimal:
    """What genai-prices says a call of so much costs, beyond its price of a call."""
    family = MODELS[name].family
    usage = Usage(**counts)
    price = calc_price(usage, model_ref=name, provider_id=CATALOG.get(family, family)).total_price
    return price.scaleb(9) - MODELS[name].call_nanousd


@pytest.mark.parametrize("name", LISTED)
def test_prices_are_the_list_prices(name: str):
    for counted, rate in PRICED.items():
        rate_nanousd = getattr(MODELS[name], rate)
        if rate_nanousd is not None:
            more = {"input_tokens": 1000} if counted.startswith("cache") else {}
            assert listed_nanousd(name, **{**more, counted: 1000}) == rate_nanousd * 1000


@pytest.mark.parametrize("name", [name for name in LISTED if MODELS[name].rates.keys() & RATED_AS.keys()])
def test_prices_of_other_buckets_are_the_list_prices(name: str):
    for bucket in MODELS[name].rates.keys() & RATED_AS.keys():
        assert listed_nanousd(name, **RATED_AS[bucket]) == MODELS[name].rates[bucket] * 1000


@pytest.mark.parametrize("name", ["whisper-1", "whisper-large-v3", "whisper-large-v3-turbo", "voxtral-mini-2602"])
def test_the_price_of_an_hour_of_audio_is_the_list_price(name: str):
    assert listed_nanousd(name, audio_seconds=3600, input_audio_seconds=3600) == MODELS[name].audio_hour_nanousd


def test_deep_research_bills_what_it_thought_and_cited_apart():
    tokens = Tokens(input=1, output=10, reasoning=100, citation=1000, web_searches=2)

    amount_nanousd = MODELS["sonar-deep-research"].amount_nanousd(tokens)
    assert amount_nanousd == 1 * 2000 + 10 * 8000 + 100 * 3000 + 1000 * 2000 + 2 * 5_000_000


def test_a_call_may_have_a_price_of_its_own():
    assert MODELS["sonar"].amount_nanousd(Tokens(input=1)) == 12_000_000 + 1000


@pytest.mark.parametrize(("played_ms", "amount_nanousd"), [(1, 308_333), (10_000, 308_333), (20_000, 616_667)])
def test_audio_is_billed_by_the_hour_ten_seconds_at_least(played_ms: int, amount_nanousd: int):
    assert MODELS["whisper-large-v3"].amount_nanousd(Tokens(input_audio_ms=played_ms)) == amount_nanousd


@pytest.mark.parametrize("model", MODELS.values())
def test_no_two_providers_have_a_model_of_one_name(model: Model):
    assert MODELS[model.name] is MODELS[model.version] is model


def test_half_a_price_is_rounded_half_to_even():
    opened = Bill()
    for read in (1, 3):
        opened.open(entry("gpt-4o-mini", Tokens(cache_read=read), tier="batch"))

    assert [line["amount_nanousd"] for line in opened.lines()] == [38, 112]


def test_pictures_cost_what_their_entry_says():
    opened = Bill()
    opened.open(entry("dall-e-3", Tokens(output_images=2), image_nanousd=40_000_000))

    assert opened.totals().amount_nanousd == 80_000_000


def test_every_bucket_is_rated_or_named():
    assert MODELS["gpt-4o"].unbillable(Tokens(input_audio=1)) == "input_audio"
    assert MODELS["gpt-realtime"].unbillable(Tokens(input_audio=1, cache_read_image=1)) == ""


def test_a_model_is_found_by_name_and_version_for_what_it_does():
    assert find_model("gpt-4o-mini", "openai", "chat") == find_model("gpt-4o-mini-2024-07-18", "openai", "chat")
    assert find_model("gpt-4o-mini", "openai", "embeddings") is None
    assert find_model("gpt-4o-mini", "anthropic", "chat") is None
    assert isinstance(find_model("gemini-embedding-2", "gemini", "embeddings"), Model)


def test_a_batch_costs_half_but_for_its_searches():
    tokens = Tokens(input=3, cache_read=1, output=5, web_searches=2)
    whole_nanousd = 3 * 1000 + 100 + 5 * 5000

    assert MODELS["claude-haiku-4-5"].amount_nanousd(tokens) == whole_nanousd + 20_000_000
    assert MODELS["claude-haiku-4-5"].amount_nanousd(tokens, "batch") == whole_nanousd // 2 + 20_000_000


def test_what_others_did_for_a_call_is_on_its_line_at_their_price():
    opened = Bill()
    opened.open(entry(tokens=Tokens(input=1), others=(Share("claude-opus-4-8", Tokens(output=2)),), state="completed"))

    assert opened.lines()[0]["amount_nanousd"] == 1000 + 2 * 25000 == opened.totals().amount_nanousd
    assert opened.totals().tokens == Tokens(input=1, output=2)


def test_lines_carry_their_amounts_and_totals_add_them_up():
    opened = Bill()
    opened.open(entry(state="completed"))
    opened.open(entry("gpt-4o", Tokens(input=2, output=3), state="cut"))

    lines, totals = opened.lines(), opened.totals()
    assert [line["amount_nanousd"] for line in lines] == [3_258_378_000, 2 * 2500 + 3 * 10000]
    assert totals.amount_nanousd == sum(int(str(line["amount_nanousd"])) for line in lines)
    assert (totals.calls, totals.states) == (2, {"completed": 1, "cut": 1})
    assert totals.tokens.output == 50_003


def test_an_entry_grows_while_its_stream_is_written():
    opened, growing = Bill(), entry("gpt-4o", Tokens(input=1))
    opened.open(growing)
    growing.count(output=2, reasoning=3)

    assert opened.totals().amount_nanousd == 2500 + 5 * 10000


def test_entries_that_leave_the_list_stay_in_the_totals(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bill, "ENTRIES_MAX", 2)
    opened = Bill()
    for _ in range(5):
        opened.open(entry("gpt-4o", Tokens(input=1), state="completed"))

    assert len(opened.lines()) == 2
    assert (opened.totals().calls, opened.totals().amount_nanousd) == (5, 5 * 2500)
    opened.reset()
    assert opened.totals().calls == 0
