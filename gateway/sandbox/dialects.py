"""Owns the table of dialects: whose path it is, where its credential is, how it refuses and what it always says."""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.sandbox import anthropic, azure, bedrock, gemini, openai, refusals, vertex
from gateway.sandbox.bill import MODELS
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.form import Form, read_form
from gateway.sandbox.request import Request
from gateway.sandbox.websocket import is_upgrade, offered_protocols

# A key of ours must never reach a provider: a gateway that forwards one instead of swapping it is caught here.
OUR_KEY_PREFIX = "lk-"
# Before the key among the subprotocols: https://platform.openai.com/docs/guides/realtime-websocket
KEY_PROTOCOL = "openai-insecure-api-key."


class Dialect(NamedTuple):
    """One provider's manners, whatever the operation."""

    name: str
    slots: tuple[str, ...]  # where its credential may be: see `_credentials`
    authenticate: Callable[[Call, str | None, bool], Answer | None]
    check: Callable[[Call], Answer | None]  # what every operation demands besides
    fail: Callable[[Call, int], Answer]
    refuse_path: Callable[[Call], Answer]
    refuse_control: Callable[[Call, str], Answer]
    id_header: str  # names each call; empty: the provider names its answers in the body alone
    headers: tuple[tuple[str, str], ...] = ()
    raw_path: bool = False  # whether its routes are of the path as it was sent, with encoded slashes in a segment
    keyless: bool = False  # a server of one's own: without a credential everybody is let in


def _demand_nothing(call: Call) -> Answer | None:
    return None


