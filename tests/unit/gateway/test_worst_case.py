"""Names of tests give the number of the budget case that they are of."""

import json

import pytest
from msgspec.structs import replace

from gateway import settle
from gateway import worst_case as stage
from gateway.endpoints import APIS
from gateway.examine import Call
from gateway.metering.reading import Line, Reading
from gateway.route import Route
from gateway.worst_case import FREE, TERMS_MAX, WorstCase, WorstCases, tighten, worst_case
from pricing.bound import Unbounded
from pricing.overrides import Override
from pricing.usage import Usage
from tests.support.stages import NOW_S
from tests.support.worst_cases import (
    CATALOG,
    CHAT,
    CONVERSE,
    GEMINI,
    HI,
    IMAGE,
    MESSAGES,
    RESPONSES,
    bounded,
    bounded_in_tokens,
    chat,
    judged,
    messages,
    refused,
    route_at,
)

# --- Output size


@pytest.mark.parametrize("n", [-1, 0, True, "2", 10**9, 1.5, []])
def test_1_a_number_of_answers_that_is_none_is_refused(n):
    assert "number of answers" in refused(CHAT, chat(n=n))
    assert "number of answers" in refused("/openai/v1/completions", chat(model="gpt-3.5-turbo-instruct", best_of=n))
    assert "number of answers" in refused(GEMINI, {"contents": HI, "generationConfig": {"candidateCount": n}})


def test_1_every_answer_is_reserved():
    assert bounded(CHAT, chat(n=3)).tokens_out == 300
    legacy = {"model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b"], "n": 2, "best_of": 3, "max_tokens": 100}
    assert bounded("/openai/v1/completions", legacy).tokens_out == 2 * 3 * 100
    assert bounded("/openai/v1/completions", legacy | {"prompt": [1, 2, 3]}).tokens_out == 3 * 100
    config = {"candidate_count": 2, "max_output_tokens": 50}
    assert bounded(GEMINI, {"contents": HI, "generation_config": config}).tokens_out == 100


def test_2_a_stream_without_a_cap_that_hides_nothing_may_be_paid_as_it_flows():
    found = bounded(CHAT, {"model": "gpt-4o", "messages": HI}, stream=True)
    assert (found.open_ended, found.tokens_out) == (True, 16_384)


@pytest.mark.parametrize(
    ("body", "stream", "tokens_out"),
    [
        ({"model": "gpt-4o", "messages": HI}, False, 16_384),
        ({"model": "gpt-5", "messages": HI}, True, 128_000),
        ({"model": "gpt-5", "messages": HI}, False, 128_000),
        (chat(), True, 100),
        (chat(max_tokens=0), False, 16_384),
        (chat(max_tokens=-5), False, 16_384),
        (chat(max_tokens=None), False, 16_384),
    ],
)
def test_2_anything_else_without_a_cap_reserves_the_model_s_maximum(body, stream, tokens_out):
    found = bounded(CHAT, body, stream=stream)
    assert (found.open_ended, found.tokens_out) == (False, tokens_out)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"model": "gpt-4o-audio-preview", "modalities": ["text", "audio"], "audio": {"voice": "alloy"}}),
        (CHAT, {"model": "gpt-4o", "prediction": {"type": "content", "content": "a"}}),
        (RESPONSES, {"model": "gpt-4o", "input": "a", "tools": [{"type": "web_search"}], "max_tool_calls": 1}),
        (CONVERSE, {"additionalModelRequestFields": {"reasoning_config": {"type": "enabled", "budget_tokens": 2000}}}),
    ],
)
def test_2_a_stream_that_hides_what_it_puts_out_holds_all_of_it(path, body):
    assert not bounded(path, {"messages": HI} | body, stream=True).open_ended


def test_3_a_cap_within_the_model_s_maximum_is_reserved_whole():
    assert bounded(CHAT, chat(model="gpt-4", max_tokens=8000)).tokens_out == 8000
    assert bounded(CHAT, chat(model="gpt-4", max_tokens=9000)).tokens_out == 8192


@pytest.mark.parametrize("cap", [True, "100", 1.5, [100]])
def test_2_a_cap_that_is_no_whole_number_is_refused(cap):
    assert "whole number" in refused(CHAT, chat(max_tokens=cap))


