"""Owns the table of operations: which path is which, who answers it, and what a call must pass before that."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from gateway.sandbox import (
    anthropic,
    anthropic_batches,
    anthropic_files,
    anthropic_messages,
    azure,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    cohere_chat,
    cohere_embed,
    compatible,
    compatible_chat,
    compatible_completions,
    compatible_embeddings,
    gemini,
    gemini_embed,
    gemini_files,
    gemini_generate,
    gemini_interactions,
    gemini_live,
    mistral,
    ollama,
    together,
    transcription,
    vertex_anthropic,
    vertex_embed,
    voyage,
)
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.controls import HEADER_PREFIX
from gateway.sandbox.dialects import Dialect, authenticate
from gateway.sandbox.openai_operations import AZURE_OPERATIONS, DEPLOYMENT_OPERATIONS, OPENAI_OPERATIONS

Handler = Callable[[Call], Answer]
# Method, path below the dialect's root, endpoint, handler. A name in braces is one segment: `{model}`, up to a colon,
# `{id}` of an object and `{part}` of one within it.
Operation = tuple[str, str, str, Handler]


class Route(NamedTuple):
    path: re.Pattern[str]
    endpoint: str
    handler: Handler


class Found(NamedTuple):
    """The operation and what its path names; empty if it names none."""

    route: Route
    path_model: str = ""
    path_id: str = ""
    path_part: str = ""


_ANTHROPIC_OPERATIONS = (
    ("POST", "/messages", "messages", anthropic_messages.messages),
    ("POST", "/messages/count_tokens", "messages.count_tokens", anthropic_messages.tokens_count),
    ("POST", "/messages/batches", "messages.batches", anthropic_batches.create),
    ("GET", "/messages/batches", "messages.batches.list", anthropic_batches.list_all),
    ("GET", "/messages/batches/{id}", "messages.batches.retrieve", anthropic_batches.retrieve),
    ("DELETE", "/messages/batches/{id}", "messages.batches.delete", anthropic_batches.delete),
    ("POST", "/messages/batches/{id}/cancel", "messages.batches.cancel", anthropic_batches.cancel),
    ("GET", "/messages/batches/{id}/results", "messages.batches.results", anthropic_batches.results),
    ("POST", "/files", "files", anthropic_files.upload),
    ("GET", "/files", "files.list", anthropic_files.list_all),
    ("GET", "/files/{id}", "files.retrieve", anthropic_files.retrieve),
    ("GET", "/files/{id}/content", "files.content", anthropic_files.content),
    ("DELETE", "/files/{id}", "files.delete", anthropic_files.delete),
    ("GET", "/models", "models.list", anthropic.models_list),
    ("GET", "/models/{model}", "models.retrieve", anthropic.models_retrieve),
)
_GEMINI_OPERATIONS = (
    ("POST", "/models/{model}:generateContent", "generate_content", gemini_generate.generate),
    ("POST", "/models/{model}:streamGenerateContent", "generate_content", gemini_generate.stream),
    ("POST", "/models/{model}:countTokens", "count_tokens", gemini_generate.tokens_count),
    ("POST", "/models/{model}:embedContent", "embed_content", gemini_embed.embed),
    ("POST", "/models/{model}:batchEmbedContents", "embed_content", gemini_embed.batch_embed),
    ("POST", "/interactions", "interactions", gemini_interactions.create),
    ("GET", "/interactions/{id}", "interactions.retrieve", gemini_interactions.retrieve),
    ("DELETE", "/interactions/{id}", "interactions.delete", gemini_interactions.delete),
    ("GET", "/files", "files.list", gemini_files.list_all),
    ("GET", "/files/{id}", "files.retrieve", gemini_files.retrieve),
    ("DELETE", "/files/{id}", "files.delete", gemini_files.delete),
    ("GET", "/models", "models.list", gemini.models_list),
    ("GET", "/models/{model}", "models.retrieve", gemini.models_retrieve),
)
_UPLOAD_OPERATIONS = (("POST", "/files", "files", gemini_files.upload),)
# https://ai.google.dev/api/live
_LIVE_OPERATIONS = (("GET", r"\.BidiGenerateContent", "bidi_generate_content", gemini_live.connect),)
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
_BEDROCK_OPERATIONS = (
    ("POST", "/converse", "converse", bedrock_converse.converse),
    ("POST", "/converse-stream", "converse", bedrock_converse.stream),
    ("POST", "/invoke", "invoke", bedrock_invoke.invoke),
    ("POST", "/invoke-with-response-stream", "invoke", bedrock_invoke.stream),
    ("POST", "/count-tokens", "count_tokens", bedrock_invoke.tokens_count),
)
# https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models
_VERTEX_OPERATIONS = (
    ("POST", "/google/models/{model}:generateContent", "generate_content", gemini_generate.generate),
    ("POST", "/google/models/{model}:streamGenerateContent", "generate_content", gemini_generate.stream),
    ("POST", "/google/models/{model}:countTokens", "count_tokens", gemini_generate.tokens_count),
    ("POST", "/google/models/{model}:embedContent", "embed_content", gemini_embed.embed),
    ("POST", "/google/models/{model}:batchEmbedContents", "embed_content", gemini_embed.batch_embed),
    ("POST", "/google/models/{model}:predict", "predict", vertex_embed.predict),
    ("POST", "/anthropic/models/count-tokens:rawPredict", "count_tokens", vertex_anthropic.tokens_count),
    ("POST", "/anthropic/models/{model}:rawPredict", "messages", vertex_anthropic.predict),
    ("POST", "/anthropic/models/{model}:streamRawPredict", "messages", vertex_anthropic.stream),
)

_CHAT = ("POST", "/chat/completions", "chat.completions", compatible_chat.chat)
_COMPLETIONS = ("POST", "/completions", "completions", compatible_completions.completions)
_EMBEDDINGS = ("POST", "/embeddings", "embeddings", compatible_embeddings.embeddings)
_MODELS = (
    ("GET", "/models", "models.list", compatible.models_list),
    ("GET", "/models/{model}", "models.retrieve", compatible.models_retrieve),
)
# docs.mistral.ai/api
_MISTRAL_OPERATIONS = (
    _CHAT,
    ("POST", "/fim/completions", "fim.completions", mistral.fim),
    ("POST", "/agents/completions", "agents.completions", mistral.agents),
    _EMBEDDINGS,
    ("POST", "/ocr", "ocr", mistral.ocr),
    ("POST", "/audio/transcriptions", "audio.transcriptions", transcription.mistral),
    ("POST", "/moderations", "moderations", mistral.moderations),
    ("POST", "/chat/moderations", "chat.moderations", mistral.moderations),
    ("POST", "/files", "files.upload", mistral.files_upload),
    ("GET", "/files", "files.list", mistral.files_list),
    ("GET", "/files/{model}", "files.retrieve", mistral.files_retrieve),
    *_MODELS,
)
# console.groq.com/docs/api-reference
_GROQ_OPERATIONS = (
    _CHAT,
    ("POST", "/audio/transcriptions", "audio.transcriptions", transcription.groq),
    ("POST", "/audio/translations", "audio.translations", transcription.groq),
    *_MODELS,
)
# docs.cohere.com/reference ; v1 is what older clients speak, and where the models are.
_COHERE_V2_OPERATIONS = (
    ("POST", "/chat", "chat", cohere_chat.chat_v2),
    ("POST", "/embed", "embed", cohere_embed.embed),
    ("POST", "/rerank", "rerank", cohere_embed.rerank),
)
_COHERE_V1_OPERATIONS = (
    ("POST", "/chat", "v1.chat", cohere_chat.chat_v1),
    ("POST", "/embed", "v1.embed", cohere_embed.embed),
    ("POST", "/rerank", "v1.rerank", cohere_embed.rerank),
    ("POST", "/tokenize", "tokenize", cohere.tokenize),
    ("POST", "/detokenize", "detokenize", cohere.detokenize),
    ("GET", "/models", "models.list", cohere.models_list),
    ("GET", "/models/{model}", "models.retrieve", cohere.models_retrieve),
)
# docs.together.ai/reference
_TOGETHER_OPERATIONS = (
    _CHAT,
    _COMPLETIONS,
    _EMBEDDINGS,
    ("POST", "/rerank", "rerank", together.rerank),
    ("POST", "/images/generations", "images.generations", together.images),
    *_MODELS,
)
# github.com/ollama/ollama/blob/main/docs/api.md
_OLLAMA_OPERATIONS = (
    ("POST", "/chat", "chat", ollama.chat),
    ("POST", "/generate", "generate", ollama.generate),
    ("POST", "/embed", "embed", ollama.embed),
    ("POST", "/embeddings", "embeddings", ollama.embeddings),
    ("GET", "/tags", "tags", ollama.tags),
    ("GET", "/ps", "ps", ollama.running),
    ("GET", "/version", "version", ollama.version),
    ("POST", "/show", "show", ollama.show),
)
# docs.voyageai.com/reference
_VOYAGE_OPERATIONS = (
    ("POST", "/embeddings", "embeddings", voyage.embeddings),
    ("POST", "/contextualizedembeddings", "contextualizedembeddings", voyage.contextualized),
    ("POST", "/multimodalembeddings", "multimodalembeddings", voyage.multimodal),
    ("POST", "/rerank", "rerank", voyage.rerank),
)
_SERVER_OPERATIONS = (_CHAT, _COMPLETIONS, _EMBEDDINGS, *_MODELS)

_ROOTS: tuple[tuple[str, str, tuple[Operation, ...]], ...] = (
    ("openai", "/v1", OPENAI_OPERATIONS),
    ("azure", "/openai/v1", OPENAI_OPERATIONS),
    ("azure", "/openai/deployments/{model}", DEPLOYMENT_OPERATIONS),
    ("azure", "/openai", AZURE_OPERATIONS),
    # DeepSeek, Moonshot and Bedrock's mantle speak it under a path of their own.
    ("anthropic", "(?:/anthropic)?/v1", _ANTHROPIC_OPERATIONS),
    ("gemini", "/(?:v1beta|v1)", _GEMINI_OPERATIONS),
    ("gemini", "/upload/(?:v1beta|v1)", _UPLOAD_OPERATIONS),
    ("gemini", r"/ws/google\.ai\.generativelanguage\.v1(?:beta|alpha)?\.GenerativeService", _LIVE_OPERATIONS),
    # A model's name has colons here, and a slash if it is encoded.
    ("bedrock", "/model/(?P<path_model>[^/]+)", _BEDROCK_OPERATIONS),
    ("vertex", "/(?:v1beta1|v1)/projects/[^/]+/locations/[^/]+/publishers", _VERTEX_OPERATIONS),
    ("mistral", "/v1", _MISTRAL_OPERATIONS),
    ("groq", "/openai/v1", _GROQ_OPERATIONS),
    ("cohere", "/v2", _COHERE_V2_OPERATIONS),
    ("cohere", "/v1", _COHERE_V1_OPERATIONS),
    ("cohere", "/compatibility/v1", (_CHAT, _EMBEDDINGS)),
    ("together", "/v1", _TOGETHER_OPERATIONS),
    ("ollama", "/api", _OLLAMA_OPERATIONS),
    ("ollama", "/v1", _SERVER_OPERATIONS),
    ("deepseek", "(?:/v1)?", (_CHAT, *_MODELS)),
    ("xai", "/v1", (_CHAT, *_MODELS)),
    ("openrouter", "/api/v1", (_CHAT, *_MODELS)),
    ("perplexity", "", (_CHAT,)),
    ("cerebras", "/v1", (_CHAT, *_MODELS)),
    ("moonshot", "/v1", (_CHAT, *_MODELS)),
    ("zai", "/api/paas/v4", (_CHAT, *_MODELS)),
    ("voyage", "/v1", _VOYAGE_OPERATIONS),
    ("vllm", "/v1", _SERVER_OPERATIONS),
    ("llama.cpp", "/v1", (_CHAT, _COMPLETIONS, *_MODELS)),
)

_SEGMENT = re.compile(r"\{(model|id|part)\}")
_SEGMENTS = {"model": "(?P<path_model>[^/:]+)", "id": "(?P<path_id>[^/]+)", "part": "(?P<path_part>[^/]+)"}
_METHODS = ("GET", "POST", "DELETE")


def _routes(dialect: str, method: str) -> Iterator[Route]:
    for owner, root, operations in _ROOTS:
        for operation_method, path, endpoint, handler in operations:
            if (owner, operation_method) == (dialect, method):
                pattern = _SEGMENT.sub(lambda found: _SEGMENTS[found[1]], root + path)
                yield Route(re.compile(pattern), endpoint, handler)


ROUTES = {(dialect, method): tuple(_routes(dialect, method)) for dialect, _, _ in _ROOTS for method in _METHODS}


def find_route(dialect: str, method: str, path: str) -> Found | None:
    for route in ROUTES.get((dialect, method), ()):
        found = route.path.fullmatch(path)
        if found:
            return Found(route, **found.groupdict())
    return None


def respond(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer:
    """What the provider says to this call: credential first, then the path, then the operation's own rules."""
    refusal = authenticate(dialect, call, key_prefixes) or dialect.check(call)
    if refusal:
        return refusal
    path = call.request.raw_path if dialect.raw_path else call.request.path
    found = find_route(dialect.name, call.request.method, path)
    if found is None:
        return dialect.refuse_path(call)
    if call.controls.fail_status:
        return _fail(dialect, call)
    route, path_model, path_id, path_part = found
    named = msgspec.structs.replace(
        call, endpoint=route.endpoint, path_model=path_model, path_id=path_id, path_part=path_part
    )
    answer = route.handler(named)
    if dialect.name == "azure":
        answer = msgspec.structs.replace(answer, headers=(*answer.headers, *azure.served_headers(named, answer)))
    problem = _misused_control(call, answer)
    return dialect.refuse_control(call, problem) if problem else answer