OPENAI = Dialect(
    "openai",
    ("bearer", "subprotocol"),
    openai.authenticate,
    _demand_nothing,
    openai.fail,
    openai.refuse_path,
    openai.refuse_control,
    "x-request-id",
    (("openai-organization", "org-sandbox"), ("openai-version", "2020-10-01")),
)
AZURE = Dialect(
    "azure",
    ("api-key", "bearer", "query-api-key", "subprotocol"),
    azure.authenticate,
    azure.refuse_version,
    openai.fail,
    azure.refuse_path,
    openai.refuse_control,
    "x-request-id",
    (("x-ms-region", "Sandbox"),),
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
BEDROCK = Dialect(
    "bedrock",
    ("bearer",),
    bedrock.authenticate,
    _demand_nothing,
    bedrock.fail,
    bedrock.refuse_path,
    bedrock.refuse_control,
    "x-amzn-requestid",
    raw_path=True,
)
VERTEX = Dialect(
    "vertex",
    ("bearer",),
    vertex.authenticate,
    _demand_nothing,
    gemini.fail,
    gemini.refuse_path,
    gemini.refuse_control,
    "",
)


# Servers of one's own: they let everybody in, and name a call in the body if at all.
_KEYLESS = ("ollama", "vllm", "llama.cpp")
# Where each of the others names its calls.
_ID_HEADERS = {
    "mistral": "x-kong-request-id",
    "groq": "x-request-id",
    "cohere": "x-debug-trace-id",
    "together": "x-together-traceid",
    "deepseek": "x-ds-trace-id",
    "xai": "x-request-id",
    "openrouter": "x-generation-id",
    "perplexity": "x-request-id",
    "cerebras": "x-request-id",
    "moonshot": "msh-request-id",
    "zai": "x-log-id",
    "voyage": "x-request-id",
}


def _other(name: str) -> Dialect:
    """One of those that the tables of quirks and refusals describe."""
    return Dialect(
        name,
        ("bearer",),
        refusals.authenticate,
        _demand_nothing,
        refusals.fail,
        refusals.refuse_path,
        refusals.refuse_control,
        _ID_HEADERS.get(name, ""),
        keyless=name in _KEYLESS,
    )


DIALECTS = {row.name: row for row in (OPENAI, AZURE, ANTHROPIC, GEMINI, BEDROCK, VERTEX)} | {
    name: _other(name) for name in refusals.WORDINGS
}

# Paths that one provider has to itself; the first that fits.
_OWN_PATHS = (
    (re.compile(r"/openai/.*"), "azure"),
    (re.compile(r"/model/.*"), "bedrock"),
    (re.compile(r"/v1/projects/.*|/v1beta1/.*"), "vertex"),
    (re.compile(r"/v1/messages.*|/anthropic/.*"), "anthropic"),
    (re.compile(r"/v1beta/.*|/upload/.*|/ws/google\.ai\..*|/v1/interactions.*|/v1/models/.*:.*"), "gemini"),
    (re.compile(r"/v2/(chat|embed|rerank)|/compatibility/v1/.*|/v1/(chat|embed|tokenize|detokenize)"), "cohere"),
    (re.compile(r"/api/paas/v4/.*"), "zai"),
    (re.compile(r"/api/v1/.*"), "openrouter"),
    (re.compile(r"/api/.*"), "ollama"),
    (re.compile(r"/v1/(fim/completions|agents/completions|ocr|chat/moderations)"), "mistral"),
    (re.compile(r"/v1/(contextualizedembeddings|multimodalembeddings)"), "voyage"),
    (re.compile(r"/chat/completions"), "perplexity"),
)
# Paths that many have: there the model's name tells, or `x-sandbox-provider`.
_SHARED_PATH = re.compile(r"(/openai)?/v1/.*|/chat/completions")
# Paths that OpenAI, Anthropic and Gemini have.
_LISTED_PATH = re.compile(r"/v1/(models|files)(/|$)")


class _Named(msgspec.Struct):
    model: str = ""


def find_dialect(request: Request, asked: str = "auto") -> Dialect:
    """Who answers: whoever is asked for by name, else whose path it is, else whose model."""
    if asked in DIALECTS:
        return DIALECTS[asked]
    if _SHARED_PATH.fullmatch(request.path):
        owner = _owner_of_model(request)
        if owner is not None:
            return owner
    for pattern, name in _OWN_PATHS:
        if pattern.fullmatch(request.path):
            return DIALECTS[name]
    return _first_dialect(request)


def _owner_of_model(request: Request) -> Dialect | None:
    """Whose model the body or the path names, if it is one of the others'."""
    model = MODELS.get(_model_named(request))
    return DIALECTS[model.family] if model and model.family in refusals.WORDINGS else None


def _model_named(request: Request) -> str:
    """As the path, a form or a JSON body has it; empty if none does."""
    if request.method == "GET":
        return request.path.partition("/models/")[2]
    if not request.body.startswith(b"{"):
        form = read_form(request)
        return form.text("model") if isinstance(form, Form) else ""
    try:
        return msgspec.json.decode(request.body, type=_Named).model
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return ""


def _first_dialect(request: Request) -> Dialect:
    """Whose lists of models and files they are, the headers tell that the client always sends."""
    if _LISTED_PATH.match(request.path):
        if "anthropic-version" in request.headers:
            return ANTHROPIC
        if "x-goog-api-key" in request.headers or "key" in request.query:
            return GEMINI
    return OPENAI


def authenticate(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer | None:
    """Why the caller is not let in; nothing if it is."""
    presented = _credentials(call.request)
    if dialect.keyless and not presented:
        return None
    leaked = any(value.startswith(OUR_KEY_PREFIX) for value in presented.values())
    key = next((presented[slot] for slot in dialect.slots if slot in presented), "" if leaked else None)
    return dialect.authenticate(call, key, key is not None and key.startswith(key_prefixes) and not leaked)


def _credentials(request: Request) -> dict[str, str]:
    """Every credential presented, by slot, the slots of other dialects included."""
    named = ("x-api-key", "api-key", "x-goog-api-key")
    found = {name: request.headers[name] for name in named if name in request.headers}
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found["bearer"] = token.strip()
    if "key" in request.query:
        found["key"] = request.query["key"]
    if is_upgrade(request):
        found |= _socket_credentials(request)
    return found


def _socket_credentials(request: Request) -> dict[str, str]:
    """Where a browser, which cannot set headers of a WebSocket, has its key: OpenAI's way and Azure's."""
    offered = offered_protocols(request)
    keys = [name.removeprefix(KEY_PROTOCOL) for name in offered if name.startswith(KEY_PROTOCOL)]
    found = {"subprotocol": keys[0]} if keys else {}
    if "api-key" in request.query:
        found["query-api-key"] = request.query["api-key"]
    return found
