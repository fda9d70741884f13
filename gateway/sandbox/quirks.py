"""Owns the table of quirks: how each provider that speaks OpenAI's chat dialect departs from it.

One row a provider. Where no row says otherwise an answer is plain: usage in one more chunk, if asked for.
Placement and nulls are as recorded; members that say nothing about consumption are kept to the telling ones.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from gateway.sandbox.bill import Model, Tokens

Json = dict[str, object]


class Counted(NamedTuple):
    """What one answer, or its stream so far, consumed. `number` tells calls apart; 0 when frozen."""

    model: Model
    prompt: Tokens
    visible: int
    reasoning: int
    number: int = 0

    @property
    def amount_nanousd(self) -> int:
        return self.model.amount_nanousd(self._tokens())

    def _tokens(self) -> Tokens:
        return Tokens(
            input=self.prompt.input,
            cache_read=self.prompt.cache_read,
            cache_write=self.prompt.cache_write,
            output=self.visible,
            reasoning=self.reasoning,
        )


def _plain(counted: Counted) -> Json:
    prompt, completion = counted.prompt.prompt, counted.visible + counted.reasoning
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _cached_details(counted: Counted) -> Json:
    return {"prompt_tokens_details": {"cached_tokens": counted.prompt.cache_read}}


def _reasoning_details(counted: Counted) -> Json:
    return {"completion_tokens_details": {"reasoning_tokens": counted.reasoning}}


def _detailed(counted: Counted) -> Json:
    return {**_plain(counted), **_cached_details(counted), **_reasoning_details(counted)}


def _mistral(counted: Counted) -> Json:
    return {**_plain(counted), "num_cached_tokens": counted.prompt.cache_read, **_cached_details(counted)}


# Of one call; no test may depend on how long nothing took.
_GROQ_TIMES = {"queue_time": 0.021, "prompt_time": 0.004, "completion_time": 0.096, "total_time": 0.1}


def _groq(counted: Counted) -> Json:
    cached = _cached_details(counted) if counted.prompt.cache_read else {}
    hidden = _reasoning_details(counted) if counted.reasoning else {}
    return {**_GROQ_TIMES, **_plain(counted), **cached, **hidden}


def _deepseek(counted: Counted) -> Json:
    """Cached and other prompt tokens a second time, under names of its own."""
    hit = counted.prompt.cache_read
    return {
        **_detailed(counted),
        "prompt_cache_hit_tokens": hit,
        "prompt_cache_miss_tokens": counted.prompt.prompt - hit,
    }


def _cached_beside(counted: Counted) -> Json:
    """Together and Moonshot."""
    return {**_plain(counted), "cached_tokens": counted.prompt.cache_read}


def _moonshot(counted: Counted) -> Json:
    return {**_cached_beside(counted), **(_reasoning_details(counted) if counted.reasoning else {})}


# One tick is 10⁻¹⁰ USD: 146.625 µUSD were recorded as 1,466,250 ticks.
_TICKS_PER_NANOUSD = 10


def _xai(counted: Counted) -> Json:
    """Reasoning is beside `completion_tokens` and within the total."""
    prompt = counted.prompt
    return {
        **_plain(counted),
        "completion_tokens": counted.visible,
        "prompt_tokens_details": {
            "text_tokens": prompt.prompt,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": prompt.cache_read,
        },
        "completion_tokens_details": {
            "reasoning_tokens": counted.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
        "cost_in_usd_ticks": counted.amount_nanousd * _TICKS_PER_NANOUSD,
    }


def _openrouter(counted: Counted) -> Json:
    """What it cost, in USD, and which part the input was."""
    cost_usd = counted.amount_nanousd / 1e9
    prompt_usd = counted._replace(visible=0, reasoning=0).amount_nanousd / 1e9
    prompt = counted.prompt
    return {
        **_plain(counted),
        "cost": cost_usd,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": prompt.cache_read,
            "cache_write_tokens": prompt.cache_write,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": cost_usd,
            "upstream_inference_prompt_cost": prompt_usd,
            "upstream_inference_completions_cost": cost_usd - prompt_usd,
        },
        "completion_tokens_details": {
            "reasoning_tokens": counted.reasoning,
            "image_tokens": 0,
            "audio_tokens": 0,
        },
    }


def _perplexity(counted: Counted) -> Json:
    """Deep research names reasoning, citations and searches beside the completion; no total holds them."""
    prompt, completion = counted.prompt.prompt, counted.visible
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    if "web_searches" not in counted.model.rates:
        return {**usage, "search_context_size": "low"}
    return {
        **usage,
        "citation_tokens": counted.prompt.citation,
        "num_search_queries": counted.prompt.web_searches,
        "reasoning_tokens": counted.reasoning,
    }


def _vllm(counted: Counted) -> Json:
    details = {"cached_tokens": counted.prompt.cache_read} if counted.prompt.cache_read else None
    return {**_plain(counted), "prompt_tokens_details": details}


def _nothing(counted: Counted) -> Json:
    return {}


def _groq_last(counted: Counted) -> Json:
    """The usage once more, where older answers have it alone."""
    return {"x_groq": {**_groq_id(counted), "usage": _groq(counted)}}


def _groq_id(counted: Counted) -> Json:
    return {"id": f"req_{counted.number:026x}"}


def _groq_first(counted: Counted) -> Json:
    return {"x_groq": _groq_id(counted)}


def _cerebras_times(counted: Counted) -> Json:
    return {"time_info": {"queue_time": 0.001, "prompt_time": 0.002, "completion_time": 0.017, "total_time": 0.026}}


def _timings(counted: Counted) -> Json:
    """llama.cpp's own count: `prompt_n` is what no cache served."""
    timings = {
        "cache_n": counted.prompt.cache_read,
        "prompt_n": counted.prompt.input,
        "prompt_ms": 12.5,
        "predicted_n": counted.visible + counted.reasoning,
        "predicted_ms": 80.0,
    }
    return {"timings": timings}