def test_2_no_cap_and_no_known_maximum_is_refused_and_says_what_to_do():
    priced = CATALOG.with_overrides([Override("ollama", "*", {"input_text": "1", "output_text": "1"})])
    assert "cap its output" in refused("/ollama/api/chat", {"model": "m", "messages": HI}, catalog=priced)
    capped = {"model": "m", "messages": HI, "options": {"num_predict": 40}}
    assert bounded("/ollama/api/chat", capped, catalog=priced).tokens_out == 40
    endless = {"model": "m", "messages": HI, "options": {"num_predict": -1}}
    assert "cap its output" in refused("/ollama/api/chat", endless, catalog=priced)


def test_4_a_cap_above_the_model_s_maximum_reserves_the_maximum():
    assert bounded(CHAT, chat(max_tokens=10**12)).tokens_out == 16_384


def test_5_reasoning_is_reserved_whole_at_the_dearer_rate():
    dear = CATALOG.with_overrides(
        [Override("openai", "gpt-5", {"input_text": "1", "output_text": "1", "output_reasoning": "50"})]
    )
    found = bounded(CHAT, {"model": "gpt-5", "messages": HI}, catalog=dear)
    assert found.nanousd >= 128_000 * 50_000


def test_5_reasoning_that_stands_beside_the_cap_is_reserved_beside_it():
    found = bounded("/xai/v1/chat/completions", {"model": "grok-4.3", "messages": HI, "max_tokens": 10})
    assert found.tokens_out > 100_000


# --- Input size


def test_8_an_image_by_url_costs_its_model_s_largest():
    text = bounded(CHAT, chat())
    found = bounded(CHAT, chat(messages=[{"role": "user", "content": [IMAGE, {"type": "text", "text": "hi"}]}]))
    assert found.tokens_in - text.tokens_in > 85 + 170 * 8
    assert found.text_tokens == 0


def test_8_an_image_for_a_model_without_a_known_largest_may_fill_its_context():
    found = bounded(
        "/mistral/v1/chat/completions",
        {"model": "mistral-large-latest", "max_tokens": 5, "messages": [{"role": "user", "content": [IMAGE]}]},
    )
    assert found.tokens_in >= 100_000
    assert found.flags == ("whole_context_assumed",)


FILE = {"type": "file", "file": {"file_id": "file-1"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
DOCUMENT = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
STORED = {"type": "item_reference", "id": "msg_1"}
RESPONSE = {"model": "gpt-4o", "max_output_tokens": 5}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat(messages=[{"role": "user", "content": [FILE]}])),
        (CHAT, chat(messages=[{"role": "user", "content": [SOUND]}])),
        (RESPONSES, RESPONSE | {"input": [{"role": "user", "content": [DOCUMENT]}]}),
        (RESPONSES, RESPONSE | {"input": [STORED]}),
    ],
)
def test_8_9_documents_sounds_and_files_may_fill_the_context(path, body):
    assert bounded(path, body).tokens_in == 128_000


def test_9_a_document_of_a_model_without_known_limits_is_refused():
    priced = CATALOG.with_overrides([Override("ollama", "*", {"input_text": "1", "output_text": "1"})])
    body = {"model": "m", "messages": [*HI, {"role": "user", "images": ["AAAA"]}], "options": {"num_predict": 4}}
    assert "send text alone" in refused("/ollama/api/chat", body, catalog=priced)


LONG = "x" * 5000


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": LONG}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"title": LONG}}}},
        {"messages": [{"role": "system", "content": LONG}]},
    ],
)
def test_10_the_whole_body_counts(more):
    assert bounded(CHAT, chat(**more)).tokens_in > 5000


def test_10_text_in_escapes_and_of_many_bytes_is_bounded_by_its_bytes():
    text = "😀" * 100
    assert bounded(CHAT, chat(messages=[{"role": "user", "content": text}])).tokens_in > 400


def test_11_the_long_context_is_reserved_once_the_input_may_reach_it():
    def body(length: int) -> dict:
        return {"contents": [{"parts": [{"text": "a" * length}]}], "generationConfig": {"maxOutputTokens": 10}}

    short, long = bounded(GEMINI, body(190_000)), bounded(GEMINI, body(210_000))
    assert long.bound.output_attousd_per_token > short.bound.output_attousd_per_token
    assert long.nanousd > 1.9 * short.nanousd


def test_12_cache_writes_are_reserved_where_the_request_may_make_them():
    def body(**control) -> dict:
        return messages(system=[{"type": "text", "text": "a" * 9000, **control}])

    plain = bounded(MESSAGES, body())
    short = bounded(MESSAGES, body(cache_control={"type": "ephemeral"}))
    long = bounded(MESSAGES, body(cache_control={"type": "ephemeral", "ttl": "1h"}))
    assert plain.nanousd * 1.2 < short.nanousd < plain.nanousd * 1.3
    assert plain.nanousd * 1.8 < long.nanousd


