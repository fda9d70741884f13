"""Owns what Azure adds to OpenAI's answers: content-filter results, its key order and its own refusals."""

from collections.abc import Mapping

from gateway.sandbox.call import Answer, Call, Piece
from gateway.sandbox.openai import Json, body_of

_SAFE = {"filtered": False, "severity": "safe"}
_FILTERED = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}
_PROMPT_FILTERED = {**_FILTERED, "jailbreak": {"detected": False, "filtered": False}}
_PROMPT_FILTER_RESULTS = [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTERED}]

# A stream's first chunk: no id, no model, no choices.
PROMPT_FILTER_CHUNK: Json = {
    "choices": [],
    "created": 0,
    "id": "",
    "model": "",
    "object": "",
    "prompt_filter_results": _PROMPT_FILTER_RESULTS,
}


def _dress_choice(choice: Mapping[str, object], judged: bool) -> Json:
    """A verdict on what the choice says; on one that says nothing, or is judged later, an empty one."""
    delta: Json = choice.get("delta") or {}  # pyright: ignore[reportAssignmentType]
    says = "message" in choice or delta.get("content") or delta.get("tool_calls")
    return dict(sorted({**choice, "content_filter_results": _FILTERED if says and judged else {}}.items()))


def dress(document: Json, first: bool = False, judged: bool = True) -> Json:
    """The same answer as Azure gives it; `first` adds the verdict on the prompt, for answers in one piece."""
    choices: list[Json] = document["choices"]  # pyright: ignore[reportAssignmentType]
    more: Json = {"prompt_filter_results": _PROMPT_FILTER_RESULTS} if first else {}
    return dict(sorted({**document, **more, "choices": [_dress_choice(choice, judged) for choice in choices]}.items()))


def served_headers(call: Call, answer: Answer) -> tuple[tuple[str, str], ...]:
    """Which deployment answered, and which it stood in for: provisioned throughput spills over when it is full.

    https://learn.microsoft.com/azure/ai-foundry/openai/how-to/spillover-traffic-management
    """
    if answer.charge is None:
        return ()
    asked = call.path_model or answer.charge.model.name
    if not call.controls.spillover:
        return (("x-ms-deployment-name", asked),)
    return (("x-ms-deployment-name", call.controls.spillover), ("x-ms-spillover-from-deployment", asked))


def filter_chunk(index: int, characters: int) -> Json:
    """The verdict on what a choice said, where the words did not wait for it: a chunk that says nothing."""
    offsets = {"check_offset": characters, "start_offset": 0, "end_offset": characters}
    choice: Json = {
        "content_filter_offsets": offsets,
        "content_filter_results": _FILTERED,
        "finish_reason": None,
        "index": index,
    }
    return {"choices": [choice], "created": 0, "id": "", "model": "", "object": ""}


def refuse(status: int, message: str) -> Answer:
    """What Azure's front door answers; errors behind it have OpenAI's shape."""
    return Answer(status, (Piece(body_of({"error": {"code": str(status), "message": message}})),))


def authenticate(call: Call, presented: str | None, accepted: bool) -> Answer | None:
    if accepted:
        return None
    return refuse(
        401,
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
        "for an active subscription and use a correct regional API endpoint for your resource.",
    )


def refuse_path(call: Call) -> Answer:
    return refuse(404, "Resource not found")


def refuse_version(call: Call) -> Answer | None:
    """Every path but v1's needs an api-version; without one Azure knows no such resource."""
    if call.request.path.startswith("/openai/v1/") or call.request.query.get("api-version"):
        return None
    return refuse_path(call)
