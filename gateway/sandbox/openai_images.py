"""Owns images, OpenAI's and Azure's: generations, edits and variations, whole or streamed."""

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens, read_body
from gateway.sandbox.media import picture, picture_kind
from gateway.sandbox.openai import ERROR_EVENT, Json, body_of, event_of, refuse, refuse_fault, resolve
from gateway.sandbox.openai_forms import Filled, convert_fields, read_fields
from gateway.sandbox.text import count_tokens, seed_of

# https://platform.openai.com/docs/api-reference/images
_SHARED = frozenset(("prompt", "model", "n", "size", "user"))
_GPT = frozenset((
    "background", "output_compression", "output_format", "partial_images", "quality", "safety_identifier", "stream",
))  # fmt: skip
GENERATION_FIELDS = {
    "gpt-image": _SHARED | _GPT | {"moderation"},
    "dall-e-3": _SHARED | {"quality", "response_format", "style"},
    "dall-e-2": _SHARED | {"response_format"},
}
EDIT_FIELDS = {"gpt-image": _SHARED | _GPT | {"input_fidelity"}, "dall-e-2": _SHARED | {"response_format"}}
VARIATION_FIELDS = {"dall-e-2": (_SHARED | {"response_format"}) - {"prompt"}}
SIZES = {
    "gpt-image": ("1024x1024", "1024x1536", "1536x1024", "auto"),
    "dall-e-3": ("1024x1024", "1024x1792", "1792x1024"),
    "dall-e-2": ("256x256", "512x512", "1024x1024"),
}
IMAGES_MAX = {"gpt-image": 10, "dall-e-3": 1, "dall-e-2": 10}
QUALITIES = {"gpt-image": ("low", "medium", "high", "auto"), "dall-e-3": ("standard", "hd"), "dall-e-2": ("standard",)}
# What is made where the request leaves it open.
AUTO = {
    "gpt-image": ("1024x1024", "medium"),
    "dall-e-3": ("1024x1024", "standard"),
    "dall-e-2": ("1024x1024", "standard"),
}

# Tokens of one picture by quality and size: https://platform.openai.com/docs/guides/image-generation#cost-and-latency
OUTPUT_TOKENS = {
    ("low", "1024x1024"): 272, ("low", "1024x1536"): 408, ("low", "1536x1024"): 400,
    ("medium", "1024x1024"): 1056, ("medium", "1024x1536"): 1584, ("medium", "1536x1024"): 1568,
    ("high", "1024x1024"): 4160, ("high", "1024x1536"): 6240, ("high", "1536x1024"): 6208,
}  # fmt: skip
# Each partial picture costs so much more (same page).
PARTIAL_TOKENS = 100
# A picture of 1024 by 1024 as input: 65 and twice 129 for its tiles (platform.openai.com/docs/guides/images-vision).
INPUT_TOKENS = 323

# Nano-USD a picture: https://platform.openai.com/docs/pricing
DALL_E_NANOUSD = {
    ("standard", "256x256"): 16_000_000, ("standard", "512x512"): 18_000_000, ("standard", "1024x1024"): 20_000_000,
}  # fmt: skip
DALL_E_3_NANOUSD = {
    ("standard", "1024x1024"): 40_000_000, ("standard", "1024x1792"): 80_000_000, ("standard", "1792x1024"): 80_000_000,
    ("hd", "1024x1024"): 80_000_000, ("hd", "1024x1792"): 120_000_000, ("hd", "1792x1024"): 120_000_000,
}  # fmt: skip


class ImageRequest(msgspec.Struct, frozen=True):
    """A generation, and an edit's or variation's text fields."""

    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)] = ""
    model: str = "dall-e-2"
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    quality: str | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None


