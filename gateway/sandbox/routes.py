"""Owns the table of operations: which path is which, who answers it, and what a call must pass before that."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from gateway.sandbox import (
    anthropic,
    anthropic_messages,
    gemini,
    gemini_embed,
    gemini_generate,
    openai,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
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

_ROOTS: tuple[tuple[str, str, tuple[Operation, ...]], ...] = (
    ("openai", "/v1", _OPENAI_OPERATIONS),
    ("azure", "/openai/v1", _OPENAI_OPERATIONS),
    ("azure", "/openai/deployments/{model}", _DEPLOYMENT_OPERATIONS),
    ("azure", "/openai", _AZURE_OPERATIONS),
    ("anthropic", "/v1", _ANTHROPIC_OPERATIONS),
    ("gemini", "/(?:v1beta|v1)", _GEMINI_OPERATIONS),
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
