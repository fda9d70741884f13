"""Owns the table of operations: which path is which, who answers it, and what a call must pass before that."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from gateway.sandbox import (
    anthropic,
    anthropic_messages,
    azure,
    gemini,
    gemini_embed,
    gemini_generate,
)
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.dialects import Dialect, authenticate
from gateway.sandbox.openai_operations import AZURE_OPERATIONS, DEPLOYMENT_OPERATIONS, OPENAI_OPERATIONS

Handler = Callable[[Call], Answer]
# Method, path below the dialect's root, endpoint, handler. A name in braces is one segment, up to a colon:
# `{model}`, or `{id}` of an object and `{part}` of one within it.
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
    ("openai", "/v1", OPENAI_OPERATIONS),
    ("azure", "/openai/v1", OPENAI_OPERATIONS),
    ("azure", "/openai/deployments/{model}", DEPLOYMENT_OPERATIONS),
    ("azure", "/openai", AZURE_OPERATIONS),
    ("anthropic", "/v1", _ANTHROPIC_OPERATIONS),
    ("gemini", "/(?:v1beta|v1)", _GEMINI_OPERATIONS),
)


_SEGMENT = re.compile(r"\{(model|id|part)\}")
_METHODS = ("GET", "POST", "DELETE")


def _routes(dialect: str, method: str) -> Iterator[Route]:
    for owner, root, operations in _ROOTS:
        for operation_method, path, endpoint, handler in operations:
            if (owner, operation_method) == (dialect, method):
                pattern = _SEGMENT.sub(r"(?P<path_\1>[^/:]+)", root + path)
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
    found = find_route(dialect.name, call.request.method, call.request.path)
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


def _misused_control(call: Call, answer: Answer) -> str:
    """A control that would be ignored, which is an error."""
    if call.dialect != "azure" and (call.controls.spillover or call.controls.async_filter):
        return "x-sandbox-spillover, x-sandbox-async-filter: only Azure does this"
    if answer.charge is None:
        return ""
    bucket = answer.charge.model.unbillable(answer.charge.prompt)
    if bucket:
        return f"{answer.charge.model.name} has no price for {bucket}"
    if call.controls.error_after_chunks is not None and not answer.stream:
        return "x-sandbox-error-after-chunks: only a stream can end with an error event"
    return ""