_MISTRAL_FIELD_LIST = """
    model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice
    presence_penalty frequency_penalty min_tokens repetition_penalty top_k logprobs top_logprobs prompt_logprobs
    top_prompt_logprobs n prediction parallel_tool_calls reasoning_effort prompt_mode guardrails prompt_cache_key
    service_tier safe_prompt
"""
_GROQ_FIELD_LIST = """
    messages model citation_options compound_custom disable_tool_validation documents exclude_domains
    frequency_penalty function_call functions include_domains include_reasoning logit_bias logprobs
    max_completion_tokens max_tokens metadata n parallel_tool_calls presence_penalty reasoning_effort
    reasoning_format response_format search_settings seed service_tier stop store stream stream_options temperature
    tool_choice tools top_logprobs top_p user
"""
_CEREBRAS_FIELD_LIST = """
    messages model clear_thinking disable_reasoning logprobs max_completion_tokens max_tokens n parallel_tool_calls
    prediction reasoning_effort reasoning_format response_format seed service_tier stop stream stream_options
    temperature tool_choice tools top_logprobs top_p user
"""
_COHERE_FIELD_LIST = """
    model messages stream stream_options reasoning_effort response_format tools tool_choice temperature max_tokens
    max_completion_tokens stop seed top_p frequency_penalty presence_penalty
"""

_SAYS_NOTHING: Json = {"role": "assistant", "content": ""}
_NO_MEMBERS: Json = {}
_NO_LOGPROBS: Json = {"logprobs": None}


class Quirks(NamedTuple):
    """One provider. Members of answers are added to OpenAI's; `None` in place of a set of fields: all are taken."""

    usage: Callable[[Counted], Json] = _plain
    # On one more chunk, on the chunk that ends the last choice, or a running total on every one.
    usage_on: Literal["extra", "finish", "every"] = "extra"
    unasked: bool = False  # streams have it without `stream_options`
    bare_asks: bool = False  # `stream_options` without `include_usage` asks for it
    nulls: bool = False  # the other chunks say `"usage":null`
    fields: frozenset[str] | None = None
    choices_max: int = 128
    id_prefix: str = "chatcmpl-"
    reasoning: str = ""  # the member hidden tokens are shown in; empty: they are not
    opening: Json | None = _SAYS_NOTHING  # the first delta of a choice; None: the role is in each
    closing: Json = _NO_MEMBERS  # the delta that comes with the reason for the end
    stop: str = "stop"
    calls_whole: bool = False  # a tool call is one delta
    whole: Json = _NO_MEMBERS  # members of a whole answer
    chunk: Json = _NO_MEMBERS  # of every chunk
    choice: Json = _NO_LOGPROBS  # of every choice
    first: Callable[[Counted], Json] = _nothing  # of the first chunk
    last: Callable[[Counted], Json] = _nothing  # of the last chunk that has choices, and of a whole answer
    comment: bytes = b""  # before the first event
    done_object: str = "chat.completion.chunk"  # what the last chunk calls itself


