"""Owns the table of dialects: whose path it is, where its credential is, how it refuses and what it always says."""

from collections.abc import Callable
from typing import NamedTuple

from gateway.sandbox import anthropic, azure, gemini, openai
from gateway.sandbox.call import Answer, Call
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


def find_dialect(request: Request) -> Dialect:
    """Whose path it is. Three of them have `/v1/models`: there, the headers their clients always send decide."""
    path = request.path
    if path.startswith("/openai/"):
        return AZURE
    if path.startswith("/v1/messages"):
        return ANTHROPIC
    if path.startswith("/v1beta/") or (path.startswith("/v1/models/") and ":" in path):
        return GEMINI
    if path.startswith("/v1/models") and "anthropic-version" in request.headers:
        return ANTHROPIC
    if path.startswith("/v1/models") and ("x-goog-api-key" in request.headers or "key" in request.query):
        return GEMINI
    return OPENAI


def authenticate(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer | None:
    """Why the caller is not let in; nothing if it is."""
    presented = _credentials(call.request)
    key = next((presented[slot] for slot in dialect.slots if slot in presented), None)
    leaked = any(value.startswith(OUR_KEY_PREFIX) for value in presented.values())
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
