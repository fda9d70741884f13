"""InvokeModel: Bedrock's count is the bill, and the model's own usage only refines what it agrees with."""

import base64
import json

import pytest

from gateway.metering.bedrock_invoke import GUARDRAIL_INTERVENED, InvokeFold, read
from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.fold import UNREADABLE
from gateway.metering.reading import About, Reading

CLAUDE = {
    "type": "message", "id": "msg_1", "model": "claude-haiku-4-5",
    "usage": {
        "input_tokens": 3, "cache_read_input_tokens": 9, "cache_creation_input_tokens": 30, "output_tokens": 44,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens_details": {"thinking_tokens": 40}, "service_tier": "standard",
    },
}  # fmt: skip
REFINED = {
    "input_text": 3, "cache_read_text": 9, "cache_write_5m": 20, "cache_write_1h": 10,
    "output_text": 4, "output_reasoning": 40,
}  # fmt: skip


def about(request: bytes = b"", tier: bytes = b"", **counts: object) -> About:
    headers = {f"x-amzn-bedrock-{name}-token-count".replace("_", "-").encode(): str(count).encode()
               for name, count in counts.items()}  # fmt: skip
    return About("bedrock", headers | ({b"x-amzn-bedrock-service-tier": tier} if tier else {}), request)


def body(answer: object, told: About) -> Reading:
    return read(json.dumps(answer).encode(), told)


def buckets(reading: Reading) -> list[dict[str, int]]:
    return [dict(line.usage.buckets()) for line in reading.lines]


def streamed(*events: object, complete: bool = True) -> Reading:
    fold = InvokeFold(About("bedrock"))
    for event in events:
        inner = base64.b64encode(json.dumps(event, separators=(",", ":")).encode()).decode()
        fold.take(json.dumps({"bytes": inner, "p": "abc"}).encode())
    return fold.reading(complete)


def metrics(tokens_in: int, tokens_out: int, **caches: int) -> dict[str, object]:
    return {
        "amazon-bedrock-invocationMetrics": {"inputTokenCount": tokens_in, "outputTokenCount": tokens_out, **caches}
    }


def test_headers_that_agree_with_the_body_leave_its_details():
    told = about(input=3, output=44, cache_read_input=9, cache_write_input=30)
    reading = body(CLAUDE, told)
    assert buckets(reading) == [REFINED]
    assert (reading.provenance, reading.flags, reading.response_id) == ("reported", (), "msg_1")


def test_headers_that_are_not_sent_contradict_nothing():
    assert body(CLAUDE, about(input=3, output=44)).flags == ()


def test_headers_win_over_a_body_that_contradicts_them():
    reading = body(CLAUDE, about(input=3, output=45, cache_read_input=9, cache_write_input=30))
    assert buckets(reading) == [{"input_text": 3, "cache_read_text": 9, "cache_write": 30, "output_text": 45}]
    assert (reading.provenance, reading.flags) == ("reported", (INCONSISTENT,))


def test_no_answer_names_the_model_that_is_billed():
    assert body(CLAUDE, about(input=3, output=44)).model is None


def test_the_tier_of_the_head_comes_before_that_of_the_body():
    assert body(CLAUDE, about()).service_tier == "standard"
    assert body(CLAUDE, about(tier=b"priority")).service_tier == "priority"


def test_a_latency_of_the_head_is_a_modifier_of_the_price():
    told = About("bedrock", {b"x-amzn-bedrock-performanceconfig-latency": b"optimized"})
    assert body(CLAUDE, told).context == (("latency", "optimized"),)
    assert InvokeFold(told).reading(complete=True).context == (("latency", "optimized"),)


def test_iterations_on_several_models_are_kept():
    hops = [{"type": "message", "input_tokens": 3, "output_tokens": 44},
            {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 7, "output_tokens": 8}]  # fmt: skip
    reading = body({**CLAUDE, "usage": {**CLAUDE["usage"], "iterations": hops}}, about(input=3, output=44))
    assert buckets(reading) == [{"input_text": 3, "output_text": 44}, {"input_text": 7, "output_text": 8}]


