"""What each recorded answer consumed, by the rules of the provider facts, written a second time and plainly.

It works on the parsed usage objects of a recording and shares no code with the readers it judges.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from pricing.usage import Usage
from tests.golden import clouds_oracle
from tests.golden.recordings import Recording

FILE_SEARCH = re.compile(rb'"type":\s*"file_search_call"')

# (model, or None for the answer's own; usage), in order; empty where the answer reports none.
Lines = list[tuple[str | None, Usage]]


def expected(recording: Recording) -> Lines | None:
    """What the answer reports; nothing where it is an error, None where no oracle knows its API."""
    oracle = ORACLES.get(recording.reader)
    if oracle is None:
        return None
    return [] if recording.is_error else oracle(recording)


def _alone(usage: Usage | None) -> Lines:
    return [] if usage is None else [(None, usage)]


def _own(recording: Recording) -> list[dict[str, Any]]:
    """The usages of the answer itself."""
    return [usage for path, usage in recording.usages if path.split(".")[-1] == "usage" and usage]


def embeddings(recording: Recording) -> Lines:
    own = _own(recording)
    return _alone(Usage(input_text=own[-1].get("prompt_tokens", own[-1]["total_tokens"])) if own else None)


def chat(recording: Recording) -> Lines:
    own = _own(recording)
    return _alone(_chat(own[-1], recording.provider) if own else None)


def _chat(usage: dict[str, Any], provider: str) -> Usage:
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


def responses(recording: Recording) -> Lines:
    own = _own(recording)
    if not own:
        return []
    tools = next((usage for path, usage in reversed(recording.usages) if path.endswith("tool_usage")), {})
    usage = own[-1]
    details_in = usage.get("input_tokens_details") or {}
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    cached, written = details_in.get("cached_tokens", 0), details_in.get("cache_write_tokens", 0)
    assert not tools or tools["image_gen"]["total_tokens"] == 0
    return _alone(
        Usage(
            input_text=usage["input_tokens"] - cached - written,
            cache_read_text=cached,
            cache_write=written,
            output_text=usage["output_tokens"] - reasoning,
            output_reasoning=reasoning,
            web_searches=tools["web_search"]["num_requests"] if tools else 0,
            # One item of the answer's output each; a stream shows every item several times.
            file_searches=0 if recording.stream else len(FILE_SEARCH.findall(recording.body)),
        )
    )


def anthropic(recording: Recording) -> Lines:
    merged: dict[str, Any] = {}
    for _, usage in recording.usages:
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


def gemini(recording: Recording) -> Lines:
    counted = [usage for _, usage in recording.usages if "promptTokenCount" in usage]
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


def interactions(recording: Recording) -> Lines:
    """The interaction's own usage; running totals stand beside events, and before it."""
    own = [usage for path, usage in recording.usages if not path.startswith("metadata")]
    if not own:
        return []
    images = sum(part["tokens"] for part in own[-1]["input_tokens_by_modality"] if part["modality"] == "image")
    assert own[-1]["total_cached_tokens"] == 0
    usage = Usage(
        input_text=own[-1]["total_input_tokens"] - images + own[-1]["total_tool_use_tokens"],
        input_image=images,
        output_text=own[-1]["total_output_tokens"],
        output_reasoning=own[-1]["total_thought_tokens"],
    )
    assert usage.tokens_in + usage.tokens_out == own[-1]["total_tokens"]
    return [(None, usage)]


def images(recording: Recording) -> Lines:
    """None of the recorded answers states a usage: what they hold is counted."""
    assert not recording.usages
    made = json.loads(recording.body).get("data", ())
    return _alone(Usage(output_images=len(made)) if made else None)


def transcriptions(recording: Recording) -> Lines:
    own = _own(recording)
    assert all(usage["type"] == "duration" for usage in own)
    return _alone(Usage(input_audio_ms=own[-1]["seconds"] * 1000) if own else None)


