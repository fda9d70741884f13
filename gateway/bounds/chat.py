"""Owns what bodies of the APIs that talk may use: OpenAI's, Anthropic's, Gemini's, Cohere's and Ollama's.

Members are those of openai 3.54.0, anthropic 2.12.0, google-genai 3.4.0, cohere 7.3 and ollama 0.6, and what compatible
providers add to them. One that starts work beyond the answer is refused by its name.
"""

from typing import cast

import msgspec

from gateway.bounds.asked import (
    ELSEWHERE,
    MEDIA,
    SEARCHED,
    Asked,
    Body,
    answers_of,
    asked_of,
    cap_of,
    items_of,
    modifiers_of,
    refused,
    texts_of,
    thinks,
)
from gateway.bounds.parts import images_of, lasts, parts_of
from gateway.bounds.tools import anthropic_tools, chat_tools, function_tools, gemini_tools, openai_tools
from gateway.wire import jsontext
from pricing.bound import Unbounded
from pricing.usage import Usage


class Chat(msgspec.Struct, frozen=True, gc=False):
    """Chat and text completions of OpenAI and its like, and what others add to them."""

    messages: object = None
    prompt: object = None
    n: object = None
    best_of: object = None
    max_tokens: object = None
    max_completion_tokens: object = None
    max_output_tokens: object = None
    tools: object = None
    functions: object = None
    prediction: msgspec.Raw = msgspec.Raw()
    modalities: object = None
    audio: object = None
    service_tier: object = None
    prompt_cache_options: object = None
    reasoning_effort: object = None
    reasoning: object = None
    thinking: object = None
    models: object = None
    web_search_options: object = None
    search_parameters: object = None
    plugins: object = None
    route: object = None
    agent_id: object = None
    compound_custom: object = None
    deferred: object = None
    preset: object = None
    data_sources: object = None
    dataSources: object = None
    # llama.cpp's own words for the cap and the number of answers, which come before OpenAI's.
    n_predict: object = None
    n_cmpl: object = None


_ADDED = "nothing bounds what is read to answer from data sources, and how often: leave data_sources out"
_PRESET = "a preset may name models and tools that the request does not: send what it holds"
_LATER = "an answer that is fetched later is billed after its call has ended: ask for it without deferred"
_CHAT_REFUSED = {
    "web_search_options": SEARCHED,
    "search_parameters": SEARCHED,  # xAI's, billed by the source
    "plugins": ELSEWHERE,  # OpenRouter's
    "agent_id": ELSEWHERE,  # Mistral's
    "compound_custom": ELSEWHERE,  # Groq's
    "deferred": _LATER,  # xAI's
    "preset": _PRESET,  # OpenRouter's
    "data_sources": _ADDED,  # Azure's
    "dataSources": _ADDED,
}
# Who reads `max_completion_tokens` in the chat API; `max_tokens` they all do.
_KEEPS_COMPLETION_CAP = frozenset(
    {
        "openai", "azure", "groq", "xai", "openrouter", "cerebras", "moonshot", "gemini", "vertex", "bedrock-mantle",
        "vllm", "llamacpp", "ollama",
    }
)  # fmt: skip
_TEXT_ALONE = (["text"], None)


def chat(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_chats, sent.text)
    refusal = refused(body, _CHAT_REFUSED)
    if refusal is not None:
        return refusal
    parts = parts_of(body.messages)
    return asked_of(
        _chat_cap(body, sent.provider),
        answers_of(body.n, body.best_of, body.n_cmpl),
        chat_tools(body.tools),
        Asked(
            answers=_prompts(items_of(body.prompt)),
            reasons=any((body.reasoning_effort, body.reasoning, thinks(body.thinking))),
            parts=parts,
            # Where a prediction does not come true its tokens are billed as output, beside the answer's.
            more_out=len(bytes(body.prediction)),
            output_buckets=() if body.modalities in _TEXT_ALONE and body.audio is None else MEDIA,
            cached_12h=parts.lasting or lasts(body.prompt_cache_options),
            modifiers=modifiers_of(service_tier=body.service_tier),
            models=texts_of(body.models),
        ),
    )


def _chat_cap(body: Chat, provider: str) -> int | Unbounded | None:
    """The largest cap, if there is one that the provider keeps to: others are passed over in silence, or refused."""
    own = body.n_predict if provider == "llamacpp" else None
    if isinstance(own, int) and own < 1:
        return None
    kept = own if provider not in _KEEPS_COMPLETION_CAP or own is not None else body.max_completion_tokens
    largest = cap_of(body.max_tokens, body.max_completion_tokens, body.max_output_tokens, own)
    return largest if body.max_tokens is not None or kept is not None or isinstance(largest, Unbounded) else None