class _Drawing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    request: ImageRequest
    model: Model
    seed: bytes
    inputs: int  # pictures it was given
    size: str
    quality: str
    event: str  # what its events are called

    @property
    def count(self) -> int:
        return self.request.n or 1

    @property
    def kind(self) -> str:
        return self.request.output_format or "png"

    @property
    def per_token(self) -> bool:
        return _rules_of(self.model) == "gpt-image"

    def picture(self, number: int) -> bytes:
        return picture(self.seed + bytes((number,)), self.kind)

    def tokens(self) -> Tokens:
        """All of it, output included: a picture is drawn whole, whoever waits for it."""
        if not self.per_token:
            return Tokens(output_images=self.count)
        counted = prompt_tokens(self.call.controls, count_tokens(self.request.prompt))
        drawn = OUTPUT_TOKENS[self.quality, self.size] * self.count
        partial = (self.request.partial_images or 0) * PARTIAL_TOKENS if self.request.stream else 0
        return msgspec.structs.replace(counted, input_image=self.inputs * INPUT_TOKENS, output_image=drawn + partial)

    def usage(self) -> Json:
        tokens = self.tokens()
        read = {
            "text_tokens": tokens.input + tokens.cache_read,
            "image_tokens": tokens.input_image + tokens.cache_read_image,
        }
        if tokens.cache_read or tokens.cache_read_image:
            read["cached_tokens"] = tokens.cache_read + tokens.cache_read_image
        return {
            "input_tokens": tokens.prompt,
            "input_tokens_details": read,
            "output_tokens": tokens.output_image,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": tokens.output_image},
            "total_tokens": tokens.prompt + tokens.output_image,
        }


def _rules_of(model: Model) -> str:
    return "gpt-image" if model.name.startswith("gpt-image") else model.name


def _all_of(fields: dict[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(name for names in fields.values() for name in names)


def generations(call: Call) -> Answer:
    request = read_body(ImageRequest, call.request.body, _all_of(GENERATION_FIELDS))
    if isinstance(request, Fault):
        return refuse_fault(request)
    if not request.prompt:
        return refuse_fault(Fault("missing", "prompt", ""))
    names = msgspec.json.decode(call.request.body, type=dict[str, msgspec.Raw])
    return _draw(call, request, frozenset(names), GENERATION_FIELDS, 0, "image_generation")


def edits(call: Call) -> Answer:
    return _draw_from_form(call, EDIT_FIELDS, frozenset(("image", "mask")), "image_edit")


def variations(call: Call) -> Answer:
    return _draw_from_form(call, VARIATION_FIELDS, frozenset(("image",)), "image_variation")


def _draw_from_form(call: Call, fields: dict[str, frozenset[str]], files: frozenset[str], event: str) -> Answer:
    filled = read_fields(call, _all_of(fields), files)
    if isinstance(filled, Answer):
        return filled
    request = convert_fields(ImageRequest, filled)
    if isinstance(request, Answer):
        return request
    return _refuse_files(filled, request, fields) or _draw(
        call, request, frozenset(filled.text), fields, len(filled.form.files["image"]), event
    )


def _refuse_files(filled: Filled, request: ImageRequest, fields: dict[str, frozenset[str]]) -> Answer | None:
    if "image" not in filled.form.files:
        return refuse_fault(Fault("missing", "image", ""))
    if "prompt" in fields["dall-e-2"] and not request.prompt:
        return refuse_fault(Fault("missing", "prompt", ""))
    given = [upload for uploads in filled.form.files.values() for upload in uploads]
    wrong = next((upload for upload in given if picture_kind(upload.data) is None), None)
    if wrong is None:
        return None
    message = f"Invalid file 'image': unsupported mimetype ('{wrong.content_type}'). Supported file formats are "
    return refuse(400, message + "'image/jpeg', 'image/png', and 'image/webp'.", "unsupported_file_mimetype", "image")


def _draw(
    call: Call, request: ImageRequest, names: frozenset[str], fields: dict[str, frozenset[str]], inputs: int, event: str
) -> Answer:
    model = resolve(call, request.model, "images")
    if isinstance(model, Answer):
        return model
    refusal = _refuse(request, model, names, fields)
    if refusal:
        return refusal
    size, quality = AUTO[_rules_of(model)]
    drawing = _Drawing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.prompt, event),
        inputs=inputs,
        size=size if request.size in (None, "auto") else request.size,
        quality=quality if request.quality in (None, "auto") else request.quality,
        event=event,
    )
    return _answer(drawing)


