"""Names of tests give the number of the budget case that they are of."""

import json

import msgspec
import pytest

from gateway.bounds.asked import Asked, Body
from gateway.bounds.chat import chat as read_chat
from gateway.endpoints import APIS
from gateway.examine import Call
from gateway.worst_case import FREE, WorstCase, WorstCases, worst_case
from pricing.bound import Unbounded
from tests.support.stages import NOW_S
from tests.support.worst_cases import (
    CATALOG,
    CHAT,
    CONVERSE,
    GEMINI,
    HI,
    MESSAGES,
    RESPONSES,
    bounded,
    chat,
    messages,
    refused,
    route_at,
)


@pytest.mark.parametrize(("one", "other"), [(100, 200), (200, 100)])
def test_3_of_two_caps_the_larger_is_reserved(one, other):
    assert bounded(CHAT, chat(max_tokens=one, max_completion_tokens=other)).tokens_out == 200
    assert bounded(CHAT, chat(max_tokens=one, max_output_tokens=other)).tokens_out == 200
    twice = {"maxOutputTokens": one, "max_output_tokens": other}
    assert bounded(GEMINI, {"contents": HI, "generationConfig": twice}).tokens_out == 200
    apart = {"generationConfig": {"maxOutputTokens": one}, "generation_config": {"max_output_tokens": other}}
    assert bounded(GEMINI, {"contents": HI} | apart).tokens_out == 200
    converse = {
        "messages": [],
        "inferenceConfig": {"maxTokens": one},
        "additionalModelRequestFields": {"max_tokens": other},
    }
    assert bounded(CONVERSE, converse).tokens_out == 200


def test_3_a_cap_that_the_provider_does_not_read_caps_nothing():
    body = {"model": "deepseek-chat", "messages": HI, "max_completion_tokens": 5}
    assert bounded("/deepseek/v1/chat/completions", body).tokens_out > 5
    assert bounded(CHAT, {"model": "gpt-4o", "messages": HI, "max_output_tokens": 5}).tokens_out == 16_384


@pytest.mark.parametrize(
    ("stated", "cap"),
    [
        ({"n_predict": 900}, 900),
        ({"n_predict": 900, "max_tokens": 5}, 900),
        ({"n_predict": -1, "max_tokens": 5}, None),
        ({"max_tokens": 5}, 5),
    ],
)
def test_3_llama_cpp_s_own_cap_comes_before_openai_s(stated, cap):
    text = json.dumps({"messages": HI, "n_cmpl": 3} | stated).encode()
    found = read_chat(Body(text, "llamacpp", "mine"))
    assert isinstance(found, Asked)
    assert (found.cap, found.answers) == (cap, 3)


def test_8_an_image_of_gemini_s_is_reserved_at_the_highest_resolution_that_a_part_may_ask_for():
    image = {
        "inlineData": {"mimeType": "image/png", "data": "AAAA"},
        "mediaResolution": {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"},
    }
    body = {"contents": [{"role": "user", "parts": [image]}], "generationConfig": {"maxOutputTokens": 10}}
    assert bounded(GEMINI.replace("2.5-pro", "3.6-flash"), body).tokens_in > 2240 + 512


def test_5_a_thinking_budget_is_inside_the_cap_unless_it_exceeds_it():
    thinking = {"type": "enabled", "budget_tokens": 60}
    assert bounded(MESSAGES, messages(thinking=thinking)).tokens_out == 100
    assert bounded(MESSAGES, messages(thinking=thinking | {"budget_tokens": 500})).tokens_out == 600
    assert not bounded(
        CONVERSE, {"messages": [], "additionalModelRequestFields": {"thinking": thinking}}, stream=True
    ).open_ended


def test_6_a_prediction_may_be_billed_as_output_beside_the_answer():
    prediction = {"type": "content", "content": "x" * 1000}
    assert bounded(CHAT, chat(prediction=prediction)).tokens_out > 100 + 1000


def test_6_sound_and_pictures_are_reserved_at_the_dearest_rate():
    spoken = chat(model="gpt-audio", modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    written = chat(model="gpt-audio")
    assert bounded(CHAT, spoken).nanousd > bounded(CHAT, written).nanousd
    image = "/gemini/v1beta/models/gemini-2.5-flash-image:generateContent"
    config = {"maxOutputTokens": 2000}
    drawn, told = (
        {"contents": HI, "generationConfig": config | more} for more in ({}, {"responseModalities": ["TEXT"]})
    )
    assert bounded(image, drawn).nanousd > bounded(image, told).nanousd


def test_16_work_in_the_background_is_refused_and_what_tells_of_it_is_free():
    assert "without background" in refused(RESPONSES, {"model": "gpt-4o", "input": "a", "background": True})
    retrieve = route_at("/openai/v1/responses/resp_1", "GET")
    assert worst_case(Call("", False, "", b"", False, b""), retrieve, CATALOG, NOW_S) == FREE


@pytest.mark.parametrize(
    "more", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"conversation": {"id": "c"}}]
)
def test_17_stored_context_is_reserved_whole(more):
    assert bounded(RESPONSES, {"model": "gpt-4o", "input": "a", "max_output_tokens": 5} | more).tokens_in == 128_000


