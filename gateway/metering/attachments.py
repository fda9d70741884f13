"""Owns what attachments of a prompt cost in tokens, as far as their first bytes tell: images and sounds by model.

The formulas are measured or documented, provider_facts section 7; of an image beyond a model's limit they give the
limit, which is what it is scaled down to. Where the size or the model is not known, nothing is guessed here.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from typing import NamedTuple, cast

from gateway.metering import tokens
from gateway.metering.media import Media, Size, Sound, measure

# Headers lie at the beginning; a camera's JPEG has previews before them. In characters of base64.
_HEAD_CHARACTERS = 4 * 65_536
_DATA_URL = re.compile(r"data:[^,]{0,256};base64,")
# Standard base64, or the alphabet for URLs that Gemini's SDKs write.
_STANDARD = str.maketrans("-_", "+/")


class _Patches(NamedTuple):
    """An image is squares of `side` pixels; each costs `percent` of a token. More than `most` are scaled down to it.

    `edge`: the longer side is scaled down to this before.
    """

    side: int
    percent: int
    most: int
    most_high: int = 0  # where the request asks for detail "high"
    edge: int = 0

    @property
    def largest(self) -> int:
        return tokens.scale(max(self.most, self.most_high), self.percent, 100)


class _Tiles(NamedTuple):
    """OpenAI's older models: fit into 2048 pixels, the shorter side to 768, then tiles of 512."""

    base: int
    tile: int

    @property
    def largest(self) -> int:
        return self.base + self.tile * ceil(2048 / 512) * ceil(768 / 512)


class _Crops(NamedTuple):
    """Gemini's: so many tokens for an image, or for each crop of one that exceeds `edge_whole`; 0: it is never cropped.

    A crop is two thirds of the shorter side, within 256 and 768 pixels (ai.google.dev/gemini-api/docs/tokens). `most`:
    where a part asks for the highest resolution (ai.google.dev/gemini-api/docs/media-resolution, "Token counts").
    """

    tokens: int
    edge_whole: int = 0
    most: int = 0

    @property
    def largest(self) -> int:
        """0 where crops make it grow with the image."""
        return 0 if self.edge_whole else max(self.tokens, self.most)


# OpenAI's `detail: low` gives the model a picture of 512 pixels (developers.openai.com/api/docs/guides/images-vision).
_LOW_EDGE = 512


def _patches(rule: _Patches, size: Size, detail: str) -> int:
    width, height = _fitted(size, _LOW_EDGE if detail == "low" else rule.edge)
    most = rule.most_high if rule.most_high and detail == "high" else rule.most
    return tokens.scale(min(ceil(width / rule.side) * ceil(height / rule.side), most), rule.percent, 100)


def _tiles(rule: _Tiles, size: Size, detail: str) -> int:
    if detail == "low":
        return rule.base
    width, height = _fitted(size, 2048)
    shorter = min(width, height)
    if shorter > 768:
        width, height = round(width * 768 / shorter), round(height * 768 / shorter)
    return rule.base + rule.tile * ceil(width / 512) * ceil(height / 512)


def _crops(rule: _Crops, size: Size, detail: str) -> int:
    shorter, longer = sorted(size)
    if not rule.edge_whole or longer <= rule.edge_whole:
        return rule.tokens
    side = min(max(int(shorter / 1.5), 256), 768)
    return rule.tokens * ceil(size.width / side) * ceil(size.height / side)


def _fitted(size: Size, edge: int) -> tuple[int, int]:
    """The sides, scaled down so that the longer is no longer than `edge`; 0 is no limit."""
    longer = max(size)
    if not edge or longer <= edge:
        return size.width, size.height
    return max(round(size.width * edge / longer), 1), max(round(size.height * edge / longer), 1)


class _Family(NamedTuple):
    """What models make of a picture, and of a second of sound: 0 where they hear nothing, or it is not known."""

    names: re.Pattern[str]
    image: Callable[[Size, str], int]
    sound_per_s: int = 0
    largest_image: int = 0  # of any image; 0: they have no limit


def _family(names: str, rule: _Patches | _Tiles | _Crops, sound_per_s: int = 0) -> _Family:
    match rule:
        case _Patches():
            return _Family(re.compile(names), partial(_patches, rule), sound_per_s, rule.largest)
        case _Tiles():
            return _Family(re.compile(names), partial(_tiles, rule), sound_per_s, rule.largest)
        case _Crops():
            return _Family(re.compile(names), partial(_crops, rule), sound_per_s, rule.largest)


# OpenAI's models hear ten tokens a second: 26, 27 and 30 of them in recorded speech of 2.7 to 3.1 s.
_HEARD_PER_S = 10