def _prompts(prompt: list[object]) -> int:
    """How many prompts a list is: one, if it is the tokens of one; a prompt that is no list is one too."""
    return len(prompt) if prompt and not isinstance(prompt[0], int) else 1


class Responses(msgspec.Struct, frozen=True, gc=False):
    input: object = None
    max_output_tokens: object = None
    max_tool_calls: object = None
    tools: object = None
    service_tier: object = None
    prompt_cache_options: object = None
    reasoning: object = None
    previous_response_id: object = None
    conversation: object = None
    prompt: object = None
    background: object = None
    context_management: object = None
    image: object = None
    moderation: object = None
    models: object = None
    plugins: object = None
    preset: object = None


_IN_THE_BACKGROUND = "work in the background is billed after its call has ended: ask for it without background"
_RESPONSES_REFUSED = {
    "background": _IN_THE_BACKGROUND,
    "context_management": "nothing bounds how often a context is compacted: leave context_management out",
    "image": ELSEWHERE,
    "moderation": ELSEWHERE,
    "prompt": "a stored prompt may name tools and models that the request does not: send its text",
    "plugins": ELSEWHERE,
    "preset": _PRESET,
}


def responses(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_responses_bodies, sent.text)
    refusal = refused(body, _RESPONSES_REFUSED)
    if refusal is not None:
        return refusal
    parts = parts_of(body.input)
    return asked_of(
        cap_of(body.max_output_tokens),
        1,
        openai_tools(body.tools, body.max_tool_calls, sent.provider),
        Asked(
            reasons=bool(body.reasoning),
            parts=parts,
            whole_context=bool(body.previous_response_id or body.conversation),
            cached_12h=parts.lasting or lasts(body.prompt_cache_options),
            modifiers=modifiers_of(service_tier=body.service_tier),
            models=texts_of(body.models),
        ),
    )


class _Event(msgspec.Struct, frozen=True, gc=False):
    """A `response.create`: the response's members beside its type, or in a member of their own."""

    response: msgspec.Raw = msgspec.Raw()


def responses_event(sent: Body) -> Asked | Unbounded:
    """The next response of a socket, by the message that asks for it, which goes on from what was said before."""
    if not sent.text:
        return Unbounded("what a response may cost is told by its response.create")
    stated = bytes(jsontext.decode(_events, sent.text).response)
    if stated.startswith(b"{"):
        if jsontext.decode(_responses_bodies, sent.text) != Responses():
            return Unbounded("a response.create says its response twice: say it in `response`, or beside the type")
        sent = sent._replace(text=stated)
    asked = responses(sent)
    return asked if isinstance(asked, Unbounded) else msgspec.structs.replace(asked, whole_context=True)


class Thinking(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    budget_tokens: object = None


class Messages(msgspec.Struct, frozen=True, gc=False):
    messages: object = None
    system: object = None
    max_tokens: object = None
    tools: object = None
    thinking: Thinking | None = None
    speed: object = None
    inference_geo: object = None
    fallbacks: object = None
    mcp_servers: object = None
    container: object = None
    context_management: object = None
    compaction: object = None
    thread: object = None
    models: object = None
    plugins: object = None
    preset: object = None


MESSAGES_REFUSED = {
    "fallbacks": "a call that was declined is billed as well as the one that stands in for it: leave fallbacks out",
    "mcp_servers": "nothing bounds how often tools of MCP servers are called: leave mcp_servers out",
    "container": "containers are billed by the hour: leave container out",
    "compaction": "nothing bounds what compacting a context costs: leave compaction out",
    "thread": "what a thread has stored is not known here: send its messages",
    "plugins": ELSEWHERE,
    "preset": _PRESET,
}


def messages(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_messages_bodies, sent.text)
    refusal = refused(body, MESSAGES_REFUSED) or compacting(body.context_management)
    if refusal is not None:
        return refusal
    thinking = body.thinking or Thinking()
    budget, cap = cap_of(thinking.budget_tokens), cap_of(body.max_tokens)
    if isinstance(budget, int) and isinstance(cap, int) and budget >= cap:
        cap += budget  # which interleaved thinking is allowed
    return asked_of(
        cap if not isinstance(budget, Unbounded) else budget,
        1,
        anthropic_tools(body.tools),
        Asked(
            reasons=thinking.type not in (None, "disabled"),
            parts=parts_of([body.messages, body.system]),
            modifiers=modifiers_of(speed=body.speed, inference_geo=body.inference_geo),
            models=texts_of(body.models),
        ),
    )


def compacting(management: object) -> Unbounded | None:
    """Clearing what tools left makes a prompt smaller; anything else reads and writes it once more."""
    edits = cast("dict[str, object]", management).get("edits") if isinstance(management, dict) else [management]
    for item in items_of(edits) if management is not None else []:
        kind = cast("dict[str, object]", item).get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str) or not kind.startswith("clear_"):
            return Unbounded("nothing bounds how often a context is compacted: leave context_management out")
    return None


