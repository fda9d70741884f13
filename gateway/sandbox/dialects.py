"""Owns the table of dialects: whose path it is, where its credential is, how it refuses and what it always says."""

from collections.abc import Callable
from typing import NamedTuple

from gateway.sandbox import anthropic, azure, bedrock, gemini, openai, vertex
from gateway.sandbox.call import Answer, Call
from gateway.sandbox.request import Request

# A key of ours must never reach a provider: a gateway that forwards one instead of swapping it is caught here.
OUR_KEY_PREFIX = "lk-"


class Dialect(NamedTuple):
    """One provider's manners, whatever the operation."""

    name: str
    slots: tuple[str, ...]  # where its credential may be: a header, `bearer`, or `key` of the query
    authenticate: Callable[[Call, str | None, bool], Answer | None]
    check: Callable[[Call], Answer | None]  # what every operation demands besides
    fail: Callable[[Call, int], Answer]
    refuse_path: Callable[[Call], Answer]
    refuse_control: Callable[[Call, str], Answer]
    id_header: str  # names each call; empty: the provider names its answers in the body alone
    headers: tuple[tuple[str, str], ...] = ()
    raw_path: bool = False  # whether its routes are of the path as it was sent, with encoded slashes in a segment


def _demand_nothing(call: Call) -> Answer | None:
    return None


OPENAI = Dialect(
    "openai",
    ("bearer",),
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
    ("api-key", "bearer"),
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


def find_dialect(request: Request) -> Dialect:
    """Whose path it is. Several have `/v1/models` or `/v1/files`: there, the headers their clients send decide."""
    path = request.path
    if path.startswith("/openai/"):
        return AZURE
    if path.startswith("/model/"):
        return BEDROCK
    if path.startswith(("/v1/projects/", "/v1beta1/")):
        return VERTEX
    if path.startswith(("/v1/messages", "/anthropic/")) or (path.startswith("/v1/files") and _is_anthropic(request)):
        return ANTHROPIC
    if path.startswith(("/v1beta/", "/upload/", "/v1/interactions")) or (
        path.startswith("/v1/models/") and ":" in path
    ):
        return GEMINI
    if path.startswith("/v1/models") and _is_anthropic(request):
        return ANTHROPIC
    if path.startswith(("/v1/models", "/v1/files")) and ("x-goog-api-key" in request.headers or "key" in request.query):
        return GEMINI
    return OPENAI


def _is_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.headers


def authenticate(dialect: Dialect, call: Call, key_prefixes: tuple[str, ...]) -> Answer | None:
    """Why the caller is not let in; nothing if it is."""
    presented = _credentials(call.request)
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
    return found
