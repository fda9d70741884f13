"""Owns calls through the other providers' official Python SDKs, told as `sdk_calls` tells its own.

`OTHER_CALLS[name].run(base_url, key)` is the same kind of call, of an unmodified client that retries nothing.
Providers without an SDK of their own are called as they tell people to: with OpenAI's, pointed at them. Their
requests say whose they are (`x-sandbox-provider`), since one sandbox stands for all.
"""

import asyncio
import io
import wave
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import cohere
import groq
import httpx
import ollama
import openai
import together
from mistralai.client import Mistral

from tests.support.sdk_calls import FROZEN, MESSAGES, QUESTION, TOOL_SCHEMA, SdkCall, Transcript

OTHER_CALLS: dict[str, SdkCall] = {}

TOOLS: Any = [
    {"type": "function", "function": {"name": "remember", "description": "Keeps a text.", "parameters": TOOL_SCHEMA}}
]
DOCUMENTS = ["The night never sleeps.", "A cat sleeps all day.", "Rivers run."]


class Clients(NamedTuple):
    """How a provider's synchronous and asynchronous clients are opened, with base URL, key and headers."""

    synchronous: Callable[[str, str, dict[str, str]], Any]
    asynchronous: Callable[[str, str, dict[str, str]], Any]


@contextmanager
def _mistral(url: str, key: str, headers: dict[str, str]) -> Iterator[Mistral]:
    """Its default headers are those of the HTTP client it is given, which it leaves to be closed."""
    with httpx.Client(headers=headers) as http:
        yield Mistral(api_key=key, server_url=url, client=http)


@asynccontextmanager
async def _mistral_async(url: str, key: str, headers: dict[str, str]) -> AsyncIterator[Mistral]:
    async with httpx.AsyncClient(headers=headers) as http:
        yield Mistral(api_key=key, server_url=url, async_client=http)


def _stainless(kind: Any, path: str, url: str, key: str, headers: dict[str, str]) -> Any:
    return kind(base_url=url + path, api_key=key, max_retries=0, default_headers=headers)


def _cohere(kind: Any, client: Any, url: str, key: str, headers: dict[str, str]) -> Any:
    return kind(api_key=key, base_url=url, max_retries=0, httpx_client=client(headers=headers))


def _ollama(kind: Any, url: str, key: str, headers: dict[str, str]) -> Any:
    return kind(host=url, headers={**headers, "authorization": f"Bearer {key}"})


def _compatible(path: str = "/v1") -> Clients:
    return Clients(partial(_stainless, openai.OpenAI, path), partial(_stainless, openai.AsyncOpenAI, path))


CLIENTS: dict[str, Clients] = {
    "mistral": Clients(_mistral, _mistral_async),
    "groq": Clients(partial(_stainless, groq.Groq, ""), partial(_stainless, groq.AsyncGroq, "")),
    "cohere": Clients(
        partial(_cohere, cohere.ClientV2, httpx.Client), partial(_cohere, cohere.AsyncClientV2, httpx.AsyncClient)
    ),
    "cohere.v1": Clients(
        partial(_cohere, cohere.Client, httpx.Client), partial(_cohere, cohere.AsyncClient, httpx.AsyncClient)
    ),
    "cohere.compatible": _compatible("/compatibility/v1"),
    "together": Clients(partial(_stainless, together.Together, ""), partial(_stainless, together.AsyncTogether, "")),
    "ollama": Clients(partial(_ollama, ollama.Client), partial(_ollama, ollama.AsyncClient)),
    "ollama.compatible": _compatible(),
    "deepseek": _compatible(""),
    "xai": _compatible(),
    "openrouter": _compatible("/api/v1"),
    "perplexity": _compatible(""),
    "cerebras": _compatible(),
    "moonshot": _compatible(),
    "zai": _compatible("/api/paas/v4"),
    "vllm": _compatible(),
    "llama.cpp": _compatible(),
    "voyage": _compatible(),
}


def provider_of(family: str) -> str:
    """Whose origin a family's base URL must be."""
    return family.removesuffix(".v1").removesuffix(".compatible")


def other_client(family: str, base_url: str, key: str, asynchronous: bool = False) -> Any:
    headers = {**FROZEN, "x-sandbox-provider": provider_of(family)}
    return CLIENTS[family][asynchronous](base_url, key, headers)


