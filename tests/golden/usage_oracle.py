"""What each recorded answer consumed, by the rules of the provider facts, written a second time and plainly.

It works on the parsed usage objects of a recording and shares no code with the readers it judges.
"""

import re
from typing import Any

from pricing.usage import Usage

FILE_SEARCH = re.compile(rb'"type":\s*"file_search_call"')

Lines = list[tuple[str | None, Usage]]


def expected(reader: str, provider: str, usages: list[tuple[str, dict[str, Any]]], body: bytes) -> Lines:
    """(model or None for the answer's own, usage) in order; empty where the answer reports none."""
    family = reader.partition(".")[0]
    if family == "anthropic":
        return anthropic([usage for _, usage in usages])
    if family == "gemini":
        return gemini([usage for _, usage in usages])
    own = [usage for path, usage in usages if path.split(".")[-1] == "usage" and usage]
    if not own:
        return []
    if reader == "openai.embeddings":
        return [(None, Usage(input_text=own[-1].get("prompt_tokens", own[-1]["total_tokens"])))]
    if reader == "openai.responses":
        tools = [usage for path, usage in usages if path.endswith("tool_usage")]
        # One item of the answer's output each; a stream shows every item several times.
        file_searches = 0 if body.startswith(b"data") else len(FILE_SEARCH.findall(body))
        return responses(own[-1], tools[-1] if tools else {}, file_searches)
    return [(None, chat(own[-1], provider))]


def chat(usage: dict[str, Any], provider: str) -> Usage:
    prompt, completion, total = usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]
    details_in = usage.get("prompt_tokens_details") or {}
    details_out = usage.get("completion_tokens_details") or {}
    cached = details_in.get("cached_tokens")
    for other in ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"):
        if cached is None:
            cached = usage.get(other)
    cached = cached or 0
    written = details_in.get("cache_write_tokens") or 0
    reasoning = min(details_out.get("reasoning_tokens") or usage.get("reasoning_tokens") or 0, total - prompt)
    assert not details_in.get("audio_tokens")
    assert not details_out.get("audio_tokens")
    if provider == "gemini":
        reasoning = total - prompt - completion
    return Usage(
        input_text=prompt - cached - written,
        cache_read_text=cached,
        cache_write=written,
        output_text=total - prompt - reasoning,
        output_reasoning=reasoning,
    )


def responses(usage: dict[str, Any], tools: dict[str, Any], file_searches: int) -> Lines:
    details_in = usage.get("input_tokens_details") or {}
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    cached, written = details_in.get("cached_tokens", 0), details_in.get("cache_write_tokens", 0)
    assert not tools or tools["image_gen"]["total_tokens"] == 0
    own = Usage(
        input_text=usage["input_tokens"] - cached - written,
        cache_read_text=cached,
        cache_write=written,
        output_text=usage["output_tokens"] - reasoning,
        output_reasoning=reasoning,
        web_searches=tools["web_search"]["num_requests"] if tools else 0,
        file_searches=file_searches,
    )
    return [(None, own)]


def anthropic(usages: list[dict[str, Any]]) -> Lines:
    merged: dict[str, Any] = {}
    for usage in usages:
        merged.update({name: value for name, value in usage.items() if value is not None})
    if not merged:
        return []
    hops = merged.get("iterations") or [merged]
    return [(hop.get("model"), _anthropic_hop(hop)) for hop in hops]


def _anthropic_hop(hop: dict[str, Any]) -> Usage:
    split = hop.get("cache_creation") or {}
    thinking = (hop.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    assert hop.get("cache_creation_input_tokens", 0) == sum(split.values())
    return Usage(
        input_text=hop["input_tokens"],
        cache_read_text=hop.get("cache_read_input_tokens", 0),
        cache_write_5m=split.get("ephemeral_5m_input_tokens", 0),
        cache_write_1h=split.get("ephemeral_1h_input_tokens", 0),
        output_text=hop["output_tokens"] - thinking,
        output_reasoning=thinking,
        web_searches=(hop.get("server_tool_use") or {}).get("web_search_requests", 0),
    )


def gemini(usages: list[dict[str, Any]]) -> Lines:
    counted = [usage for usage in usages if "promptTokenCount" in usage]
    if not counted:
        return []
    last = counted[-1]
    for details in ("promptTokensDetails", "promptTokenDetails", "candidatesTokensDetails"):
        assert all(part["modality"] in ("TEXT", 1) for part in last.get(details, ()))
    cached = last.get("cachedContentTokenCount", 0)
    usage = Usage(
        input_text=last["promptTokenCount"] - cached + last.get("toolUsePromptTokenCount", 0),
        cache_read_text=cached,
        output_text=last.get("candidatesTokenCount", 0),
        output_reasoning=last.get("thoughtsTokenCount", 0),
    )
    assert usage.tokens_in + usage.tokens_out == last.get("totalTokenCount", usage.tokens_in)
    return [(None, usage)]