NATIVE = [
    ({"inputTextTokenCount": 18, "results": [{"tokenCount": 50}]}, {"input_text": 18, "output_text": 50}),
    ({"inputTextTokenCount": 6.0, "totalOutputTextTokenCount": 3.0}, {"input_text": 6, "output_text": 3}),
    ({"embedding": [0.1], "inputTextTokenCount": 5}, {"input_text": 5}),
    ({"generation": "x", "prompt_token_count": 9, "generation_token_count": 4}, {"input_text": 9, "output_text": 4}),
    ({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}},
     {"input_text": 9, "output_text": 4}),
    ({"usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}}, {"input_text": 9, "output_text": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "expected"), NATIVE)
def test_without_headers_the_words_of_each_maker_are_read(answer: object, expected: dict[str, int]):
    assert buckets(body(answer, about())) == [expected]


def test_headers_alone_are_enough():
    assert buckets(body({"embeddings": [[0.1]]}, about(input=4))) == [{"input_text": 4}]
    assert buckets(body({"completion": "x"}, about(input=23, output=32))) == [{"input_text": 23, "output_text": 32}]


@pytest.mark.parametrize("count", ["-1", "1.5", "", "many", "9" * 30])
def test_headers_that_are_no_numbers_are_not_believed(count: str):
    reading = body({"completion": "x"}, about(input=count or "x", output=3))
    assert (reading.lines, reading.flags) == ((), (INCONSISTENT,))


def test_a_reranker_is_billed_by_the_documents_of_its_request():
    answer = {"results": [{"index": 2, "relevance_score": 0.87}]}
    for documents, searches in ((1, 1), (100, 1), (101, 2)):
        reading = body(answer, about(json.dumps({"query": "q", "documents": ["d"] * documents}).encode()))
        assert buckets(reading) == [{"rerank_searches": searches}]
        assert reading.provenance == "estimated"
    assert body(answer, about(b"no json")).lines == ()


@pytest.mark.parametrize("answer", [{"results": ["text"]}, {"results": {}}, {"usage": "x"}, {"usage": None}, {}])
def test_an_answer_of_an_unknown_model_states_nothing(answer: object):
    reading = body(answer, about())
    assert (reading.lines, reading.provenance) == ((), "unknown")


def test_a_prompt_that_a_guardrail_refused_cost_no_tokens():
    answer = {"outputText": "Input blocked", "inputTextTokenCount": 6.0, "totalOutputTextTokenCount": 3.0,
              "amazon-bedrock-guardrailAction": "INTERVENED"}  # fmt: skip
    for reading in (body(answer, about()), streamed(answer)):
        assert (buckets(reading), reading.provenance, reading.flags) == ([{}], "reported", (GUARDRAIL_INTERVENED,))


def test_an_answer_that_a_guardrail_changed_is_billed():
    answer = {"outputText": "x", "inputTextTokenCount": 6.0, "amazon-bedrock-guardrailAction": "INTERVENED"}
    assert buckets(streamed(answer, {"outputText": "y", **metrics(6, 20)})) == [{"input_text": 6, "output_text": 20}]
    assert streamed(answer, complete=False).provenance == "partial"


def test_a_refusal_is_an_error_of_the_provider():
    assert body({"message": "no access"}, about()).flags == (PROVIDER_ERROR,)


START = {"type": "message_start", "message": {**CLAUDE, "usage": {**CLAUDE["usage"], "output_tokens": 1}}}
DELTA = {"type": "message_delta", "usage": {"output_tokens": 44}}
TEXT = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}
STOP = {"type": "message_stop"}


def test_a_stream_of_claude_has_its_details_and_bedrocks_totals():
    caches = {"cacheReadInputTokenCount": 9, "cacheWriteInputTokenCount": 30}
    reading = streamed(START, TEXT, DELTA, {**STOP, **metrics(3, 44, **caches)})
    assert buckets(reading) == [REFINED]
    assert (reading.provenance, reading.flags, reading.model) == ("reported", (), None)


def test_bedrocks_totals_win_over_a_stream_that_contradicts_them():
    reading = streamed(START, DELTA, {**STOP, **metrics(3, 50)})
    assert buckets(reading) == [{"input_text": 3, "output_text": 50}]
    assert reading.flags == (INCONSISTENT,)


def test_a_cut_stream_of_claude_keeps_its_input():
    reading = streamed(START, TEXT, complete=False)
    assert (reading.provenance, reading.lines[0].usage.tokens_out) == ("partial", 1)


def test_a_running_total_gives_way_to_bedrocks():
    reading = streamed({"outputText": "x", "inputTextTokenCount": 28.0}, {"outputText": "y", **metrics(28, 188)})
    assert (buckets(reading), reading.flags) == ([{"input_text": 28, "output_text": 188}], ())


def test_a_stream_of_nova_states_its_usage_twice():
    usage = {"usage": {"inputTokens": 30, "outputTokens": 55, "cacheReadInputTokenCount": 2}}
    event = {"metadata": usage, **metrics(30, 55, cacheReadInputTokenCount=2)}
    reading = streamed({"messageStart": {"role": "assistant"}}, event)
    assert buckets(reading) == [{"input_text": 30, "cache_read_text": 2, "output_text": 55}]
    assert reading.flags == ()


def test_metrics_that_make_no_sense_are_not_believed():
    bad = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": -1}}
    reading = streamed({"generation": "x", **bad})
    assert (reading.lines, reading.flags) == ((), (INCONSISTENT,))


@pytest.mark.parametrize("payload", [b"{", b'{"bytes":5}', b'{"bytes":"!"}', b'{"bytes":"eyJ1c2FnZSI6"}'])
def test_a_chunk_that_cannot_be_read_is_flagged(payload: bytes):
    fold = InvokeFold(About("bedrock"))
    fold.take(payload)
    assert fold.reading(complete=True) == Reading(flags=(UNREADABLE,))


@pytest.mark.parametrize("odd", [{}, [], 7, None])
def test_what_a_model_says_of_itself_never_costs_bedrocks_numbers(odd: object):
    event = {"type": odd, "usage": odd, "metadata": odd, "results": odd, **metrics(2, 3)}
    assert buckets(streamed(event)) == [{"input_text": 2, "output_text": 3}]


def test_chunks_of_text_alone_are_not_read():
    assert streamed({"outputText": "x"}, {"generation": "y"}) == Reading()
