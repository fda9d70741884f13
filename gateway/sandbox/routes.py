"""Owns the table of dialects and operations: which path is whose, who is let in, and who answers."""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.sandbox import (
    anthropic,
    anthropic_messages,
    azure,
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
from gateway.sandbox.request import Request

Handler = Callable[[Call], Answer]


class Dialect(NamedTuple):
    """How one provider refuses, and in which header it names each call."""

    name: str
    slots: tuple[str, ...]  # where a credential may be: headers, `bearer`, or `key` of the query
    authenticate: Callable[[Call, str | None, bool], Answer | None]
    check: Callable[[Call], Answer | None]  # what every operation of the dialect demands
    fail: Callable[[Call, int], Answer]
    refuse_path: Callable[[Call], Answer]
    refuse_control: Callable[[Call, str], Answer]
    id_header: str  # empty: the provider names its answers in the body alone
    headers: tuple[tuple[str, str], ...] = ()


def _demand_nothing(call: Call) -> Answer | None:
    return None


_OPENAI_HEADERS = (("openai-organization", "org-sandbox"), ("openai-version", "2020-10-01"))
OPENAI = Dialect(
    "openai",
    ("bearer",),
    openai.authenticate,
    _demand_nothing,
    openai.fail,
    openai.refuse_path,
    openai.refuse_control,
    "x-request-id",
    _OPENAI_HEADERS,
)
AZURE = OPENAI._replace(
    name="azure",
    slots=("api-key", "bearer"),
    authenticate=azure.authenticate,
    check=azure.refuse_version,
    refuse_path=azure.refuse_path,
    headers=(("x-ms-region", "Sandbox"),),
)
ANTHROPIC = Dialect(
    "anthropic",
    ("x-api-key", "bearer"),
    anthropic.authenticate,
    anthropic.refuse_version,
    anthropic.fail,
    anthropic.refuse_path,
    anthropic.refuse_control,
    "request-id",
    (("anthropic-organization-id", "org-sandbox"),),
)
GEMINI = Dialect(
    "gemini",
    ("x-goog-api-key", "key", "bearer"),
    gemini.authenticate,
    _demand_nothing,
    gemini.fail,
    gemini.refuse_path,
    gemini.refuse_control,
    "",
)


class Route(NamedTuple):
    dialect: str
    method: str
    path: re.Pattern[str]
    endpoint: str
    handler: Handler


def _route(dialect: str, method: str, path: str, endpoint: str, handler: Handler) -> Route:
    """`{model}` in a path is one segment, up to a colon."""
    return Route(dialect, method, re.compile(path.replace("{model}", "(?P<model>[^/:]+)")), endpoint, handler)


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
    ("/chat/completions", "chat.completions", openai_chat.chat),
    ("/completions", "completions", openai_completions.completions),
    ("/embeddings", "embeddings", openai_embeddings.embeddings),
)
# The others have it in the body, under /openai with an api-version.
_AZURE_OPERATIONS = (
    ("POST", "/responses", "responses", openai_responses.responses),
    ("GET", "/models", "models.list", openai.models_list),
)
_ANTHROPIC_OPERATIONS = (
    ("POST", "/v1/messages", "messages", anthropic_messages.messages),
    ("POST", "/v1/messages/count_tokens", "messages.count_tokens", anthropic_messages.tokens_count),
    ("GET", "/v1/models", "models.list", anthropic.models_list),
    ("GET", "/v1/models/{model}", "models.retrieve", anthropic.models_retrieve),
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

ROUTES = (
    *(_route("openai", method, "/v1" + path, name, act) for method, path, name, act in _OPENAI_OPERATIONS),
    *(_route("azure", method, "/openai/v1" + path, name, act) for method, path, name, act in _OPENAI_OPERATIONS),
    *(
        _route("azure", "POST", "/openai/deployments/{model}" + path, name, act)
        for path, name, act in _DEPLOYMENT_OPERATIONS
    ),
)


def find_dialect(request: Request) -> Dialect:
    """Whose path it is. `/v1/models` is both OpenAI's and Anthropic's, whose clients always send a version."""
    path = request.path
    if path.startswith("/openai/"):
        return AZURE
    if path.startswith("/v1/messages") or ("anthropic-version" in request.headers and path.startswith("/v1/models")):
        return ANTHROPIC
    if path.startswith("/v1beta/") or (path.startswith("/v1/models/") and ":" in path):
        return GEMINI
    return OPENAI


def find_route(dialect: Dialect, request: Request) -> tuple[Route, str] | None:
    """The operation and the model its path names, or nothing."""
    for route in ROUTES:
        if route.dialect != dialect.name or route.method != request.method:
            continue
        found = route.path.fullmatch(request.path)
        if found:
            return route, found.groupdict().get("model", "")
    return None


def credentials(request: Request) -> dict[str, str]:
    """Every credential presented, by slot."""
    named = ("x-api-key", "api-key", "x-goog-api-key")
    found = {name: request.headers[name] for name in named if name in request.headers}
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found["bearer"] = token.strip()
    if "key" in request.query:
        found["key"] = request.query["key"]
    return found


# A key of ours must never reach a provider: a gateway that forwards one instead of swapping it is caught here.
OUR_KEY_PREFIX = "lk-"


def _authenticate(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer | None:
    presented = credentials(call.request)
    key = next((presented[slot] for slot in dialect.slots if slot in presented), None)
    leaked = any(value.startswith(OUR_KEY_PREFIX) for value in presented.values())
    return dialect.authenticate(call, key, key is not None and key.startswith(key_prefixes) and not leaked)


def respond(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer:
    """What the provider says to this call: credential first, then the path, then the operation's own rules."""
    refusal = _authenticate(dialect, call, key_prefixes) or dialect.check(call)
    if refusal:
        return refusal
    found = find_route(dialect, call.request)
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
