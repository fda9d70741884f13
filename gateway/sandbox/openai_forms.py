"""Owns what OpenAI's operations share beyond a JSON body: multipart bodies and pages of lists."""

import re
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from gateway.sandbox.call import Answer, Call, Fault, Piece, fault_of
from gateway.sandbox.form import Form, is_form, read_form
from gateway.sandbox.openai import Json, body_of, refuse, refuse_fault

T = TypeVar("T")

_MEMBER = re.compile(r"(\w+)\[(\w+)\]")


class Filled(NamedTuple):
    """A form as its operation reads it: the fields as a struct, the files by name without `[]`."""

    form: Form
    text: dict[str, object]


def read_fields(call: Call, fields: frozenset[str], files: frozenset[str]) -> Filled | Answer:
    """The form's fields by name, `name[]` as lists and `name[member]` as objects, or why it is refused."""
    if not is_form(call.request):
        content_type = call.request.headers.get("content-type", "")
        message = (
            f"Unsupported content type: '{content_type.partition(';')[0]}'. This API method only accepts "
            "'multipart/form-data' requests. Please try again with a supported content type."
        )
        return refuse(415, message, "unsupported_content_type")
    form = read_form(call.request)
    if isinstance(form, str):
        return refuse(400, f"Could not parse multipart form: {form}.")
    form = Form(form.fields, {name.removesuffix("[]"): given for name, given in form.files.items()})
    text = _by_name(form.fields)
    unknown = next((name for name in (*text, *form.files) if name not in (files if name in form.files else fields)), "")
    return refuse_fault(Fault("unknown", unknown, "")) if unknown else Filled(form, text)


def _by_name(fields: dict[str, list[str]]) -> dict[str, object]:
    text: dict[str, object] = {}
    for name, values in fields.items():
        member = _MEMBER.fullmatch(name)
        if member:
            held = text.setdefault(member[1], {})
            assert isinstance(held, dict)
            held[member[2]] = values[-1]
        elif name.endswith("[]"):
            text[name[:-2]] = values
        else:
            text[name] = values[-1]
    return text


def convert_fields(kind: type[T], filled: Filled) -> T | Answer:
    """The fields as that struct; texts become numbers and truths where it has them."""
    try:
        return msgspec.convert(filled.text, kind, strict=False)
    except msgspec.ValidationError as error:
        return refuse_fault(fault_of(str(error)))


class Paging(msgspec.Struct, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 20
    after: str = ""
    before: str = ""
    order: str = "desc"


def page(call: Call, items: list[Json]) -> Answer:
    """The page of these, which are oldest first, that the query asks for: newest first unless it says otherwise."""
    try:
        paging = msgspec.convert(call.request.query, Paging, strict=False)
    except msgspec.ValidationError as error:
        return refuse_fault(fault_of(str(error)))
    ordered = items if paging.order == "asc" else items[::-1]
    names = [item["id"] for item in ordered]
    if paging.after:
        ordered = ordered[names.index(paging.after) + 1 :] if paging.after in names else []
    shown = ordered[: paging.limit]
    document = {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(ordered) > len(shown),
    }
    return Answer(200, (Piece(body_of(document)),))


def show(document: Json) -> Answer:
    return Answer(200, (Piece(body_of(document)),))


def deleted(name: str, kind: str) -> Answer:
    return show({"id": name, "object": kind, "deleted": True})
