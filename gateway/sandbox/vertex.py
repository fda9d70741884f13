"""Owns what Vertex AI adds to Gemini's answers, who may call it, and how it names a model that it has not."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.sandbox.call import Answer, Call, Piece
from gateway.sandbox.google_json import CONTENT_TYPE, Json, pretty

# The sandbox has one kind of traffic: whatever is asked for, this one answers and is billed.
TRAFFIC_TYPE = "ON_DEMAND"

_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def _refuse(status: int, kind: str, message: str, details: list[Json]) -> Answer:
    error = {"code": status, "message": message, "status": kind, "details": details}
    return Answer(status, (Piece(pretty({"error": error})),), CONTENT_TYPE)


def _unauthenticated(message: str, reason: str) -> Answer:
    info: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "aiplatform.googleapis.com"},
    }
    return _refuse(401, "UNAUTHENTICATED", message, [info])


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    """An OAuth token; API keys, in either of Gemini's slots, are none."""
    if accepted:
        return None
    if presented:
        message = "Request had invalid authentication credentials. " + _EXPECTED
        return _unauthenticated(message, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
    if "x-goog-api-key" in call.request.headers or "key" in call.request.query:
        message = (
            "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials "
            "that assert a principal. See https://cloud.google.com/docs/authentication"
        )
        return _unauthenticated(message, "CREDENTIALS_MISSING")
    message = "Request is missing required authentication credential. " + _EXPECTED
    return _unauthenticated(message, "CREDENTIALS_MISSING")


def refuse_model(call: Call) -> Answer:
    name = call.request.path.split("/", 2)[2].rpartition(":")[0]
    message = (
        f"Publisher Model `{name}` was not found or your project does not have access to it. Please ensure you are "
        "using a valid model version."
    )
    return _refuse(404, "NOT_FOUND", message, [])


def dress(call: Call, document: Mapping[str, object], last: bool) -> Json:
    """The same answer as Vertex gives it: its usage, but for the kind of traffic, is in the last part of a stream."""
    usage: Json = document["usageMetadata"] if last else {}  # pyright: ignore[reportAssignmentType]
    visible = usage.get("candidatesTokenCount")
    if visible:
        usage = {**usage, "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": visible}]}
    candidates: list[Json] = document["candidates"]  # pyright: ignore[reportAssignmentType]
    created = datetime.fromtimestamp(call.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "candidates": [_undressed(candidate) for candidate in candidates],
        "usageMetadata": {**usage, "trafficType": TRAFFIC_TYPE},
        "modelVersion": document["modelVersion"],
        "createTime": created,
        "responseId": document["responseId"],
    }


def _undressed(candidate: Json) -> Json:
    return {name: member for name, member in candidate.items() if name != "index"}


def characters_of(value: object) -> int:
    """Billable characters of every string within a JSON value: white space is free."""
    if isinstance(value, str):
        return len("".join(value.split()))
    if isinstance(value, list):
        return sum(map(characters_of, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return sum(map(characters_of, value.values()))  # pyright: ignore[reportUnknownArgumentType]
    return 0