def _fail(dialect: Dialect, call: Call) -> Answer:
    answer = dialect.fail(call, call.controls.fail_status)
    if call.controls.retry_after_s is None:
        return answer
    return msgspec.structs.replace(answer, headers=(("retry-after", str(call.controls.retry_after_s)),))


# The endpoints whose charged answers may be of a job.
_MAKES_JOBS = ("responses", "batches", "fine_tuning.jobs")


def _misused_control(call: Call, answer: Answer) -> str:
    """A control that would be ignored, which is an error."""
    if call.dialect != "azure" and (call.controls.spillover or call.controls.async_filter):
        return "x-sandbox-spillover, x-sandbox-async-filter: only Azure does this"
    if answer.charge is None:
        return ""
    controls = call.controls
    if HEADER_PREFIX + "polls" in call.request.headers and call.endpoint not in _MAKES_JOBS:
        return "x-sandbox-polls: only a job is looked at until it is done"
    if controls.web_searches and not answer.charge.prompt.web_searches:
        return "x-sandbox-web-searches: no search tool here"
    if controls.iterations != "none" and not answer.charge.others:
        return "x-sandbox-iterations: only Anthropic's Messages API has them"
    bucket = answer.charge.model.unbillable(answer.charge.prompt)
    if bucket:
        return f"{answer.charge.model.name} has no price for {bucket}"
    if controls.error_after_chunks is not None and not answer.stream:
        return "x-sandbox-error-after-chunks: only a stream can end with an error event"
    return ""