def test_12_a_write_whose_price_is_not_listed_is_refused():
    assert "cache_write_12h" in refused(CHAT, chat(prompt_cache_options={"ttl": "12h"}))
    assert bounded(CHAT, chat(prompt_cache_options={"ttl": "30m"}))


def test_13_a_cache_s_discount_is_never_reserved():
    found = bounded(CHAT, chat())
    assert found.bound.fixed_attousd >= found.tokens_in * 2_500_000_000_000


def output_rate(path: str, body: dict):
    return bounded(path, body).bound.output_attousd_per_token


def test_14_a_tier_that_the_provider_may_choose_is_reserved():
    usual, dear = (output_rate(CHAT, chat(service_tier=tier)) for tier in ("default", "priority"))
    assert dear > usual
    # A project has a tier of its own, which holds where the request says "auto" or nothing.
    assert [output_rate(CHAT, chat(**more)) for more in ({}, {"service_tier": "auto"})] == [dear, dear]


def test_14_a_discount_for_a_tier_is_never_counted_on():
    usual, flex = (output_rate(CHAT, chat(model="o3", service_tier=tier)) for tier in ("default", "flex"))
    assert flex == usual


def test_14_fast_mode_and_regions_are_reserved():
    def rate(**more):
        return output_rate(MESSAGES, messages(model="claude-opus-4-8", **more))

    assert rate(speed="fast") > 1.5 * rate()
    # A workspace has a region of its own.
    assert rate() == rate(inference_geo="us") == rate(inference_geo="global") * 11 // 10


def test_14_a_tier_without_a_price_is_refused():
    assert "scale" in refused(CHAT, chat(service_tier="scale"))


def test_14_a_tier_that_a_header_names_is_none_of_the_usual_price():
    body = {"anthropic_version": "bedrock-2023-05-31", "messages": HI, "max_tokens": 10}
    route, text = route_at(CONVERSE.replace("/converse", "/invoke")), json.dumps(body).encode()
    call = Call(route.model_in_path, False, "", text, False, text)
    plain = worst_case(call, route, CATALOG, NOW_S)
    assert isinstance(plain, WorstCase)
    assert plain.unpriced is None
    dear = worst_case(replace(call, modifiers=(("service_tier", "priority"),)), route, CATALOG, NOW_S)
    assert isinstance(dear, WorstCase)
    assert dear.unpriced is not None
    assert "priority" in dear.unpriced.reason


# --- Spend outside the request


@pytest.mark.parametrize(
    "path", ["/openai/v1/batches", "/anthropic/v1/messages/batches", "/openai/v1/fine_tuning/jobs", "/mistral/v1/files"]
)
def test_15_19_what_begins_work_that_is_billed_later_is_refused(path):
    found = worst_case(Call("", False, "", b"", False, b""), route_at(path), CATALOG, NOW_S)
    assert found == FREE if path.endswith("files") else isinstance(found, Unbounded)


@pytest.mark.parametrize("path", ["/openai/v1/batches/b_1/cancel", "/openai/v1/files", "/openai/v1/moderations"])
def test_15_what_is_free_costs_nothing(path):
    assert worst_case(Call("", False, "", b"", False, b""), route_at(path), CATALOG, NOW_S) == FREE
    assert FREE.nanousd == 0


@pytest.mark.parametrize("path", ["/openai/v1/vector_stores", "/openai/v1/vector_stores/vs_1/files"])
def test_19_storage_has_no_bound(path):
    found = worst_case(Call("", False, "", b"", False, b""), route_at(path), CATALOG, NOW_S)
    assert isinstance(found, Unbounded)
    assert "stored" in found.reason


# --- Model identity


@pytest.mark.parametrize(
    "model", ["gpt-4o ", " gpt-4o", "gpt-4o\0", "gpt\u20114o", "gp\u0442-4o", "gpt 4o", "", "gpt-4o\n"]
)
def test_52_a_name_that_is_not_exact_is_refused(model):
    assert "no price" in refused(CHAT, chat(model=model), model=model)


@pytest.mark.parametrize("model", ["gpt-99", "ft:gpt-99:org::1", "gpt-4o-whatever", "claude-haiku-4-5"])
def test_53_an_unknown_model_is_refused_and_names_the_way_out(model):
    reason = refused(CHAT, chat(model=model))
    assert "price_overrides" in reason
    assert "upstreams.openai.models" in reason


