"""Owns calls through the official Python SDKs, each told as a transcript that can be compared.

`CALLS[name].run(base_url, key)` makes the call with an unmodified client and returns plain JSON values: the
object, or every chunk in order, exactly as the SDK gives them. `base_url` stands for the provider's origin:
the sandbox itself, or a gateway with the upstream's name (`http://…/openai`), so the same call can be made
with and without a gateway and must tell the same story. Bodies are frozen; nothing in one is of the moment.
"""

import asyncio
import warnings
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, NamedTuple

import anthropic
import openai
from google import genai
from google.genai import types

Transcript = list[Any]

# Answers must not depend on when or how often they are asked for.
FROZEN = {"x-sandbox-frozen": "true"}
API_VERSION = "2025-04-01-preview"
QUESTION = "Name three things that never sleep."
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
TOOL_SCHEMA: Any = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class SdkCall(NamedTuple):
    dialect: str  # whose origin `base_url` must be: "openai", "azure", "anthropic", "gemini" …
    run: Callable[[str, str], Transcript]


CALLS: dict[str, SdkCall] = {}

# The synchronous and the asynchronous client, and where below the origin they are pointed.
_STAINLESS: dict[str, tuple[Any, Any, Callable[[str], dict[str, Any]]]] = {
    "openai": (openai.OpenAI, openai.AsyncOpenAI, lambda url: {"base_url": url + "/v1"}),
    "azure": (
        openai.AzureOpenAI,
        openai.AsyncAzureOpenAI,
        lambda url: {"azure_endpoint": url, "api_version": API_VERSION},
    ),
    "azure.v1": (openai.OpenAI, openai.AsyncOpenAI, lambda url: {"base_url": url + "/openai/v1"}),
    "anthropic": (anthropic.Anthropic, anthropic.AsyncAnthropic, lambda url: {"base_url": url}),
}


def client(family: str, base_url: str, key: str, asynchronous: bool = False) -> Any:
    """An SDK's client as anybody would make it, but without retries: they would hide a refusal and count twice."""
    if family == "gemini":
        made = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url, headers=FROZEN))
        return made.aio if asynchronous else made
    synchronous_class, asynchronous_class, place = _STAINLESS[family]
    made_class = asynchronous_class if asynchronous else synchronous_class
    return made_class(api_key=key, max_retries=0, default_headers=FROZEN, **place(base_url))


def register(family: str, name: str, run: Callable[[str, str], Transcript], table: dict[str, SdkCall] = CALLS) -> None:
    table[f"{family}.{name}"] = SdkCall(family.split(".")[0], run)


def call(family: str, name: str, table: dict[str, SdkCall] = CALLS) -> Callable[[Any], Any]:
    """Registers a function that gives, for the SDK's client, an iterable of what the SDK gave."""

    def decorate(make: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
        def run(base_url: str, key: str) -> Transcript:
            with client(family, base_url, key) as opened:
                return [plain(item) for item in make(opened)]

        register(family, name, run, table)
        return make

    return decorate


def async_call(family: str, name: str, table: dict[str, SdkCall] = CALLS) -> Callable[[Any], Any]:
    """Registers an asynchronous generator function of the same kind."""

    def decorate(make: Callable[[Any], AsyncIterable[Any]]) -> Callable[[Any], AsyncIterable[Any]]:
        async def collect(base_url: str, key: str) -> Transcript:
            async with client(family, base_url, key, asynchronous=True) as opened:
                return [plain(item) async for item in make(opened)]

        def run(base_url: str, key: str) -> Transcript:
            with warnings.catch_warnings():
                # google-genai's own quarrel with aiohttp, at its first asynchronous call.
                warnings.filterwarnings("ignore", "Inheritance class AiohttpClientSession", DeprecationWarning)
                return asyncio.run(collect(base_url, key))

        register(family, name, run, table)
        return make

    return decorate


def plain(item: Any) -> Any:
    """What the SDK gave as JSON values, true to its models or not. What came beside the body is left out."""
    if isinstance(item, str | float | int):
        return item
    exclude = {"sdk_http_response"} if type(item).__module__.startswith("google.") else None
    return item.model_dump(mode="json", exclude_unset=True, exclude=exclude, warnings=False)


def _tools(**schema: Any) -> Any:
    return [{"name": "remember", "description": "Keeps a text.", **schema}]


# OpenAI, and Azure where it is called alike.

_OPENAI_TOOL: Any = [{"type": "function", "function": _tools(parameters=TOOL_SCHEMA)[0]}]


@call("openai", "chat")
@call("azure", "chat")
@call("azure.v1", "chat")
def _chat(api: openai.OpenAI) -> Iterable[Any]:
    return [api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)]


