from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price

from gateway.sandbox import bill
from gateway.sandbox.bill import MODELS, Bill, Entry, Model, Tokens, find_model

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


@pytest.mark.parametrize("name", MODELS)
def test_prices_are_the_list_prices(name: str):
    model = MODELS[name]
    provider = "google" if model.family == "gemini" else model.family
    if model.kind == "moderations" or "dall-e" in name:
        return
    for bucket, rate_nanousd in (
        ("input_tokens", model.input_nanousd),
        ("output_tokens", model.output_nanousd),
        ("cache_read_tokens", model.cache_read_nanousd),
        ("cache_write_tokens", model.cache_write_nanousd),
    ):
        if rate_nanousd is None:
            continue
        usage = Usage(input_tokens=1000, **{bucket: 1000}) if bucket.startswith("cache") else Usage(**{bucket: 1000})
        price = calc_price(usage, model_ref=name, provider_id=provider).total_price
        assert price == Decimal(rate_nanousd * 1000).scaleb(-9)


# What our buckets are called there. `training` is not in its list, nor are pictures.
RATED_AS = {
    "input_audio": {"input_tokens": 1000, "input_audio_tokens": 1000},
    "input_image": {"input_tokens": 1000, "input_image_tokens": 1000},
    "cache_read_audio": {
        "input_tokens": 1000, "input_audio_tokens": 1000, "cache_read_tokens": 1000, "cache_audio_read_tokens": 1000,
    },
    "output_audio": {"output_tokens": 1000, "output_audio_tokens": 1000},
    "output_image": {"output_tokens": 1000, "output_image_tokens": 1000},
    "input_characters": {"input_characters": 1000},
    "input_audio_ms": {"audio_seconds": 1, "input_audio_seconds": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bucket", "rate_nanousd"),
    [
        (name, bucket, rate)
        for name, model in MODELS.items()
        for bucket, rate in model.rates.items()
        if bucket in RATED_AS
    ],
)
def test_other_modalities_have_their_list_prices(name: str, bucket: str, rate_nanousd: int):
    price = calc_price(Usage(**RATED_AS[bucket]), model_ref=name, provider_id="openai").total_price

    assert price == Decimal(rate_nanousd * 1000).scaleb(-9)


def test_a_share_of_the_price_is_rounded_half_to_even():
    opened = Bill()
    for read in (1, 3):
        opened.open(entry("gpt-4o-mini", Tokens(cache_read=read), percent=50))

    assert [line["amount_nanousd"] for line in opened.lines()] == [38, 112]


def test_pictures_cost_what_their_entry_says():
    opened = Bill()
    opened.open(entry("dall-e-3", Tokens(images=2), image_nanousd=40_000_000))

    assert opened.totals().amount_nanousd == 80_000_000


def test_every_bucket_is_rated_or_named():
    assert MODELS["gpt-4o"].unbillable(Tokens(input_audio=1)) == "input_audio"
    assert MODELS["gpt-realtime"].unbillable(Tokens(input_audio=1, cache_read_image=1)) == ""


def test_a_model_is_found_by_name_and_version_for_what_it_does():
    assert find_model("gpt-4o-mini", "openai", "chat") == find_model("gpt-4o-mini-2024-07-18", "openai", "chat")
    assert find_model("gpt-4o-mini", "openai", "embeddings") is None
    assert find_model("gpt-4o-mini", "anthropic", "chat") is None
    assert isinstance(find_model("gemini-embedding-2", "gemini", "embeddings"), Model)


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