def test_53_an_operator_s_rate_is_a_price():
    priced = CATALOG.with_overrides([Override("openai", "gpt-99", {"input_text": "1", "output_text": "2"})])
    assert bounded(CHAT, chat(model="gpt-99"), catalog=priced).tokens_out == 100


def test_54_a_snapshot_has_its_own_limits_and_price():
    assert bounded(CHAT, {"model": "gpt-4o-2024-05-13", "messages": HI}).tokens_out == 4_096
    assert bounded(CHAT, {"model": "gpt-4o-mini-2024-07-18", "messages": HI}).tokens_out == 16_384


def test_55_a_deployment_is_what_the_map_says_and_nothing_else():
    body = {"messages": HI, "max_tokens": 10, "model": "gpt-3.5-turbo"}
    path = "/azure/openai/deployments/{}/chat/completions?api-version=1"
    assert bounded(path.format("mine"), body).tokens_out == 10
    assert bounded(path.format("mine"), body).nanousd > bounded(CHAT, chat(max_tokens=10, model="gpt-4o-mini")).nanousd
    assert "deployment" in refused(path.format("gpt-4o"), body)
    arn = "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/converse"
    assert "no price" in refused(arn, {"messages": []})


@pytest.mark.parametrize(
    "requested", ["mine", "gpt-4o", "arn:aws:bedrock:us-east-1:1:inference-profile/amazon.nova", "x"]
)
def test_55_the_model_that_is_judged_is_the_one_that_is_settled(requested):
    destination = route_at("/azure/openai/deployments/mine/chat/completions").destination
    assert stage._priced_model(requested, destination) == settle._priced_model(None, requested, destination)


def test_56_the_price_of_the_second_is_the_one_that_holds():
    later = Override("openai", "gpt-4o", {"input_text": "100", "output_text": "100"}, starts_at_s=NOW_S + 1)
    changing = CATALOG.with_overrides([later])
    assert bounded(CHAT, chat(), catalog=changing).nanousd == bounded(CHAT, chat()).nanousd


def test_57_a_price_that_varies_is_none():
    assert refused("/openrouter/v1/chat/completions", chat(model="openrouter/auto"))


def test_58_of_models_that_may_answer_the_dearest_is_reserved():
    body = chat(model="openai/gpt-4o-mini")
    path = "/openrouter/v1/chat/completions"
    cheap, dear = bounded(path, body), bounded(path, chat(model="openai/gpt-4o"))
    both = bounded(path, body | {"models": ["openai/gpt-4o"]})
    assert (
        both.bound.output_attousd_per_token
        == dear.bound.output_attousd_per_token
        > cheap.bound.output_attousd_per_token
    )
    assert "no price" in refused(path, body | {"models": ["nobody/nothing"]})
    assert "by itself" in refused(path, body | {"models": ["openai/gpt-4o:online"]})
    assert "fallbacks" in refused(MESSAGES, messages(fallbacks=[{"model": "claude-opus-5"}]))


# --- The rest


def test_every_reader_of_a_body_has_an_estimator_or_is_refused():
    readers = {row.endpoint.reader for rows in APIS.values() for row in rows if not row.endpoint.retrieves} - {""}
    assert readers == set(stage.READERS)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"messages":', b"null"])
def test_a_body_that_cannot_be_read_has_no_bound(text):
    found = worst_case(Call("gpt-4o", False, "", text, False, text), route_at(CHAT), CATALOG, NOW_S)
    assert isinstance(found, Unbounded)


def test_what_is_settled_within_a_worst_case_costs_no_more():
    route, call = route_at(CHAT), Call("gpt-4o", False, "", b"", False, json.dumps(chat()).encode())
    worst = worst_case(call, route, CATALOG, NOW_S)
    assert isinstance(worst, WorstCase)
    for tier in (None, "default", "priority"):
        usage = Usage(cache_write=worst.tokens_in, output_reasoning=worst.tokens_out)
        reading = Reading((Line(usage),), "reported", "gpt-4o-2024-08-06", tier)
        charge = settle.settle(reading, route, call, CATALOG, NOW_S)
        assert charge.cost_nanousd is not None
        assert charge.cost_nanousd <= worst.nanousd


# --- What calls share that ask alike