@call("openai", "chat.stream")
@call("azure", "chat.stream")
@call("azure.v1", "chat.stream")
def _chat_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)


@call("openai", "chat.stream.usage")
@call("azure", "chat.stream.usage")
def _chat_stream_usage(api: openai.OpenAI) -> Iterable[Any]:
    options: Any = {"include_usage": True}
    return api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options=options)


@call("openai", "chat.stream.usage_declined")
def _chat_stream_usage_declined(api: openai.OpenAI) -> Iterable[Any]:
    options: Any = {"include_usage": False, "include_obfuscation": False}
    return api.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, stream_options=options)


@call("openai", "chat.stream.choices")
def _chat_stream_choices(api: openai.OpenAI) -> Iterable[Any]:
    return api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True, n=3, max_tokens=4)


@call("openai", "chat.tool")
def _chat_tool(api: openai.OpenAI) -> Iterable[Any]:
    return [
        api.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, tools=_OPENAI_TOOL, tool_choice="required")
    ]


@call("openai", "chat.tool.stream")
def _chat_tool_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, tools=_OPENAI_TOOL, tool_choice="required", stream=True
    )


@call("openai", "chat.stream.accumulated")
def _chat_stream_accumulated(api: openai.OpenAI) -> Iterable[Any]:
    with api.chat.completions.stream(model="gpt-4.1-mini", messages=MESSAGES) as stream:
        return [stream.get_final_completion()]


@async_call("openai", "chat.async")
@async_call("azure", "chat.async")
async def _chat_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    yield await api.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, max_completion_tokens=8)


@async_call("openai", "chat.stream.async")
@async_call("azure", "chat.stream.async")
async def _chat_stream_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    async for chunk in await api.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, stream=True):
        yield chunk


@call("openai", "completions")
@call("azure", "completions")
def _completions(api: openai.OpenAI) -> Iterable[Any]:
    return [api.completions.create(model="gpt-3.5-turbo-instruct", prompt=QUESTION)]


@call("openai", "completions.stream")
def _completions_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.completions.create(model="gpt-3.5-turbo-instruct", prompt=[QUESTION, "And three that do."], stream=True)


@call("openai", "responses")
@call("azure.v1", "responses")
def _responses(api: openai.OpenAI) -> Iterable[Any]:
    return [api.responses.create(model="gpt-4.1-mini", instructions="Be brief.", input=QUESTION)]


@call("openai", "responses.stream")
@call("azure", "responses.stream")
def _responses_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.responses.create(model="gpt-4.1-mini", input=MESSAGES, stream=True)


@call("openai", "responses.tool.stream")
def _responses_tool_stream(api: openai.OpenAI) -> Iterable[Any]:
    tools: Any = [{"type": "function", "strict": False, **_tools(parameters=TOOL_SCHEMA)[0]}]
    return api.responses.create(model="gpt-5-mini", input=QUESTION, tools=tools, tool_choice="required", stream=True)


@async_call("openai", "responses.stream.async")
async def _responses_stream_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    async for event in await api.responses.create(model="gpt-5-mini", input=QUESTION, stream=True):
        yield event


@call("openai", "responses.input_tokens")
def _input_tokens(api: openai.OpenAI) -> Iterable[Any]:
    return [api.responses.input_tokens.count(model="gpt-5-mini", input=QUESTION)]


@call("openai", "embeddings")
@call("azure", "embeddings")
def _embeddings(api: openai.OpenAI) -> Iterable[Any]:
    return [api.embeddings.create(model="text-embedding-3-small", input=[QUESTION, "night"], dimensions=16)]