def _refuse(
    request: ImageRequest, model: Model, names: frozenset[str], fields: dict[str, frozenset[str]]
) -> Answer | None:
    """What this model does not take."""
    rules = _rules_of(model)
    if rules not in fields:
        message = f"Invalid value: '{request.model}'. Value must be '{next(reversed(fields))}'."
        return refuse(400, message, "invalid_value", "model")
    unknown = next((name for name in sorted(names) if name not in fields[rules]), None)
    if unknown:
        return refuse_fault(Fault("unknown", unknown, ""))
    if request.size is not None and request.size not in SIZES[rules]:
        return _refuse_value("size", request.size, SIZES[rules])
    if request.quality is not None and request.quality not in QUALITIES[rules]:
        return _refuse_value("quality", request.quality, QUALITIES[rules])
    if (request.n or 1) > IMAGES_MAX[rules]:
        message = f"Invalid 'n': integer above maximum value. Expected a value <= {IMAGES_MAX[rules]}."
        return refuse(400, message, "integer_above_max_value", "n")
    if request.partial_images is not None and not request.stream:
        return refuse(400, "'partial_images' is only supported when streaming.", "invalid_value", "partial_images")
    if request.stream and (request.n or 1) > 1:
        # How several pictures would share one stream and its usage is not documented.
        return refuse(400, "'n' must be 1 when streaming.", "invalid_value", "n")
    return None


def _refuse_value(field: str, value: str, values: tuple[str, ...]) -> Answer:
    listed = ", ".join(f"'{each}'" for each in values[:-1])
    message = f"Invalid value: '{value}'. Supported values are: {listed}, and '{values[-1]}'."
    return refuse(400, message, "invalid_value", field)


def _answer(drawing: _Drawing) -> Answer:
    prices = DALL_E_3_NANOUSD if drawing.model.name == "dall-e-3" else DALL_E_NANOUSD
    charge = Charge(
        drawing.model,
        drawing.tokens(),
        drawing.call.endpoint,
        image_nanousd=0 if drawing.per_token else prices[drawing.quality, drawing.size],
    )
    if not drawing.request.stream:
        return Answer(200, (Piece(body_of(_whole(drawing))),), charge=charge)
    return Answer(
        200,
        _stream(drawing),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=charge,
        error_event=ERROR_EVENT,
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _whole(drawing: _Drawing) -> Json:
    if drawing.per_token:
        data = [{"b64_json": _base64(drawing.picture(number))} for number in range(drawing.count)]
        return {"created": drawing.call.created_s, **_manner(drawing), "data": data, "usage": drawing.usage()}
    data = [_old_picture(drawing, number) for number in range(drawing.count)]
    return {"created": drawing.call.created_s, "data": data}


def _manner(drawing: _Drawing) -> Json:
    background = drawing.request.background
    return {
        "background": "opaque" if background in (None, "auto") else background,
        "output_format": drawing.kind,
        "quality": drawing.quality,
        "size": drawing.size,
    }


def _old_picture(drawing: _Drawing, number: int) -> Json:
    """As DALL·E gives it: by address, unless the bytes were asked for; version 3 says what it made of the prompt."""
    revised = {"revised_prompt": drawing.request.prompt} if drawing.model.name == "dall-e-3" else {}
    if drawing.request.response_format == "b64_json":
        return {**revised, "b64_json": _base64(drawing.picture(number))}
    return {**revised, "url": f"https://images.invalid/{drawing.seed.hex()[:24]}-{number}.png"}


def _stream(drawing: _Drawing) -> Iterator[Piece]:
    """The partial pictures, then the picture and what it used."""
    shared = {"created_at": drawing.call.created_s, **_manner(drawing)}
    kind = f"{drawing.event}.partial_image"
    for index in range(drawing.request.partial_images or 0):
        unfinished = _base64(picture(drawing.seed + bytes((0, index)), drawing.kind))
        yield Piece(event_of({"type": kind, "partial_image_index": index, "b64_json": unfinished, **shared}, kind))
    kind = f"{drawing.event}.completed"
    document = {"type": kind, "b64_json": _base64(drawing.picture(0)), **shared, "usage": drawing.usage()}
    yield Piece(event_of(document, kind))