def _call(family: str, name: str) -> Callable[[Any], Any]:
    """Registers a function that gives, for the SDK's client, an iterable of what the SDK gave."""

    def register(make: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
        def run(base_url: str, key: str) -> Transcript:
            with other_client(family, base_url, key) as opened:
                return [_plain(item) for item in make(opened)]

        OTHER_CALLS[f"{family}.{name}"] = SdkCall(provider_of(family), run)
        return make

    return register


def _async_call(family: str, name: str) -> Callable[[Any], Any]:
    """Registers an asynchronous generator function of the same kind."""

    def register(make: Callable[[Any], AsyncIterable[Any]]) -> Callable[[Any], AsyncIterable[Any]]:
        async def collect(base_url: str, key: str) -> Transcript:
            async with other_client(family, base_url, key, asynchronous=True) as opened:
                return [_plain(item) async for item in make(opened)]

        def run(base_url: str, key: str) -> Transcript:
            return asyncio.run(collect(base_url, key))

        OTHER_CALLS[f"{family}.{name}"] = SdkCall(provider_of(family), run)
        return make

    return register


def _plain(item: Any) -> Any:
    """What the SDK gave as JSON values."""
    if isinstance(item, list):
        return [_plain(part) for part in item]
    return item if isinstance(item, str | float | int) else item.model_dump(mode="json", exclude_unset=True)


def recording(seconds: float) -> bytes:
    """A silent WAV file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as writing:
        writing.setnchannels(1)
        writing.setsampwidth(1)
        writing.setframerate(8000)
        writing.writeframes(b"\x80" * int(8000 * seconds))
    return made.getvalue()


# Mistral.


@_call("mistral", "chat")
def _mistral_chat(api: Mistral) -> Iterable[Any]:
    return [api.chat.complete(model="mistral-small-latest", messages=MESSAGES)]


@_call("mistral", "chat.stream")
def _mistral_chat_stream(api: Mistral) -> Iterable[Any]:
    return api.chat.stream(model="mistral-small-latest", messages=MESSAGES)


@_call("mistral", "chat.tool.stream")
def _mistral_chat_tool(api: Mistral) -> Iterable[Any]:
    return api.chat.stream(model="mistral-large-2512", messages=MESSAGES, tools=TOOLS, tool_choice="any")


@_async_call("mistral", "chat.stream.async")
async def _mistral_chat_async(api: Mistral) -> AsyncIterable[Any]:
    async for event in await api.chat.stream_async(model="mistral-large-2512", messages=MESSAGES, max_tokens=4):
        yield event


@_call("mistral", "fim")
def _mistral_fim(api: Mistral) -> Iterable[Any]:
    return [api.fim.complete(model="codestral-2508", prompt="def sleep(", suffix="return", max_tokens=8)]


@_call("mistral", "agents")
def _mistral_agents(api: Mistral) -> Iterable[Any]:
    return [api.agents.complete(agent_id="ag_sandbox", messages=MESSAGES)]


@_call("mistral", "embeddings")
def _mistral_embeddings(api: Mistral) -> Iterable[Any]:
    return [api.embeddings.create(model="mistral-embed", inputs=[QUESTION, "night"])]


@_call("mistral", "ocr")
def _mistral_ocr(api: Mistral) -> Iterable[Any]:
    document: Any = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
    return [api.ocr.process(model="mistral-ocr-4-0", document=document, pages=[0, 2])]


@_call("mistral", "transcription")
def _mistral_transcription(api: Mistral) -> Iterable[Any]:
    file: Any = {"file_name": "night.wav", "content": recording(2.5)}
    return [api.audio.transcriptions.complete(model="voxtral-mini-2602", file=file)]


@_call("mistral", "transcription.stream")
def _mistral_transcription_stream(api: Mistral) -> Iterable[Any]:
    file: Any = {"file_name": "night.wav", "content": recording(2.5)}
    return api.audio.transcriptions.stream(model="voxtral-mini-2602", file=file)


@_call("mistral", "moderations")
def _mistral_moderations(api: Mistral) -> Iterable[Any]:
    return [api.classifiers.moderate(model="mistral-moderation-latest", inputs=[QUESTION])]


@_call("mistral", "models")
def _mistral_models(api: Mistral) -> Iterable[Any]:
    return [api.models.list()]


@_call("mistral", "files")
def _mistral_files(api: Mistral) -> Iterable[Any]:
    return [api.files.upload(file={"file_name": "a.jsonl", "content": b"{}"}, purpose="batch")]


# Groq.


@_call("groq", "chat")
def _groq_chat(api: groq.Groq) -> Iterable[Any]:
    return [api.chat.completions.create(model="llama-3.3-70b-versatile", messages=MESSAGES)]


@_call("groq", "chat.stream")
def _groq_chat_stream(api: groq.Groq) -> Iterable[Any]:
    return api.chat.completions.create(model="llama-3.3-70b-versatile", messages=MESSAGES, stream=True)


@_call("groq", "chat.tool")
def _groq_chat_tool(api: groq.Groq) -> Iterable[Any]:
    model = "moonshotai/kimi-k2-instruct"
    return [api.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS, tool_choice="required")]


@_async_call("groq", "chat.stream.async")
async def _groq_chat_async(api: groq.AsyncGroq) -> AsyncIterable[Any]:
    model = "moonshotai/kimi-k2-instruct"
    async for chunk in await api.chat.completions.create(model=model, messages=MESSAGES, stream=True):
        yield chunk


@_call("groq", "transcription")
def _groq_transcription(api: groq.Groq) -> Iterable[Any]:
    file = ("night.wav", recording(2.5))
    return [api.audio.transcriptions.create(model="whisper-large-v3", file=file, response_format="verbose_json")]


@_call("groq", "models")
def _groq_models(api: groq.Groq) -> Iterable[Any]:
    return [api.models.list()]


# Cohere.


@_call("cohere", "chat")
def _cohere_chat(api: cohere.ClientV2) -> Iterable[Any]:
    return [api.chat(model="command-a-03-2025", messages=MESSAGES)]


@_call("cohere", "chat.stream")
def _cohere_chat_stream(api: cohere.ClientV2) -> Iterable[Any]:
    return api.chat_stream(model="command-a-03-2025", messages=MESSAGES)


@_call("cohere", "chat.tool.stream")
def _cohere_chat_tool(api: cohere.ClientV2) -> Iterable[Any]:
    return api.chat_stream(model="command-a-03-2025", messages=MESSAGES, tools=TOOLS, tool_choice="REQUIRED")


@_async_call("cohere", "chat.async")
async def _cohere_chat_async(api: cohere.AsyncClientV2) -> AsyncIterable[Any]:
    yield await api.chat(model="command-r-08-2024", messages=MESSAGES, max_tokens=4)


@_call("cohere", "embed")
def _cohere_embed(api: cohere.ClientV2) -> Iterable[Any]:
    texts, types = [QUESTION, "night"], ["float", "int8"]
    return [api.embed(model="embed-v4.0", texts=texts, input_type="search_document", embedding_types=types)]


@_call("cohere", "rerank")
def _cohere_rerank(api: cohere.ClientV2) -> Iterable[Any]:
    return [api.rerank(model="rerank-v3.5", query=QUESTION, documents=DOCUMENTS, top_n=2)]


@_call("cohere.v1", "chat")
def _cohere_v1_chat(api: cohere.Client) -> Iterable[Any]:
    return [api.chat(message=QUESTION, model="command-r-08-2024")]


@_call("cohere.v1", "chat.stream")
def _cohere_v1_chat_stream(api: cohere.Client) -> Iterable[Any]:
    return api.chat_stream(message=QUESTION, model="command-r-08-2024")


@_call("cohere.v1", "embed")
def _cohere_v1_embed(api: cohere.Client) -> Iterable[Any]:
    return [api.embed(model="embed-v4.0", texts=[QUESTION], input_type="search_query")]


@_call("cohere.v1", "rerank")
def _cohere_v1_rerank(api: cohere.Client) -> Iterable[Any]:
    return [api.rerank(model="rerank-v3.5", query=QUESTION, documents=DOCUMENTS)]


@_call("cohere.v1", "tokenize")
def _cohere_v1_tokenize(api: cohere.Client) -> Iterable[Any]:
    # Online, for the local tokenizer is downloaded from elsewhere.
    return [api.tokenize(text=QUESTION, model="command-a-03-2025", offline=False)]


@_call("cohere.v1", "models")
def _cohere_v1_models(api: cohere.Client) -> Iterable[Any]:
    return [api.models.list()]


# Together.

_LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


@_call("together", "chat")
def _together_chat(api: together.Together) -> Iterable[Any]:
    return [api.chat.completions.create(model=_LLAMA, messages=MESSAGES)]


@_call("together", "chat.stream")
def _together_chat_stream(api: together.Together) -> Iterable[Any]:
    return api.chat.completions.create(model=_LLAMA, messages=MESSAGES, stream=True)


@_async_call("together", "chat.stream.async")
async def _together_chat_async(api: together.AsyncTogether) -> AsyncIterable[Any]:
    model = "moonshotai/Kimi-K3"
    async for chunk in await api.chat.completions.create(model=model, messages=MESSAGES, stream=True):
        yield chunk


@_call("together", "completions")
def _together_completions(api: together.Together) -> Iterable[Any]:
    return [api.completions.create(model="mistralai/Mixtral-8x7B-v0.1", prompt=QUESTION, max_tokens=8)]


@_call("together", "completions.stream")
def _together_completions_stream(api: together.Together) -> Iterable[Any]:
    return api.completions.create(model="mistralai/Mixtral-8x7B-v0.1", prompt=QUESTION, stream=True)


@_call("together", "embeddings")
def _together_embeddings(api: together.Together) -> Iterable[Any]:
    return [api.embeddings.create(model="BAAI/bge-base-en-v1.5", input=[QUESTION, "night"])]


@_call("together", "rerank")
def _together_rerank(api: together.Together) -> Iterable[Any]:
    return [api.rerank.create(model="Salesforce/Llama-Rank-V1", query=QUESTION, documents=DOCUMENTS, top_n=2)]


@_call("together", "images")
def _together_images(api: together.Together) -> Iterable[Any]:
    return [api.images.generate(model="black-forest-labs/FLUX.1-schnell", prompt=QUESTION, n=2)]


# Ollama.


@_call("ollama", "chat")
def _ollama_chat(api: ollama.Client) -> Iterable[Any]:
    return [api.chat(model="llama3.2", messages=MESSAGES)]


@_call("ollama", "chat.stream")
def _ollama_chat_stream(api: ollama.Client) -> Iterable[Any]:
    return api.chat(model="llama3.2", messages=MESSAGES, stream=True)


@_async_call("ollama", "chat.stream.async")
async def _ollama_chat_async(api: ollama.AsyncClient) -> AsyncIterable[Any]:
    async for part in await api.chat(model="qwen3:8b", messages=MESSAGES, stream=True, options={"num_predict": 4}):
        yield part


@_call("ollama", "generate")
def _ollama_generate(api: ollama.Client) -> Iterable[Any]:
    return [api.generate(model="llama3.2", prompt=QUESTION)]


@_call("ollama", "generate.stream")
def _ollama_generate_stream(api: ollama.Client) -> Iterable[Any]:
    return api.generate(model="llama3.2", prompt=QUESTION, stream=True)


@_call("ollama", "embed")
def _ollama_embed(api: ollama.Client) -> Iterable[Any]:
    return [api.embed(model="nomic-embed-text", input=[QUESTION, "night"])]


@_call("ollama", "embeddings")
def _ollama_embeddings(api: ollama.Client) -> Iterable[Any]:
    return [api.embeddings(model="nomic-embed-text", prompt=QUESTION)]


@_call("ollama", "list")
def _ollama_list(api: ollama.Client) -> Iterable[Any]:
    return [api.list()]


@_call("ollama", "ps")
def _ollama_ps(api: ollama.Client) -> Iterable[Any]:
    return [api.ps()]


@_call("ollama", "show")
def _ollama_show(api: ollama.Client) -> Iterable[Any]:
    return [api.show("llama3.2")]


# Those that are called with OpenAI's SDK: the family, a model, and whether it takes `stream_options`.

COMPATIBLE_MODELS = {
    "cohere.compatible": "command-a-03-2025",
    "ollama.compatible": "llama3.2",
    "deepseek": "deepseek-v3.1-terminus",
    "xai": "grok-3-mini",
    "openrouter": "openai/gpt-4o-mini",
    "perplexity": "sonar",
    "cerebras": "gpt-oss-120b",
    "moonshot": "kimi-k2.6",
    "zai": "glm-4.6",
    "vllm": "Qwen/Qwen3-8B",
    "llama.cpp": "gemma-3-4b-it-Q4_K_M.gguf",
}


def _register_compatible(family: str, model: str) -> None:
    asked: Any = {"model": model, "messages": MESSAGES}
    streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}

    async def stream_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
        async for chunk in await api.chat.completions.create(**streamed):
            yield chunk

    _call(family, "chat")(lambda api: [api.chat.completions.create(**asked)])
    _call(family, "chat.stream")(lambda api: api.chat.completions.create(**asked, stream=True))
    _call(family, "chat.stream.usage")(lambda api: api.chat.completions.create(**streamed))
    _async_call(family, "chat.stream.async")(stream_async)


for _family, _model in COMPATIBLE_MODELS.items():
    _register_compatible(_family, _model)


@_call("deepseek", "chat.tool.stream")
def _deepseek_tool(api: openai.OpenAI) -> Iterable[Any]:
    model = COMPATIBLE_MODELS["deepseek"]
    return api.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS, tool_choice="required", stream=True)


@_call("vllm", "completions.stream")
def _vllm_completions(api: openai.OpenAI) -> Iterable[Any]:
    options: Any = {"include_usage": True, "continuous_usage_stats": True}
    return api.completions.create(model="Qwen/Qwen3-8B-Base", prompt=QUESTION, stream=True, stream_options=options)


@_call("vllm", "embeddings")
def _vllm_embeddings(api: openai.OpenAI) -> Iterable[Any]:
    return [api.embeddings.create(model="Qwen/Qwen3-Embedding-8B", input=[QUESTION])]


@_call("voyage", "embeddings")
def _voyage_embeddings(api: openai.OpenAI) -> Iterable[Any]:
    # As base64, which OpenAI's SDK asks for, and Voyage has too.
    return [api.embeddings.create(model="voyage-3.5", input=[QUESTION, "night"])]