def realtime(recording: Recording) -> Lines:
    """In the order of the messages, under the names that the session was last given."""
    lines: Lines = []
    model = transcriber = None
    texts = 0
    for is_sent, text in recording.messages:
        message = json.loads(text)
        session = message.get("session", {})
        model = session.get("model") or model
        named = session.get("input_audio_transcription") or session.get("audio", {}).get("input", {}).get(
            "transcription"
        )
        transcriber = (named or {}).get("model") or transcriber
        texts += is_sent and message["type"] == "conversation.item.create"
        if message["type"] == "response.done":
            lines.append((model, _realtime(message["response"]["usage"] or message["usage"], texts)))
        elif message["type"].endswith("transcription.completed") and "usage" in message:
            lines.append((transcriber, _transcribed(message["usage"])))
    return lines


def _realtime(usage: dict[str, Any], texts: int) -> Usage:
    if "billable_audio_seconds" in usage:
        return Usage(output_audio_ms=usage["billable_audio_seconds"] * 1000, input_messages=texts)
    details_in, details_out = usage["input_token_details"], usage["output_token_details"]
    cached = details_in["cached_tokens_details"]
    assert sum(cached.values()) == details_in["cached_tokens"]
    assert not details_in["image_tokens"]
    return Usage(
        input_text=details_in["text_tokens"] - cached["text_tokens"],
        input_audio=details_in["audio_tokens"] - cached["audio_tokens"],
        cache_read_text=cached["text_tokens"],
        cache_read_audio=cached["audio_tokens"],
        output_text=details_out["text_tokens"],
        output_audio=details_out["audio_tokens"],
    )


def _transcribed(usage: dict[str, Any]) -> Usage:
    if usage["type"] == "duration":
        return Usage(input_audio_ms=usage["seconds"] * 1000)
    details = usage["input_token_details"]
    return Usage(
        input_text=details["text_tokens"], input_audio=details["audio_tokens"], output_text=usage["output_tokens"]
    )


def live(recording: Recording) -> Lines:
    """One usage a turn, each for itself."""
    setup = json.loads(recording.messages[0][1])["setup"]["model"].split("/")[-1]
    return [(setup, _live(usage)) for _, usage in recording.usages]


def _live(usage: dict[str, Any]) -> Usage:
    details_in = {part["modality"]: part["tokenCount"] for part in usage["promptTokensDetails"]}
    details = usage.get("responseTokensDetails") or usage["candidatesTokensDetails"]
    details_out = {part["modality"]: part.get("tokenCount", 0) for part in details}
    assert set(details_in) | set(details_out) <= {"TEXT", "AUDIO"}
    assert sum(details_in.values()) == usage["promptTokenCount"]
    return Usage(
        input_text=details_in.get("TEXT", 0),
        input_audio=details_in.get("AUDIO", 0),
        output_text=details_out.get("TEXT", 0),
        output_audio=details_out.get("AUDIO", 0),
        output_reasoning=usage.get("thoughtsTokenCount", 0),
    )


def _one(oracle: Callable[[Recording], Usage | None]) -> Callable[[Recording], Lines]:
    return lambda recording: _alone(oracle(recording))


# By the reader that is judged.
ORACLES: dict[str, Callable[[Recording], Lines]] = {
    "openai.chat": chat,
    "openai.completions": chat,
    "openai.responses": responses,
    "openai.embeddings": embeddings,
    "openai.images": images,
    "openai.transcription": transcriptions,
    "openai.realtime": realtime,
    "anthropic.messages": anthropic,
    "gemini.generate": gemini,
    "gemini.embeddings": gemini,
    "gemini.interactions": interactions,
    "gemini.live": live,
    "bedrock.converse": _one(clouds_oracle.converse),
    "bedrock.invoke": _one(clouds_oracle.invoke),
    "cohere.chat": _one(clouds_oracle.cohere),
    "cohere.embed": _one(clouds_oracle.cohere),
    "cohere.rerank": _one(clouds_oracle.cohere),
    "ollama.chat": _one(clouds_oracle.ollama),
    "ollama.embed": _one(clouds_oracle.ollama_embeddings),
    "vertex.predict": _one(clouds_oracle.predict),
    "rerank": _one(clouds_oracle.rerank),
}