ALIKE = [
    (CHAT, chat()),
    (CHAT, chat(messages=[{"role": "user", "content": "x" * 400}])),
    (CHAT, chat(messages=[{"role": "user", "content": "cached for 1h"}])),
    (CHAT, chat(messages=[{"role": "user", "content": [IMAGE]}])),
    (CHAT, chat(messages=[{"role": "user", "content": [IMAGE, {"type": "text", "text": "more"}]}])),
    (CHAT, chat(max_tokens=9)),
    (CHAT, chat(tools=[{"type": "function", "function": {"name": "f"}}])),
    (CHAT, chat(service_tier="flex", model="gpt-5")),
    (CHAT, chat(user="somebody", seed=7)),
    (CHAT, chat(prediction={"type": "content", "content": "a" * 99})),
    (CHAT, chat(max_tokens=True)),
    (CHAT, chat(seed=2**70, n=2**70)),
    (CHAT, chat(tools=[{"type": "function", "function": {"name": "f", "description": "d" * 2000}}])),
    ("/openrouter/v1/chat/completions", chat(model="openai/gpt-4o-mini", models=["openai/gpt-4o"])),
    (RESPONSES, {"model": "gpt-4o", "input": "hi", "max_output_tokens": 5}),
    (RESPONSES, {"model": "gpt-4o", "input": [DOCUMENT], "max_output_tokens": 5}),
    (MESSAGES, messages(system=[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}])),
    (CHAT, chat(model="unheard-of")),
    (MESSAGES, messages()),
    (GEMINI, {"contents": [{"parts": [{"text": "a" * 190_000}]}]}),
    (GEMINI, {"contents": [{"parts": [{"text": "a" * 210_000}]}]}),
    ("/mistral/v1/ocr", {"model": "mistral-ocr-latest", "document": {}}),
    ("/cohere/v2/rerank", {"model": "rerank-v3.5", "query": "q", "documents": ["a"] * 150}),
]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_after_others_like_it_has_the_worst_case_that_it_has_alone(stream):
    shared = WorstCases(CATALOG)
    for path, body in (*ALIKE, *ALIKE):
        route, text = route_at(path), json.dumps(body).encode()
        call = Call(route.model_in_path or body.get("model", ""), stream, "", text, False, text)
        assert shared.find(call, route, NOW_S) == worst_case(call, route, CATALOG, NOW_S)


def test_what_is_not_said_to_the_model_or_asked_of_it_makes_no_difference():
    shared, route = WorstCases(CATALOG), route_at(CHAT)
    for number in range(50):
        text = json.dumps(
            chat(user=f"user-{number:02}", messages=[{"role": "user", "content": "hi" * number}])
        ).encode()
        assert isinstance(shared.find(Call("gpt-4o", False, "", text, False, text), route, NOW_S), WorstCase)
    assert len(shared._remembered) == 2, "by what it says, and by what was read of it"


def test_a_price_that_changes_is_found_anew():
    later = Override("openai", "gpt-4o", {"input_text": "100", "output_text": "100"}, starts_at_s=NOW_S + 1)
    shared, route, text = WorstCases(CATALOG.with_overrides([later])), route_at(CHAT), json.dumps(chat()).encode()
    before, after, again = (
        shared.find(Call("gpt-4o", False, "", text, False, text), route, at_s) for at_s in (NOW_S, NOW_S + 1, NOW_S)
    )
    assert isinstance(before, WorstCase)
    assert isinstance(after, WorstCase)
    assert after.nanousd > before.nanousd
    assert again == before


def test_a_model_that_has_a_price_from_some_moment_on_has_a_bound_from_then():
    path = "/openrouter/v1/chat/completions"
    later = Override("openrouter", "new", {"input_text": "1", "output_text": "1"}, starts_at_s=NOW_S + 1)
    shared, route, text = WorstCases(CATALOG.with_overrides([later])), route_at(path), json.dumps(chat()).encode()
    found = [shared.find(Call("new", False, "", text, False, text), route, NOW_S + second) for second in (0, 1, 0)]
    assert [isinstance(one, WorstCase) and one.unpriced is None for one in found] == [False, True, False]


def test_an_upstream_of_the_same_name_in_another_policy_is_another():
    shared, route = WorstCases(CATALOG), route_at(CHAT)
    text = json.dumps(chat(model="m")).encode()
    call = Call("m", False, "", text, False, text)

    def mapped(model: str) -> Route:
        upstream = replace(route.destination.upstream, models={"m": model})
        return replace(route, destination=replace(route.destination, upstream=upstream))

    cheap, dear = (shared.find(call, mapped(model), NOW_S) for model in ("gpt-4o-mini", "gpt-4o"))
    assert isinstance(cheap, WorstCase)
    assert isinstance(dear, WorstCase)
    assert dear.nanousd > cheap.nanousd


