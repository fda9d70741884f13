"""Owns what only Mistral has: fill-in-the-middle, agents, OCR, its moderations, and files."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import MODELS, Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece
from gateway.sandbox.compatible import (
    OUTPUT_CONTROLS,
    PROMPT_CONTROLS,
    Json,
    answer_json,
    read_request,
    refuse_ignored,
    resolve,
)
from gateway.sandbox.compatible_chat import Asked, respond
from gateway.sandbox.form import read_form
from gateway.sandbox.openai_chat import Message
from gateway.sandbox.quirks import QUIRKS
from gateway.sandbox.refusals import Said, refuse, refuse_fault, refuse_value
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# mistralai: FIMCompletionRequest, AgentsCompletionRequest, OCRRequest, ClassificationRequest.
_FIM_FIELD_LIST = """
    model prompt temperature top_p max_tokens stream stop random_seed metadata suffix min_tokens prompt_cache_key
"""
_FIM_FIELDS = frozenset(_FIM_FIELD_LIST.split())
_CHAT_FIELDS = QUIRKS["mistral"].fields or frozenset()
_AGENTS_FIELDS = (_CHAT_FIELDS - {"model", "temperature", "top_p", "safe_prompt"}) | {"agent_id"}
_OCR_FIELD_LIST = """
    model document id pages include_image_base64 image_limit image_min_size bbox_annotation_format
    document_annotation_format document_annotation_prompt table_format extract_header extract_footer include_blocks
    confidence_scores_granularity
"""
_OCR_FIELDS = frozenset(_OCR_FIELD_LIST.split())
_MODERATION_FIELDS = frozenset(("model", "input", "metadata"))
_FILE_FIELDS = frozenset(("file", "purpose", "expiry", "visibility"))

_SAMPLE_TYPES = {"batch": "batch_request", "ocr": "ocr_input"}

# An agent exists by having been made in a console; here is one.
AGENTS = {"ag_sandbox": "mistral-small-latest"}

# What the sandbox takes every document to have; `pages` of a request chooses among them.
DOCUMENT_PAGES = 3
_PAGE_WORDS = 40

_CATEGORY_LIST = """
    sexual hate_and_discrimination violence_and_threats dangerous_and_criminal_content selfharm health financial
    law pii