def test_17_an_item_that_is_named_by_its_id_alone_is_stored_context():
    found = bounded(RESPONSES, {"model": "gpt-4o", "max_output_tokens": 10, "input": [{"id": "msg_1"}]})
    assert found.tokens_in == 128_000


def test_12_a_part_that_is_to_be_cached_for_twelve_hours_has_no_price():
    part = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    asked = {"model": "gpt-5.6-sol", "max_output_tokens": 10, "input": [{"role": "user", "content": [part]}]}
    assert "cache_write_12h" in refused(RESPONSES, asked)
    assert "cache_write_12h" in refused(CHAT, chat(model="gpt-5.6-sol", messages=asked["input"]))


def test_18_tools_amid_the_input_are_refused_also_after_a_call_that_says_the_same():
    asked = {"model": "gpt-4o", "max_output_tokens": 10}
    bodies = [
        asked | {"input": [{"type": kind, "tools": [{"type": "web_search"}]}]} for kind in ("a", "additional_tools")
    ]
    worst_cases, route = WorstCases(CATALOG), route_at(RESPONSES)
    calls = [Call("gpt-4o", False, "", b"", False, json.dumps(body).encode()) for body in bodies]
    harmless, acting = (worst_cases.find(call, route, NOW_S) for call in calls)
    assert isinstance(harmless, WorstCase)
    assert isinstance(acting, Unbounded)
    assert "leave it out" in acting.reason


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/xai/v1/chat/completions", chat(model="grok-4.3", deferred=True)),
        (
            "/azure/openai/deployments/mine/chat/completions",
            {"messages": HI, "data_sources": [{"type": "azure_search"}]},
        ),
        ("/openrouter/v1/chat/completions", chat(model="openai/gpt-4o", preset="mine")),
        ("/openrouter/v1/responses", {"model": "openai/gpt-4o", "input": "a", "preset": "mine"}),
        ("/openrouter/v1/messages", messages(model="anthropic/claude-haiku-4.5", preset="mine")),
    ],
)
def test_16_what_is_answered_later_or_by_what_is_stored_is_refused(path, body):
    assert refused(path, body)


def test_17_a_cached_content_of_gemini_s_is_reserved_whole():
    for name in ("cachedContent", "cached_content"):
        assert bounded(GEMINI, {"contents": HI, name: "cachedContents/1"}).tokens_in == 1_048_576


def test_21_a_response_of_the_responses_socket_is_judged_by_its_message():
    socket = next(row.endpoint for row in APIS["openai"] if row.endpoint.reader == "openai.responses_socket")
    route = msgspec.structs.replace(route_at(CHAT), endpoint=socket)
    for event in (
        {"type": "response.create", "model": "gpt-4o", "max_output_tokens": 9},
        {"type": "response.create", "response": {"model": "gpt-4o", "max_output_tokens": 9}},
    ):
        text = json.dumps(event).encode()
        found = worst_case(Call("gpt-4o", True, "", b"", False, text), route, CATALOG, NOW_S)
        assert isinstance(found, WorstCase)
        assert (found.tokens_in, found.tokens_out) == (128_000, 9)
    twice = {"type": "response.create", "max_output_tokens": 9000, "response": {"max_output_tokens": 9}}
    for text in (b"", json.dumps(twice).encode()):
        assert isinstance(worst_case(Call("gpt-4o", True, "", b"", False, text), route, CATALOG, NOW_S), Unbounded)