QUIRKS: dict[str, Quirks] = {
    "mistral": Quirks(
        _mistral, "finish", unasked=True, fields=frozenset(_MISTRAL_FIELD_LIST.split()), id_prefix="",
        closing={"content": ""}, calls_whole=True, choice={}, reasoning="thinking",
    ),
    "groq": Quirks(
        _groq, "finish", unasked=True, fields=frozenset(_GROQ_FIELD_LIST.split()), choices_max=1,
        reasoning="reasoning", calls_whole=True,
        whole={"service_tier": "on_demand", "usage_breakdown": None}, chunk={"system_fingerprint": "fp_179b0f92c9"},
        first=_groq_first, last=_groq_last,
    ),
    "deepseek": Quirks(
        _deepseek, "finish", unasked=True, nulls=True, id_prefix="", reasoning="reasoning_content",
        closing={"content": ""}, chunk={"system_fingerprint": "fp_eaab8d114b_prod"},
    ),
    "together": Quirks(
        _cached_beside, "finish", unasked=True, nulls=True, id_prefix="", reasoning="reasoning",
        opening=None, closing=_SAYS_NOTHING, choice={"logprobs": None, "seed": None}, whole={"prompt": []},
    ),
    "xai": Quirks(
        _xai, reasoning="reasoning_content", id_prefix="", choice={}, calls_whole=True,
        chunk={"system_fingerprint": "fp_2a885414fb"},
    ),
    "openrouter": Quirks(
        _openrouter, "finish", unasked=True, id_prefix="gen-", reasoning="reasoning", opening=None,
        closing=_SAYS_NOTHING, choice={"native_finish_reason": None, "logprobs": None},
        chunk={"provider": "Sandbox", "system_fingerprint": None, "service_tier": None},
        comment=b": OPENROUTER PROCESSING\n\n",
    ),
    "perplexity": Quirks(
        _perplexity, "every", unasked=True, id_prefix="", opening=None, closing=_SAYS_NOTHING, choice={},
        chunk={"citations": ["https://example.com/a", "https://example.com/b"]}, done_object="chat.completion.done",
    ),
    "cerebras": Quirks(
        _detailed, "finish", unasked=True, fields=frozenset(_CEREBRAS_FIELD_LIST.split()), reasoning="reasoning",
        opening={"role": "assistant"}, choice={}, chunk={"system_fingerprint": "fp_46358675aa6b1ba4d98d"},
        last=_cerebras_times,
    ),
    "moonshot": Quirks(_moonshot, "finish", unasked=True, reasoning="reasoning_content", choice={}),
    "zai": Quirks(
        _detailed, "finish", unasked=True, id_prefix="", reasoning="reasoning_content", opening=None,
        closing=_SAYS_NOTHING, choice={}, calls_whole=True,
    ),
    # Its compatible endpoint: docs.cohere.com/docs/compatibility-api
    "cohere": Quirks(fields=frozenset(_COHERE_FIELD_LIST.split()), id_prefix="", choice={}),
    "ollama": Quirks(
        reasoning="reasoning", choice={}, calls_whole=True, chunk={"system_fingerprint": "fp_ollama"}
    ),
    "vllm": Quirks(
        _vllm, bare_asks=True, reasoning="reasoning", choice={"logprobs": None, "token_ids": None},
        whole={"prompt_logprobs": None, "kv_transfer_params": None},
    ),
    "llama.cpp": Quirks(
        _detailed, reasoning="reasoning_content", opening={"role": "assistant", "content": None}, choice={},
        chunk={"system_fingerprint": "b6700-sandbox"}, last=_timings,
    ),
}  # fmt: skip


def reasons_in(quirks: Quirks, text: str) -> Json:
    """The delta, or the members of a message, that show hidden tokens."""
    if quirks.reasoning == "thinking":
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
    return {quirks.reasoning: text}
