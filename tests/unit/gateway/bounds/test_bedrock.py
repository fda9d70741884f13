"""Names of tests give the number of the budget case that they are of."""

import json

import pytest

from gateway.bounds.asked import Asked, Body
from gateway.bounds.bedrock import invoke
from pricing.bound import Unbounded
from tests.support.worst_cases import CONVERSE, bounded, refused


def asked(model: str, body: dict) -> Asked:
    found = invoke(Body(json.dumps(body).encode(), "bedrock", model))
    assert isinstance(found, Asked), found
    return found


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", {"max_tokens": 70}),
        ("amazon.nova-lite-v1:0", {"inferenceConfig": {"maxTokens": 70}}),
        ("eu.amazon.nova-lite-v1:0", {"inferenceConfig": {"max_new_tokens": 70}}),
        ("amazon.titan-text-express-v1", {"textGenerationConfig": {"maxTokenCount": 70}}),
        ("us.meta.llama3-3-70b-instruct-v1:0", {"max_gen_len": 70}),
        ("mistral.mistral-large-2407-v1:0", {"max_tokens": 70}),
        ("openai.gpt-oss-120b-1:0", {"max_completion_tokens": 70, "max_tokens": 5}),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-3-70b-instruct-v1:0", {"max_gen_len": 70}),
    ],
)
def test_3_each_family_has_its_cap(model, body):
    assert asked(model, body).cap == 70


def test_3_the_cap_of_another_family_caps_nothing():
    assert asked("us.meta.llama3-3-70b-instruct-v1:0", {"max_tokens": 5}).cap is None


def test_1_generations_are_counted():
    assert asked("cohere.command-text-v14", {"max_tokens": 5, "num_generations": 3}).answers == 3


def test_7_embeddings_put_out_nothing():
    assert not asked("amazon.titan-embed-text-v2:0", {"inputText": "a"}).puts_out


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("amazon.titan-embed-image-v1", {"inputImage": "AAAA"}),
        ("cohere.embed-v4:0", {"images": ["data:image/png;base64,AAAA"]}),
        ("cohere.embed-v4:0", {"inputs": [{"content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}),
        (
            "amazon.nova-2-multimodal-embeddings-v1:0",
            {"singleEmbeddingParams": {"video": {"source": {"s3Location": {"uri": "s3://a/b"}}}}},
        ),
    ],
)
def test_7_embeddings_of_anything_but_text_are_refused(model, body):
    found = invoke(Body(json.dumps(body).encode(), "bedrock", model))
    assert isinstance(found, Unbounded)
    assert "embed texts" in found.reason


def test_53_a_family_that_nothing_is_known_of_is_refused():
    assert isinstance(invoke(Body(b"{}", "bedrock", "stability.stable-image-core-v1:0")), Unbounded)


def test_9_documents_may_fill_the_context():
    document = {"document": {"format": "pdf", "name": "a", "source": {"bytes": "AAAA"}}}
    body = {"messages": [{"role": "user", "content": [document]}], "inferenceConfig": {"maxTokens": 5}}
    assert bounded(CONVERSE, body).tokens_in == 200_000


def test_8_an_image_costs_its_model_s_largest_and_not_its_bytes():
    image = {"image": {"format": "png", "source": {"bytes": "A" * 100_000}}}
    body = {"messages": [{"role": "user", "content": [image]}], "inferenceConfig": {"maxTokens": 5}}
    assert 1600 < bounded(CONVERSE, body).tokens_in < 10_000


def test_14_a_latency_without_a_price_is_refused():
    assert "optimized" in refused(CONVERSE, {"messages": [], "performanceConfig": {"latency": "optimized"}})


def test_18_tools_of_the_model_s_own_are_judged_as_at_anthropic_s():
    def own(*tools: dict) -> dict:
        return {"messages": [], "inferenceConfig": {"maxTokens": 5}, "additionalModelRequestFields": {"tools": tools}}

    assert bounded(CONVERSE, own({"type": "computer_20250124", "name": "computer"}))
    assert refused(CONVERSE, own({"type": "code_execution_20250825", "name": "code_execution"}))
