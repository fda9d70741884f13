"""Attachments: found in the requests of every dialect, and counted by the formulas that were measured."""

import base64
from itertools import product

import pytest

from gateway.metering.attachments import Attachment, Tokens, cost, largest_image, leaves
from tests.unit.gateway.metering.test_media import jpeg, png, wav


def image(width: int, height: int, detail: str = "") -> Attachment:
    return Attachment("data:image/png;base64," + base64.b64encode(png(width, height)).decode(), detail)


def text_tokens(attachment: Attachment, model: str) -> int:
    found = cost(attachment, model)
    assert found is not None
    return found.text


@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "expected"),
    [
        # ceil(1.2 * patches of 32), up to a limit.
        ("gpt-6-astra", 1024, 1024, "", 1229),
        ("gpt-5.5", 33, 32, "auto", 3),
        ("gpt-5.5", 8000, 8000, "", 12_000),
        ("gpt-5.5", 8000, 8000, "high", 3000),
        ("gpt-5.5", 8000, 4000, "low", 154),
        ("gpt-5-mini", 4000, 4000, "", 1844),
        ("gpt-5-nano", 32, 32, "", 2),
        ("gpt-4.1-mini", 1024, 1024, "", 1659),
        ("gpt-4.1-nano", 32, 32, "", 3),
        ("o4-mini", 32, 32, "", 2),
        # A base and tiles of 512, after fitting 2048 and 768.
        ("gpt-4o-2024-08-06", 1024, 1024, "", 85 + 4 * 170),
        ("gpt-4o", 4096, 4096, "", 85 + 4 * 170),
        ("gpt-4o", 2048, 1024, "high", 85 + 6 * 170),
        ("gpt-4o", 1024, 1024, "low", 85),
        ("gpt-4o-mini", 512, 512, "", 2833 + 5667),
        ("gpt-4.1", 512, 512, "", 85 + 170),
        ("o3", 512, 512, "", 75 + 150),
        ("gpt-5", 512, 512, "", 70 + 140),
        ("gpt-5-2025-08-07", 512, 512, "", 70 + 140),
        # Patches of 28.
        ("claude-sonnet-4-6", 280, 281, "", 10 * 11),
        ("claude-sonnet-4-6", 4000, 3000, "", 1600),
        ("claude-sonnet-4-6", 4000, 100, "", 56 * 2),
        ("claude-opus-4-8", 1568, 1568, "", 3136),
        ("claude-opus-4-8", 8000, 8000, "", 4784),
        # One price for small ones, then crops.
        ("gemini-2.5-flash", 8, 8, "", 258),
        ("gemini-2.5-flash", 384, 384, "", 258),
        ("gemini-2.5-flash", 960, 540, "", 6 * 258),
        ("gemini-2.5-flash", 3072, 3072, "", 16 * 258),
        ("gemini-3-pro", 3072, 3072, "", 1120),
    ],
)
def test_an_image_costs_what_its_model_makes_of_its_size(model, width, height, detail, expected):
    assert text_tokens(image(width, height, detail), model) == expected


@pytest.mark.parametrize(("model", "expected"), [("gpt-audio", 30), ("gemini-2.5-flash", 96)])
def test_sound_costs_by_the_second(model: str, expected: int):
    recording = Attachment(base64.b64encode(wav(b"\0" * 144_000)).decode())
    assert cost(recording, model) == Tokens(audio=expected)


@pytest.mark.parametrize(
    ("attachment", "model"),
    [
        (image(100, 100), "llama-3.3-70b"),
        (Attachment(base64.b64encode(wav(b"\0" * 100)).decode()), "claude-sonnet-4-6"),
        (Attachment("https://example.com/cat.png"), "gpt-5.5"),
        (Attachment("file-8hQ"), "gpt-5.5"),
        (Attachment("data:application/pdf;base64,JVBERi0xLjcK"), "gpt-5.5"),
        (Attachment("data:image/png;base64,\u00e9"), "gpt-5.5"),
        (Attachment(""), "gpt-5.5"),
    ],
)
def test_what_no_header_or_no_formula_tells_is_not_guessed(attachment: Attachment, model: str):
    assert cost(attachment, model) is None