"""
_CATEGORIES = tuple(_CATEGORY_LIST.split())


class _FimRequest(Asked, frozen=True, kw_only=True):
    model: str
    prompt: str
    suffix: str | None = None


class _AgentsRequest(Asked, frozen=True, kw_only=True):
    messages: Annotated[list[Message], Meta(min_length=1)]
    agent_id: str


def fim(call: Call) -> Answer:
    request = read_request(call, _FimRequest, _FIM_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "completions")
    if isinstance(model, Answer):
        return model
    counted = count_tokens([request.prompt, request.suffix])
    return respond(call, request, model, seed_of(model.name, request.prompt, request.suffix), counted)


def agents(call: Call) -> Answer:
    request = read_request(call, _AgentsRequest, _AGENTS_FIELDS)
    if isinstance(request, Answer):
        return request
    if request.agent_id not in AGENTS:
        return refuse(call, Said(404, f"Agent not found: {request.agent_id}", "invalid_request_agent", "3000"))
    model = MODELS[AGENTS[request.agent_id]]
    counted = 3 + sum(4 + count_tokens(message.content) for message in request.messages)
    return respond(call, request, model, seed_of(request.agent_id, request.messages), counted)


class _Document(msgspec.Struct, frozen=True):
    type: Literal["document_url", "image_url", "file"]
    document_url: str = ""
    image_url: object = None
    file_id: str = ""


class _OcrRequest(msgspec.Struct, frozen=True):
    model: str
    document: _Document
    pages: list[int] | str | None = None
    bbox_annotation_format: Json | None = None
    document_annotation_format: Json | None = None

    @property
    def annotated(self) -> bool:
        return self.bbox_annotation_format is not None or self.document_annotation_format is not None


def ocr(call: Call) -> Answer:
    """Every page is billed, dearer if annotations were asked for. An image is one page."""
    request = read_request(call, _OcrRequest, _OCR_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "ocr")
    if isinstance(model, Answer):
        return model
    indices = _pages(request)
    if isinstance(indices, str):
        return refuse_value(call, "pages", indices)
    return refuse_ignored(call, *PROMPT_CONTROLS, *OUTPUT_CONTROLS) or _read(call, request, model, indices)


def _read(call: Call, request: _OcrRequest, model: Model, indices: list[int]) -> Answer:
    document: Json = {
        "pages": [_page(request, model, index) for index in indices],
        "model": model.version,
        "document_annotation": "{}" if request.document_annotation_format else None,
        "usage_info": {"pages_processed": len(indices), "doc_size_bytes": None},
    }
    count = len(indices)
    tokens = Tokens(input_annotated_pages=count) if request.annotated else Tokens(input_pages=count)
    charge = Charge(model, tokens, call.endpoint)
    return Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def _pages(request: _OcrRequest) -> list[int] | str:
    """The indices of the pages to read, or what is wrong with those asked for."""
    existing = list(range(1 if request.document.type == "image_url" else DOCUMENT_PAGES))
    if request.pages is None:
        return existing
    if isinstance(request.pages, str):
        return "the sandbox takes page numbers as a list"
    return request.pages if set(request.pages) <= set(existing) else f"the document has pages 0 to {existing[-1]}"


def _page(request: _OcrRequest, model: Model, index: int) -> Json:
    words = write_chunks(seed_of(model.name, request.document, index), _PAGE_WORDS, _PAGE_WORDS)
    return {
        "index": index,
        "markdown": "".join(text for text, _ in words),
        "images": [],
        "dimensions": {"dpi": 200, "height": 2200, "width": 1700},
    }


class _ModerationRequest(msgspec.Struct, frozen=True):
    model: str
    input: str | list[object]


def moderations(call: Call) -> Answer:
    """Nothing is ever flagged, and nothing billed. Of conversations there are as many verdicts as conversations."""
    request = read_request(call, _ModerationRequest, _MODERATION_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "moderations")
    if isinstance(model, Answer):
        return model
    inputs = request.input if isinstance(request.input, list) else [request.input]
    if call.endpoint == "chat.moderations" and inputs and isinstance(inputs[0], dict):
        inputs = [inputs]
    harmless = {
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.000125),
    }
    identifier = call.id_hex(seed_of(model.name, request.input))
    return answer_json({"id": identifier, "model": model.version, "results": [harmless for _ in inputs]})


def files_upload(call: Call) -> Answer:
    """Acknowledges a file. The sandbox keeps none: it is not in the list, and cannot be fetched."""
    form = read_form(call.request)
    if isinstance(form, str):
        return refuse_fault(call, Fault("json", "", f"the body is no multipart form: {form}"))
    unknown = next(iter(sorted(form.names - _FILE_FIELDS)), None)
    if unknown is not None:
        return refuse_fault(call, Fault("unknown", unknown, ""))
    upload, purpose = form.file("file"), form.text("purpose") or "fine-tune"
    if upload is None:
        return refuse_fault(call, Fault("missing", "file", ""))
    return answer_json(
        {
            "id": call.id_hex(seed_of(upload.filename, upload.data.hex())),
            "object": "file",
            "bytes": len(upload.data),
            "created_at": call.created_s,
            "filename": upload.filename,
            "purpose": purpose,
            "sample_type": _SAMPLE_TYPES.get(purpose, "instruct"),
            "source": "upload",
        }
    )


def files_list(call: Call) -> Answer:
    return answer_json({"data": [], "object": "list", "total": 0})


def files_retrieve(call: Call) -> Answer:
    return refuse(call, Said(404, f"No file matches the given id: {call.path_model}", "invalid_file_id", "3003"))
