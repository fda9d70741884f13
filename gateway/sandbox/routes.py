"""Owns the table of operations: which path is which, who answers it, and what a call must pass before that."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from gateway.sandbox import (
    anthropic,
    anthropic_messages,
    cohere,
    cohere_chat,
    cohere_embed,
    compatible,
    compatible_chat,
    compatible_completions,
    compatible_embeddings,
    gemini,
    gemini_embed,
    gemini_generate,
    mistral,
    ollama,
    openai,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
    together,
    transcription,
    voyage,
)
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.dialects import Dialect, authenticate

Handler = Callable[[Call], Answer]
# Method, path below the dialect's root (`{model}` is one segment, up to a colon), endpoint, handler.
Operation = tuple[str, str, str, Handler]


class Route(NamedTuple):
    path: re.Pattern[str]
    endpoint: str
    handler: Handler


# https://platform.openai.com/docs/api-reference ; Azure serves the same under /openai/v1.
_OPENAI_OPERATIONS = (
    ("POST", "/chat/completions", "chat.completions", openai_chat.chat),
    ("POST", "/completions", "completions", openai_completions.completions),
    ("POST", "/responses", "responses", openai_responses.responses),
    ("POST", "/responses/input_tokens", "responses.input_tokens", openai_responses.input_tokens),
    ("POST", "/embeddings", "embeddings", openai_embeddings.embeddings),
    ("POST", "/moderations", "moderations", openai_embeddings.moderations),
    ("GET", "/models", "models.list", openai.models_list),
    ("GET", "/models/{model}", "models.retrieve", openai.models_retrieve),
)
# https://learn.microsoft.com/azure/ai-foundry/openai/reference : operations with the deployment in the path.
_DEPLOYMENT_OPERATIONS = (
    ("POST", "/chat/completions", "chat.completions", openai_chat.chat),
    ("POST", "/completions", "completions", openai_completions.completions),
    ("POST", "/embeddings", "embeddings", openai_embeddings.embeddings),
)
# The others have it in the body, under /openai with an api-version.
_AZURE_OPERATIONS = (
    ("POST", "/responses", "responses", openai_responses.responses),
    ("GET", "/models", "models.list", openai.models_list),
)
_ANTHROPIC_OPERATIONS = (
    ("POST", "/messages", "messages", anthropic_messages.messages),
    ("POST", "/messages/count_tokens", "messages.count_tokens", anthropic_messages.tokens_count),
    ("GET", "/models", "models.list", anthropic.models_list),
    ("GET", "/models/{model}", "models.retrieve", anthropic.models_retrieve),
)
_GEMINI_OPERATIONS = (
    ("POST", "/models/{model}:generateContent", "generate_content", gemini_generate.generate),
    ("POST", "/models/{model}:streamGenerateContent", "generate_content", gemini_generate.stream),
    ("POST", "/models/{model}:countTokens", "count_tokens", gemini_generate.tokens_count),
    ("POST", "/models/{model}:embedContent", "embed_content", gemini_embed.embed),
    ("POST", "/models/{model}:batchEmbedContents", "embed_content", gemini_embed.batch_embed),
    ("GET", "/models", "models.list", gemini.models_list),
    ("GET", "/models/{model}", "models.retrieve", gemini.models_retrieve),
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
    ("openai", "/v1", _OPENAI_OPERATIONS),
    ("azure", "/openai/v1", _OPENAI_OPERATIONS),
    ("azure", "/openai/deployments/{model}", _DEPLOYMENT_OPERATIONS),
    ("azure", "/openai", _AZURE_OPERATIONS),
    ("anthropic", "/v1", _ANTHROPIC_OPERATIONS),
    ("gemini", "/(?:v1beta|v1)", _GEMINI_OPERATIONS),
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


def _routes(dialect: str, method: str) -> Iterator[Route]:
    for owner, root, operations in _ROOTS:
        for operation_method, path, endpoint, handler in operations:
            if (owner, operation_method) == (dialect, method):
                pattern = (root + path).replace("{model}", "(?P<model>[^/:]+)")
                yield Route(re.compile(pattern), endpoint, handler)


ROUTES = {(dialect, method): tuple(_routes(dialect, method)) for dialect, _, _ in _ROOTS for method in ("GET", "POST")}


def find_route(dialect: str, method: str, path: str) -> tuple[Route, str] | None:
    """The operation and the model its path names (empty if none), or nothing."""
    for route in ROUTES.get((dialect, method), ()):
        found = route.path.fullmatch(path)
        if found:
            return route, found.groupdict().get("model", "")
    return None


def respond(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer:
    """What the provider says to this call: credential first, then the path, then the operation's own rules."""
    refusal = authenticate(dialect, call, key_prefixes) or dialect.check(call)
    if refusal:
        return refusal
    found = find_route(dialect.name, call.request.method, call.request.path)
    if found is None:
        return dialect.refuse_path(call)
    if call.controls.fail_status:
        return _fail(dialect, call)
    route, path_model = found
    answer = route.handler(msgspec.structs.replace(call, endpoint=route.endpoint, path_model=path_model))
    problem = _misused_control(call, answer)
    return dialect.refuse_control(call, problem) if problem else answer


def _fail(dialect: Dialect, call: Call) -> Answer:
    answer = dialect.fail(call, call.controls.fail_status)
    if call.controls.retry_after_s is None:
        return answer
    return msgspec.structs.replace(answer, headers=(("retry-after", str(call.controls.retry_after_s)),))


def _misused_control(call: Call, answer: Answer) -> str:
    """A control that would be ignored, which is an error."""
    if answer.charge is None:
        return ""
    bucket = answer.charge.model.unbillable(answer.charge.prompt)
    if bucket:
        return f"{answer.charge.model.name} has no price for {bucket}"
    if call.controls.error_after_chunks is not None and not answer.stream:
        return "x-sandbox-error-after-chunks: only a stream can end with an error event"
    return ""