def test_a_large_file_is_known_by_its_beginning():
    whole = jpeg(640, 480, before=((0xE1, b"\0" * 60_000),)) + b"\0" * 2_000_000
    assert text_tokens(Attachment(base64.b64encode(whole).decode()), "gpt-4o") == 85 + 2 * 170


def test_the_url_alphabet_of_base64_is_read_too():
    standard = base64.b64encode(b"\xff\xd8\xff\xfe\x00\x03\xff" + jpeg(64, 32)[2:]).decode()
    url_safe = standard.replace("+", "-").replace("/", "_")
    assert standard != url_safe
    assert cost(Attachment(standard), "gpt-4o") == cost(Attachment(url_safe), "gpt-4o") == Tokens(text=85 + 170)


DATA = "data:image/png;base64,iVBORw0K"
PARTS = [
    ({"type": "image_url", "image_url": {"url": DATA, "detail": "low"}}, [Attachment(DATA, "low")]),
    ({"type": "image_url", "image_url": {"url": "https://example.com/a"}}, [Attachment("https://example.com/a")]),
    ({"type": "input_image", "image_url": DATA, "detail": "high"}, [Attachment(DATA, "high")]),
    ({"type": "input_image", "file_id": "file-1"}, [Attachment("file-1")]),
    ({"type": "input_audio", "input_audio": {"data": "UklGR", "format": "wav"}}, [Attachment("UklGR"), "wav"]),
    ({"type": "file", "file": {"file_data": DATA, "filename": "a"}}, [Attachment(DATA), "a"]),
    ({"type": "input_file", "file_url": "https://example.com/b"}, [Attachment("https://example.com/b")]),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}},
        [Attachment("iVBORw0K"), "image/png"],
    ),
    ({"type": "document", "source": {"type": "url", "url": "https://x/y"}}, [Attachment("https://x/y")]),
    ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, [Attachment("file_1")]),
    ({"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}}, [Attachment("iVBORw0K"), "image/png"]),
    ({"fileData": {"fileUri": "gs://a/b"}}, [Attachment("gs://a/b")]),
    ({"type": "image", "data": "iVBORw0K"}, [Attachment("iVBORw0K")]),
]


@pytest.mark.parametrize(("part", "expected"), PARTS)
def test_attachments_are_found_where_each_dialect_has_them(part: object, expected: list[object]):
    assert sorted(leaves([{"role": "user", "content": [part]}]), key=str) == sorted([*expected, "user"], key=str)


def test_texts_numbers_and_tools_are_no_attachments():
    value = [{"type": "text", "text": "see https://example.com"}, {"arguments": {"url": "https://x", "data": 5}}, True]
    assert sorted(leaves(value), key=str) == [5, "https://x", "see https://example.com"]


def test_base64_in_a_text_is_an_attachment_and_a_text_without_blanks_is_not():
    assert list(leaves(["A" * 512])) == [Attachment("A" * 512)]
    assert list(leaves(["\u4f60\u597d" * 500])) == ["\u4f60\u597d" * 500]


def test_depth_costs_no_stack():
    value: object = DATA
    for _ in range(50_000):
        value = [value]
    assert list(leaves(value)) == [DATA]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "o4-mini", "gpt-6-sol", "claude-opus-4-8"])
def test_no_image_costs_more_than_the_largest(model: str):
    sides = (1, 511, 512, 513, 768, 769, 2048, 2049, 8000, 16_000)
    most = largest_image(model)
    assert most
    for width, height, detail in product(sides, sides, ("", "low", "high", "original")):
        picture = "data:image/png;base64," + base64.b64encode(png(width, height)).decode()
        found = cost(Attachment(picture, detail), model)
        assert found is None or found.text <= most


def test_images_that_are_cropped_or_of_unknown_models_have_no_largest():
    assert [largest_image(model) for model in ("gemini-2.5-pro", "llama-3")] == [None, None]
    assert largest_image("gemini-3-pro") == 2240  # at MEDIA_RESOLUTION_ULTRA_HIGH
