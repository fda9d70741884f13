"""Owns what bodies of Bedrock's Converse and InvokeModel may use. Members are those of botocore 1.44.5."""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.bounds.asked import (
    Asked,
    Body,
    answers_of,
    asked_of,
    cap_of,
    modifiers_of,
    refused,
    thinks,
)
from gateway.bounds.chat import MESSAGES_REFUSED, Messages, Thinking, compacting, messages
from gateway.bounds.media import ONLY_TEXTS
from gateway.bounds.parts import images_of, parts_of
from gateway.bounds.tools import Tooling, anthropic_tools, converse_tools, function_tools
from gateway.wire import jsontext
from pricing.bound import Unbounded


class _Inference(msgspec.Struct, frozen=True, gc=False):
    maxTokens: object = None
    max_new_tokens: object = None


class _ToolConfig(msgspec.Struct, frozen=True, gc=False):
    tools: object = None


class _Latency(msgspec.Struct, frozen=True, gc=False):
    latency: object = None


class _Tier(msgspec.Struct, frozen=True, gc=False):
    type: object = None


class _Own(Messages, frozen=True, gc=False):
    """What goes to the model as it is: in the words of Anthropic's API, and thinking in those that some SDKs have."""

    reasoning_config: object = None


class _Converse(msgspec.Struct, frozen=True, gc=False):
    messages: object = None
    system: object = None
    inferenceConfig: _Inference | None = None
    toolConfig: _ToolConfig | None = None
    additionalModelRequestFields: _Own | None = None
    performanceConfig: _Latency | None = None
    serviceTier: _Tier | None = None


def converse(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_converses, sent.text)
    own = body.additionalModelRequestFields or _Own()
    refusal = refused(own, MESSAGES_REFUSED) or compacting(own.context_management)
    tools = converse_tools(body.toolConfig.tools if body.toolConfig else None)
    # A model's own tools cannot be more than those that Anthropic's API has.
    more = anthropic_tools(own.tools)
    if refusal is not None:
        return refusal
    if isinstance(more, Unbounded):
        return more
    if isinstance(tools, Tooling):
        tools = Tooling(more.uses, more.fees, tools.tokens + more.tokens)
    thinking = own.thinking or Thinking()
    inference = body.inferenceConfig or _Inference()
    return asked_of(
        cap_of(inference.maxTokens, own.max_tokens),
        1,
        tools,
        Asked(
            reasons=thinking.type not in (None, "disabled") or thinks(own.reasoning_config),
            parts=parts_of([body.messages, body.system]),
            modifiers=modifiers_of(
                latency=body.performanceConfig.latency if body.performanceConfig else None,
                service_tier=body.serviceTier.type if body.serviceTier else None,
            ),
        ),
    )


class _TextGeneration(msgspec.Struct, frozen=True, gc=False):
    maxTokenCount: object = None


class _Invoke(msgspec.Struct, frozen=True, gc=False):
    """The caps of every family of models; which of them counts, the family says."""

    messages: object = None
    system: object = None
    tools: object = None
    toolConfig: _ToolConfig | None = None
    max_tokens: object = None
    max_completion_tokens: object = None
    max_gen_len: object = None
    inferenceConfig: _Inference | None = None
    textGenerationConfig: _TextGeneration | None = None
    num_generations: object = None
    numResults: object = None
    n: object = None
    images: object = None
    # Of embeddings: Cohere's, Titan's and Nova's.
    inputs: object = None
    inputImage: object = None
    singleEmbeddingParams: object = None
    segmentedEmbeddingParams: object = None


class _Family(NamedTuple):
    """A family of models at Bedrock, and where it takes its cap: another family's member would cap nothing."""

    names: re.Pattern[str]
    caps: Callable[[_Invoke], tuple[object, ...]]
    puts_out: bool = True


def _no_cap(body: _Invoke) -> tuple[object, ...]:
    return ()


def _titan_cap(body: _Invoke) -> tuple[object, ...]:
    return (body.textGenerationConfig.maxTokenCount,) if body.textGenerationConfig else ()


def _nova_cap(body: _Invoke) -> tuple[object, ...]:
    config = body.inferenceConfig or _Inference()
    return config.maxTokens, config.max_new_tokens


def _llama_cap(body: _Invoke) -> tuple[object, ...]:
    return (body.max_gen_len,)


def _usual_cap(body: _Invoke) -> tuple[object, ...]:
    return (body.max_tokens,)


def _openai_cap(body: _Invoke) -> tuple[object, ...]:
    return body.max_completion_tokens, body.max_tokens


# docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html; the first that matches.
_FAMILIES = (
    _Family(re.compile(r".*\bembed"), _no_cap, puts_out=False),
    _Family(re.compile(r"amazon\.titan-text"), _titan_cap),
    _Family(re.compile(r"amazon\.nova"), _nova_cap),
    _Family(re.compile(r"meta\."), _llama_cap),
    _Family(re.compile(r"(mistral|cohere|deepseek|qwen|ai21)\."), _usual_cap),
    _Family(re.compile(r"openai\."), _openai_cap),
)
_BEDROCK_PLACE = re.compile(r"^(global|us-gov|us|eu|apac|jp|au|in|ca|sa)\.")


def invoke(sent: Body) -> Asked | Unbounded:
    name = _BEDROCK_PLACE.sub("", sent.model.rpartition("/")[2].lower())
    if name.startswith("anthropic."):
        return messages(sent)
    family = next((each for each in _FAMILIES if each.names.match(name)), None)
    if family is None:
        return Unbounded("nothing is known of the requests of this model: call it through converse")
    body = jsontext.decode(_invokes, sent.text)
    tools = converse_tools(body.toolConfig.tools) if body.toolConfig else function_tools(body.tools)
    held = [body.messages, body.system, body.inputs, body.singleEmbeddingParams, body.segmentedEmbeddingParams]
    parts = parts_of(held) + images_of(body.images)
    if not family.puts_out and (parts.images or parts.opaque or body.inputImage is not None):
        return Unbounded(ONLY_TEXTS)
    return asked_of(
        cap_of(*family.caps(body)),
        answers_of(body.num_generations, body.numResults, body.n),
        tools,
        Asked(
            puts_out=family.puts_out,
            parts=parts,
        ),
    )


_converses = msgspec.json.Decoder(_Converse)
_invokes = msgspec.json.Decoder(_Invoke)
