import base64
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.media import picture, picture_kind
from tests.support.sandbox_calls import Told, ask, ask_form, new_sandbox

PATH = "/v1/images/generations"
CAT = ("cat.png", picture(b"cat"))


def draw(model: str = "gpt-image-1.5", more: dict[str, Any] | None = None, **headers: Any) -> Told:
    return ask(new_sandbox(), PATH, {"model": model, "prompt": "eightish", **(more or {})}, **headers)


def test_a_picture_is_paid_by_the_token():
    told = draw(more={"quality": "high", "size": "1536x1024", "n": 2, "output_format": "jpeg"})

    said = told.json
    assert (said["quality"], said["size"], said["output_format"]) == ("high", "1536x1024", "jpeg")
    assert [picture_kind(base64.b64decode(each["b64_json"])) for each in said["data"]] == ["jpeg", "jpeg"]
    assert said["usage"] == {
        "input_tokens": 2,
        "input_tokens_details": {"text_tokens": 2, "image_tokens": 0},
        "output_tokens": 12_416,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 12_416},
        "total_tokens": 12_418,
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=2, output_image=12_416)


def test_what_a_cache_had_is_part_of_the_input():
    told = draw(x_sandbox_cached_tokens="30", x_sandbox_cached_image_tokens="4")

    assert told.json["usage"]["input_tokens"] == 36
    assert told.json["usage"]["input_tokens_details"] == {"text_tokens": 32, "image_tokens": 4, "cached_tokens": 34}


def test_a_stream_has_partial_pictures_and_ends_with_the_usage():
    told = draw("gpt-image-2", {"stream": True, "partial_images": 2})

    *partial, last = told.events
    kinds = [(event["type"], event["partial_image_index"]) for event in partial]
    assert kinds == [("image_generation.partial_image", 0), ("image_generation.partial_image", 1)]
    assert last["type"] == "image_generation.completed"
    assert last["usage"]["output_tokens"] == 1056 + 2 * 100
    assert told.body.startswith(b"event: image_generation.partial_image\ndata: ")
    assert told.entry
    assert (told.entry.stream, told.entry.tokens.output_image) == (True, 1256)


def test_a_cut_stream_is_billed_whole_because_the_picture_was_drawn():
    told = draw(more={"stream": True, "partial_images": 1}, x_sandbox_cut_after_chunks="1")

    assert told.entry
    assert told.entry.tokens.output_image == 1156


@pytest.mark.parametrize(
    ("model", "more", "nanousd"),
    [
        ("dall-e-3", {}, 40_000_000),
        ("dall-e-3", {"quality": "hd", "size": "1024x1792"}, 120_000_000),
        ("dall-e-2", {"size": "512x512", "n": 3}, 54_000_000),
    ],
)
def test_the_older_models_are_paid_by_the_picture_and_say_no_usage(model: str, more: dict[str, Any], nanousd: int):
    sandbox = new_sandbox()
    told = ask(sandbox, PATH, {"model": model, "prompt": "cat", **more})

    assert set(told.json) == {"created", "data"}
    assert all(each["url"].startswith("https://") for each in told.json["data"])
    assert sandbox.bill.totals().amount_nanousd == nanousd


@pytest.mark.parametrize(
    ("model", "more", "param"),
    [
        ("gpt-image-1.5", {"response_format": "url"}, "response_format"),
        ("gpt-image-1.5", {"size": "256x256"}, "size"),
        ("gpt-image-1.5", {"quality": "hd"}, "quality"),
        ("gpt-image-1.5", {"partial_images": 1}, "partial_images"),
        ("gpt-image-1.5", {"stream": True, "n": 2}, "n"),
        ("dall-e-2", {"quality": "standard"}, "quality"),
        ("dall-e-3", {"n": 2}, "n"),
        ("dall-e-3", {"stream": True}, "stream"),
        ("gpt-image-1.5", {"prompt": ""}, "prompt"),
        ("gpt-image-1.5", {"colour": "red"}, "colour"),
    ],
)
def test_what_a_model_does_not_take_is_refused(model: str, more: dict[str, Any], param: str):
    told = draw(model, more)

    assert (told.status, told.json["error"]["param"], told.entry) == (400, param, None)


def test_models_of_other_kinds_draw_nothing():
    assert draw("gpt-4o").status == 404


def test_an_edit_pays_for_the_pictures_it_was_given():
    parts = (("model", "gpt-image-2"), ("prompt", "cat"), ("image[]", CAT), ("mask", CAT))
    told = ask_form(new_sandbox(), "/v1/images/edits", *parts, ("stream", "true"), ("partial_images", "1"))

    assert [event["type"] for event in told.events] == ["image_edit.partial_image", "image_edit.completed"]
    assert told.events[-1]["usage"]["input_tokens_details"] == {"text_tokens": 1, "image_tokens": 323}


def test_an_edit_needs_pictures():
    sandbox = new_sandbox()
    told = ask_form(sandbox, "/v1/images/edits", ("prompt", "cat"), ("model", "gpt-image-2"))
    assert told.json["error"]["param"] == "image"
    told = ask_form(sandbox, "/v1/images/edits", ("prompt", "cat"), ("image", b"GIF89a"))
    assert told.json["error"]["code"] == "unsupported_file_mimetype"
    told = ask_form(sandbox, "/v1/images/edits", ("model", "dall-e-3"), ("prompt", "cat"), ("image", CAT))
    assert told.json["error"]["param"] == "model"
    assert ask_form(sandbox, "/v1/images/edits", ("image", CAT)).json["error"]["param"] == "prompt"


def test_variations_are_paid_by_the_picture():
    sandbox = new_sandbox()
    told = ask_form(sandbox, "/v1/images/variations", ("image", CAT), ("n", "2"), ("response_format", "b64_json"))

    assert len(told.json["data"]) == 2
    assert sandbox.bill.totals().amount_nanousd == 40_000_000
    assert ask_form(sandbox, "/v1/images/variations", ("image", CAT), ("prompt", "a")).status == 400
