"""Owns Claude on Vertex: rawPredict and streamRawPredict. Google refuses the caller, Anthropic the body."""

import msgspec

from gateway.sandbox import anthropic_messages
from gateway.sandbox.anthropic import body_of, refuse, refuse_control, refuse_fault
from gateway.sandbox.anthropic_messages import CountRequest, MessagesRequest, accept, answer_of
from gateway.sandbox.bill import Model, find_model
from gateway.sandbox.call import Answer, Call, Fault, Piece, prompt_tokens, read_body
from gateway.sandbox.vertex import refuse_model

# https://docs.anthropic.com/en/api/claude-on-vertex-ai : the model is in the path, the version in the body.
FIELDS = (anthropic_messages.FIELDS - {"model"}) | {"anthropic_version", "anthropic_beta"}
COUNT_FIELDS = anthropic_messages.COUNT_FIELDS | {"anthropic_version", "anthropic_beta"}
# The second is what Anthropic's own SDK of 2026-10 sends to everyone.
VERSIONS = ("vertex-2023-10-16", "2026-10-21")


class RawRequest(MessagesRequest, frozen=True, kw_only=True):
    anthropic_version: str


class RawCountRequest(CountRequest, frozen=True, kw_only=True):
    anthropic_version: str


def predict(call: Call) -> Answer:
    return _answer(call, stream=False)


def stream(call: Call) -> Answer:
    return _answer(call, stream=True)


def _answer(call: Call, stream: bool) -> Answer:
    model = _find(call.path_model)
    if model is None:
        return refuse_model(call)
    request = read_body(RawRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    problem = _version_mistake(request.anthropic_version) or anthropic_messages.mistake_of(request)
    if request.stream and not stream:
        problem = "stream: Input should be false, or the method streamRawPredict"
    if problem:
        return refuse(call, 400, "invalid_request_error", problem)
    if misused := anthropic_messages.misused_control(call, request):
        return refuse_control(call, misused)
    writing = msgspec.structs.replace(accept(call, request, model), id_prefix="msg_vrtx_01")
    return answer_of(writing, request.stream)


def _find(name: str) -> Model | None:
    """Vertex puts the date of a version behind an `@`."""
    return find_model(name.replace("@", "-"), "anthropic", "chat")


def _version_mistake(version: str) -> str:
    return "" if version in VERSIONS else f"anthropic_version: Input should be '{VERSIONS[0]}'"


def tokens_count(call: Call) -> Answer:
    """What a message with this input would be billed for its input; free. Here the model is in the body."""
    request = read_body(RawCountRequest, call.request.body, COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    if problem := _version_mistake(request.anthropic_version):
        return refuse(call, 400, "invalid_request_error", problem)
    if _find(request.model) is None:
        return refuse_model(call)
    counted = prompt_tokens(call.controls, request.counted_tokens)
    return Answer(200, (Piece(body_of({"input_tokens": counted.prompt})),))