def test_more_ways_of_asking_than_are_remembered_have_their_own_worst_cases():
    shared, route = WorstCases(CATALOG), route_at(CHAT)
    for cap in (*range(1, TERMS_MAX + 2), 1):
        text = b'{"max_tokens":%d}' % cap
        found = shared.find(Call("gpt-4o", False, "", text, False, text), route, NOW_S)
        assert isinstance(found, WorstCase)
        assert found.tokens_out == cap


# --- Tightening


def tightened(path: str, body: dict) -> tuple[WorstCase, WorstCase]:
    worst, text = bounded(path, body), json.dumps(body).encode()
    return worst, tighten(worst, Call(body["model"], False, "", text, False, text), route_at(path))


def test_counting_the_tokens_makes_a_bound_smaller():
    worst, tight = tightened(CHAT, chat(messages=[{"role": "user", "content": "The quick brown fox. " * 500}]))
    assert 500 * 5 <= tight.tokens_in < worst.tokens_in / 2
    assert tight.nanousd < worst.nanousd
    assert (tight.tokens_out, tight.flags) == (worst.tokens_out, worst.flags)


def test_what_was_tightened_is_not_tightened_again_below_the_count():
    _, tight = tightened(CHAT, chat(messages=[{"role": "user", "content": "The quick brown fox. " * 500}]))
    text = json.dumps(chat(messages=[{"role": "user", "content": "The quick brown fox. " * 500}])).encode()
    assert tighten(tight, Call("gpt-4o", False, "", text, False, text), route_at(CHAT)) == tight


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MESSAGES, messages()),
        (CHAT, chat(model="gpt-6-sol", max_tokens=None, max_completion_tokens=9)),
        (CHAT, chat(messages=[{"role": "user", "content": [IMAGE]}])),
        (RESPONSES, {"model": "gpt-4o", "input": "a", "previous_response_id": "r"}),
        (CHAT, chat()),  # whose bytes are fewer than what is added for its template
    ],
)
def test_what_cannot_be_counted_stays_as_it_is(path, body):
    worst, tight = tightened(path, body)
    assert tight == worst


# --- Without a price


def test_what_has_no_price_has_a_bound_in_tokens():
    found = bounded_in_tokens("/ollama/api/chat", {"model": "m", "messages": HI, "options": {"num_predict": 40}})
    assert found.tokens_out == 40
    assert 512 < found.tokens_in < 1024
    assert found.nanousd == 0
    assert tighten(found, Call("m", False, "", b"{}", False, b"{}"), route_at("/ollama/api/chat")) == found


def test_what_has_neither_price_nor_cap_says_what_would_bound_its_tokens():
    found = judged("/ollama/api/chat", {"model": "m", "messages": HI})
    assert isinstance(found, Unbounded)
    assert found.unpriced
    assert "has no price" in found.reason
    assert "cap its output" in found.of_tokens


def test_a_rate_that_is_missing_leaves_a_bound_in_tokens():
    priced = CATALOG.with_overrides([Override("ollama", "m", {"input_text": "1"})])
    body = {"model": "m", "messages": HI, "options": {"num_predict": 40}}
    assert bounded_in_tokens("/ollama/api/chat", body, catalog=priced).tokens_out == 40


def test_a_deployment_s_name_tells_no_limit():
    body = {"messages": HI}
    found = judged("/azure/openai/deployments/gpt-4o/chat/completions", body)
    assert isinstance(found, Unbounded)
    assert "cap its output" in found.of_tokens
    capped = bounded_in_tokens("/azure/openai/deployments/gpt-4o/chat/completions", body | {"max_tokens": 9})
    assert capped.tokens_out == 9


def test_an_unknown_model_s_name_says_nothing_of_its_images_nor_of_its_tokenizer():
    image = [{"role": "user", "content": [IMAGE]}]
    for path in ("/azure/openai/deployments/gpt-4o/chat/completions", "/openrouter/v1/chat/completions"):
        found = judged(path, {"model": "acme/gpt-4o", "messages": image, "max_tokens": 9})
        assert isinstance(found, Unbounded)
        assert "nothing is known of how much 'this model' can read" in found.of_tokens
        text = {"model": "acme/gpt-4o", "messages": HI, "max_tokens": 9}
        assert bounded_in_tokens(path, text).text_tokens == 0