@call("openai", "moderations")
def _moderations(api: openai.OpenAI) -> Iterable[Any]:
    return [api.moderations.create(input=QUESTION)]


@call("openai", "models")
@call("azure", "models")
def _models(api: openai.OpenAI) -> Iterable[Any]:
    return api.models.list()


# Anthropic.


@call("anthropic", "messages")
def _messages(api: anthropic.Anthropic) -> Iterable[Any]:
    return [
        api.messages.create(
            model="claude-opus-4-8",
            max_tokens=64,
            system="Be brief.",
            messages=[{"role": "user", "content": QUESTION}],
        )
    ]


@call("anthropic", "messages.stream")
def _messages_stream(api: anthropic.Anthropic) -> Iterable[Any]:
    return api.messages.create(
        model="claude-opus-4-8", max_tokens=8, messages=[{"role": "user", "content": QUESTION}], stream=True
    )


@call("anthropic", "messages.thinking.stream")
def _messages_thinking_stream(api: anthropic.Anthropic) -> Iterable[Any]:
    return api.messages.create(
        model="claude-haiku-4-5",
        max_tokens=2048,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
    )


@call("anthropic", "messages.tool.stream")
def _messages_tool_stream(api: anthropic.Anthropic) -> Iterable[Any]:
    return api.messages.create(
        model="claude-haiku-4-5",
        max_tokens=64,
        tools=_tools(input_schema=TOOL_SCHEMA),
        tool_choice={"type": "any"},
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
    )


@call("anthropic", "messages.stream.accumulated")
def _messages_accumulated(api: anthropic.Anthropic) -> Iterable[Any]:
    asked: Any = [{"role": "user", "content": QUESTION}]
    with api.messages.stream(model="claude-opus-4-8", max_tokens=64, messages=asked) as stream:
        return [stream.get_final_message()]


@async_call("anthropic", "messages.stream.async")
async def _messages_stream_async(api: anthropic.AsyncAnthropic) -> AsyncIterable[Any]:
    asked: Any = [{"role": "user", "content": QUESTION}]
    async for event in await api.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=asked, stream=True):
        yield event


@call("anthropic", "messages.count_tokens")
def _count_tokens(api: anthropic.Anthropic) -> Iterable[Any]:
    return [api.messages.count_tokens(model="claude-haiku-4-5", messages=[{"role": "user", "content": QUESTION}])]


@call("anthropic", "models")
def _anthropic_models(api: anthropic.Anthropic) -> Iterable[Any]:
    return api.models.list()


# Gemini.


@call("gemini", "generate_content")
def _generate(api: genai.Client) -> Iterable[Any]:
    config = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=9)
    return [api.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=config)]


@call("gemini", "generate_content.stream")
def _generate_stream(api: genai.Client) -> Iterable[Any]:
    return api.models.generate_content_stream(model="gemini-2.5-flash", contents=QUESTION)


@async_call("gemini", "generate_content.stream.async")
async def _generate_stream_async(api: Any) -> AsyncIterable[Any]:
    async for chunk in await api.models.generate_content_stream(model="gemini-3.6-flash", contents=QUESTION):
        yield chunk


@call("gemini", "generate_content.tool")
def _generate_tool(api: genai.Client) -> Iterable[Any]:
    declaration = types.FunctionDeclaration(**_tools(parameters_json_schema=TOOL_SCHEMA)[0])
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declaration])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    return [api.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=config)]


@call("gemini", "count_tokens")
def _gemini_count_tokens(api: genai.Client) -> Iterable[Any]:
    return [api.models.count_tokens(model="gemini-2.5-flash", contents=QUESTION)]


@call("gemini", "embed_content")
def _embed_content(api: genai.Client) -> Iterable[Any]:
    config = types.EmbedContentConfig(output_dimensionality=16)
    return [api.models.embed_content(model="gemini-embedding-001", contents=[QUESTION, "night"], config=config)]


@call("gemini", "models")
def _gemini_models(api: genai.Client) -> Iterable[Any]:
    return api.models.list()