# The first that matches.
_FAMILIES = (
    _family(r"gpt-4o-mini", _Tiles(2833, 5667), _HEARD_PER_S),
    _family(r"gpt-4\.1-mini", _Patches(32, 162, 1536)),
    _family(r"gpt-4\.1-nano", _Patches(32, 246, 1536)),
    _family(r"chatgpt-4o|gpt-4", _Tiles(85, 170), _HEARD_PER_S),
    _family(r"gpt-audio", _Tiles(85, 170), _HEARD_PER_S),
    _family(r"o4-mini", _Patches(32, 172, 1536)),
    _family(r"o[134]\b", _Tiles(75, 150)),
    _family(r"gpt-5(\.1)?-mini", _Patches(32, 120, 1536)),
    _family(r"gpt-5(\.1)?-nano", _Patches(32, 150, 1536)),
    _family(r"gpt-5(\.1)?(?![.\d])", _Tiles(70, 140)),
    _family(r"gpt-[5-9]", _Patches(32, 120, 10_000, most_high=2500)),
    _family(r"claude-([123]|haiku-4|(opus|sonnet)-4(?!-[789]\b))", _Patches(28, 100, 1600, edge=1568)),
    _family(r"claude", _Patches(28, 100, 4784, edge=2576)),
    _family(r"gemini-[12]", _Crops(258, edge_whole=384), 32),
    _family(r"gemini", _Crops(1120, most=2240), 32),
)


class Attachment(NamedTuple):
    """What a prompt holds that is no text: base64 or a data URL, or only where it is to be found."""

    text: str
    detail: str = ""  # as OpenAI's APIs ask for it


class Tokens(NamedTuple):
    """What an attachment costs, by the modality that it is billed as."""

    text: int = 0
    audio: int = 0


def cost(attachment: Attachment, model: str) -> Tokens | None:
    """Tokens of an attachment to a model, named in lower case and without its maker; None where that is not known."""
    family = _family_of(model)
    media = _media(attachment.text)
    if family is None or media is None:
        return None
    match media:
        case Size():
            return Tokens(text=family.image(media, attachment.detail))
        case Sound():
            heard = tokens.scale(family.sound_per_s, media.milliseconds, 1000)
            return Tokens(audio=heard) if family.sound_per_s else None


def largest_image(model: str) -> int | None:
    """What the largest image costs a model, named as for `cost`; None where that is not known, or has no limit."""
    family = _family_of(model)
    return family.largest_image or None if family else None


def _family_of(model: str) -> _Family | None:
    return next((row for row in _FAMILIES if row.names.match(model)), None)


def _media(text: str) -> Media | None:
    found = _DATA_URL.match(text)
    start = found.end() if found else 0
    head = text[start : start + _HEAD_CHARACTERS].translate(_STANDARD)
    try:
        return measure(binascii.a2b_base64(head[: len(head) // 4 * 4]))
    except ValueError:
        return None


# Members that hold an attachment, by their own name, or by that of the object around them and theirs: OpenAI's, then
# Anthropic's, then Gemini's in both spellings.
_NAMES = frozenset(("image_url", "file_data", "file_id", "file_url"))
_NESTED = frozenset(
    (
        ("image_url", "url"), ("input_audio", "data"),
        ("source", "data"), ("source", "url"), ("source", "file_id"),
        ("inlineData", "data"), ("inline_data", "data"), ("fileData", "fileUri"), ("file_data", "file_uri"),
    )
)  # fmt: skip
# Of Gemini's interactions, by the type beside it.
_TYPES = frozenset(("image", "audio", "video", "document"))
# A text of which so much is base64 without a blank is none; no word of a prompt is as long.
_DATA = re.compile(r"[A-Za-z0-9+/_=-]{512}")


def leaves(value: object) -> Iterator[str | int | Attachment]:
    """The texts, numbers and attachments of a JSON value, in any order; the names of content types are no content."""
    pending: list[tuple[object, str, str]] = [(value, "", "")]
    while pending:
        top, name, detail = pending.pop()
        if isinstance(top, dict):
            members = cast("dict[str, object]", top)
            own = members.get("detail")
            around = own if isinstance(own, str) else detail
            for key, member in members.items():
                if isinstance(member, str) and _is_attachment(name, key, members):
                    yield Attachment(member, around)
                elif key not in ("type", "detail"):
                    pending.append((member, key, around))
        elif isinstance(top, list):
            pending.extend((item, name, detail) for item in cast("list[object]", top))
        elif isinstance(top, str):
            yield Attachment(top) if _DATA.search(top) else top
        elif isinstance(top, int) and not isinstance(top, bool):
            yield top


def _is_attachment(name: str, key: str, members: dict[str, object]) -> bool:
    return key in _NAMES or (name, key) in _NESTED or (key == "data" and members.get("type") in _TYPES)