class _Generation(msgspec.Struct, frozen=True, gc=False):
    """Each member in both spellings that protocol buffers read."""

    maxOutputTokens: object = None
    max_output_tokens: object = None
    candidateCount: object = None
    candidate_count: object = None
    responseModalities: object = None
    response_modalities: object = None


class Gemini(msgspec.Struct, frozen=True, gc=False):
    contents: object = None
    systemInstruction: object = None
    system_instruction: object = None
    generationConfig: _Generation | None = None
    generation_config: _Generation | None = None
    tools: object = None
    cachedContent: object = None
    cached_content: object = None
    serviceTier: object = None
    service_tier: object = None


_ONLY_TEXT = (["TEXT"], ["text"], ["Text"])


def gemini(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_gemini_bodies, sent.text)
    configs = [each for each in (body.generationConfig, body.generation_config) if each is not None]
    modalities = [m for each in configs for m in (each.responseModalities, each.response_modalities) if m is not None]
    return asked_of(
        cap_of(*(cap for each in configs for cap in (each.maxOutputTokens, each.max_output_tokens))),
        answers_of(*(n for each in configs for n in (each.candidateCount, each.candidate_count))),
        gemini_tools(body.tools),
        Asked(
            parts=parts_of([body.contents, body.systemInstruction, body.system_instruction]),
            whole_context=bool(body.cachedContent or body.cached_content),
            # Models that draw or speak do so unasked.
            output_buckets=() if modalities and all(each in _ONLY_TEXT for each in modalities) else MEDIA,
            modifiers=modifiers_of(service_tier=body.serviceTier or body.service_tier),
        ),
    )


class _Interaction(msgspec.Struct, frozen=True, gc=False):
    input: object = None
    system_instruction: object = None
    generation_config: _Generation | None = None
    tools: object = None
    previous_interaction_id: object = None
    background: object = None
    agent: object = None
    service_tier: object = None


_INTERACTIONS_REFUSED = {
    "background": _IN_THE_BACKGROUND,
    "agent": "nothing bounds how long an agent works: name a model",
}


def interaction(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_interactions, sent.text)
    refusal = refused(body, _INTERACTIONS_REFUSED)
    if refusal is not None:
        return refusal
    config = body.generation_config or _Generation()
    return asked_of(
        cap_of(config.max_output_tokens, config.maxOutputTokens),
        1,
        function_tools(body.tools),
        Asked(
            parts=parts_of(body.input),
            whole_context=bool(body.previous_interaction_id),
            output_buckets=MEDIA,
            modifiers=modifiers_of(service_tier=body.service_tier),
        ),
    )


class _Options(msgspec.Struct, frozen=True, gc=False):
    num_predict: object = None


class _Ollama(msgspec.Struct, frozen=True, gc=False):
    messages: object = None
    images: object = None
    options: _Options | None = None
    tools: object = None
    think: object = None


def ollama(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_ollamas, sent.text)
    parts = parts_of(body.messages) + images_of(body.images)
    for message in items_of(body.messages):
        if isinstance(message, dict):
            parts = parts + images_of(cast("dict[str, object]", message).get("images"))
    options = body.options or _Options()
    return asked_of(
        cap_of(options.num_predict), 1, function_tools(body.tools), Asked(reasons=bool(body.think), parts=parts)
    )


class _Cohere(msgspec.Struct, frozen=True, gc=False):
    messages: object = None
    max_tokens: object = None
    num_generations: object = None
    tools: object = None
    connectors: object = None
    conversation_id: object = None
    thinking: object = None


_COHERE_REFUSED = {"connectors": SEARCHED}


def cohere(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_coheres, sent.text)
    refusal = refused(body, _COHERE_REFUSED)
    if refusal is not None:
        return refusal
    parts = parts_of(body.messages)
    base = Asked(
        reasons=thinks(body.thinking),
        parts=parts,
        whole_context=bool(body.conversation_id),
        other=Usage(input_images=parts.images),  # which Cohere bills by the piece
    )
    return asked_of(cap_of(body.max_tokens), answers_of(body.num_generations), function_tools(body.tools), base)


_chats = msgspec.json.Decoder(Chat)
_events = msgspec.json.Decoder(_Event)
_responses_bodies = msgspec.json.Decoder(Responses)
_messages_bodies = msgspec.json.Decoder(Messages)
_gemini_bodies = msgspec.json.Decoder(Gemini)
_interactions = msgspec.json.Decoder(_Interaction)
_ollamas = msgspec.json.Decoder(_Ollama)
_coheres = msgspec.json.Decoder(_Cohere)
