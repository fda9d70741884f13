"""Sizes from headers as the formats' standards lay them out; anything less than certain is no size."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.media import Size, Sound, measure


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0)


def jpeg(width: int, height: int, *, before: tuple[tuple[int, bytes], ...] = ((0xE0, b"JFIF\0"),)) -> bytes:
    segments = b"".join(b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body for kind, body in before)
    return b"\xff\xd8" + segments + b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3)


def riff(form: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + form + body


def lossy(width: int, height: int) -> bytes:
    return riff(b"WEBP", (b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height)))


def lossless(width: int, height: int) -> bytes:
    return riff(b"WEBP", (b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0" * 8))


def extended(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff(b"WEBP", (b"VP8X", b"\x10\0\0\0" + sides))


def wav(data: bytes, *, before: tuple[tuple[bytes, bytes], ...] = (), bytes_per_s: int = 48_000) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 24_000, bytes_per_s, 2, 16)
    return riff(b"WAVE", (b"fmt ", form), *before, (b"data", data))


IMAGES = (png, gif, jpeg, lossy, lossless, extended)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (640, 480), (481, 1023)])
def test_every_format_says_its_size(image, width: int, height: int):
    assert measure(image(width, height)) == Size(width, height)


@pytest.mark.parametrize("image", IMAGES)
def test_of_a_header_that_is_cut_nothing_is_said(image):
    whole = image(640, 480)
    for end in range(len(whole)):
        assert measure(whole[:end]) in (None, Size(640, 480))
    assert measure(whole[:9]) is None


def test_a_jpegs_frame_is_found_behind_metadata_and_fill_bytes():
    before = ((0xE1, b"Exif" + b"\xff\xc0" * 300), (0xE2, b"ICC_PROFILE"), (0xC4, b"tables"))
    assert measure(jpeg(4032, 3024, before=before)) == Size(4032, 3024)
    assert measure(jpeg(8, 9).replace(b"\xff\xc2", b"\xff\xff\xff\xc2")) == Size(8, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 30,
        png(0, 5),
        png(70_000, 5),
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100,
        b"\xff\xd8" + b"not a marker",
        riff(b"WEBP", (b"ALPH", b"\0" * 20)),
        lossy(5, 5).replace(b"\x9d\x01\x2a", b"\0\0\0"),
        lossless(5, 5).replace(b"\x2f", b"\0"),
        riff(b"AVI ", (b"LIST", b"\0" * 20)),
    ],
)
def test_what_is_no_header_has_no_size(data: bytes):
    assert measure(data) is None


def test_a_wav_plays_as_long_as_its_samples():
    assert measure(wav(b"\0" * 48_000 * 2)) == Sound(2000)
    assert measure(wav(b"\0" * 24_000, before=((b"LIST", b"odd"),))) == Sound(500)


def test_a_wav_is_known_by_its_header_alone():
    assert measure(wav(b"\0" * 96_000)[:44]) == Sound(2000)


@pytest.mark.parametrize(
    "data",
    [
        wav(b""),
        wav(b"\0" * 100, bytes_per_s=0),
        wav(b"\0" * 100)[:40],
        wav(b"x").replace(struct.pack("<4sI", b"data", 1), struct.pack("<4sI", b"data", 0xFFFFFFFF)),
        riff(b"WAVE", (b"data", b"\0" * 100)),
        riff(b"WAVE", *((b"junk", b"") for _ in range(100))),
    ],
)
def test_a_wav_that_does_not_say_how_long_it_is_has_no_length(data: bytes):
    assert measure(data) is None


@given(st.sampled_from(IMAGES), st.binary(max_size=40), st.integers(0, 60))
def test_no_bytes_raise(image, noise: bytes, at: int):
    whole = image(640, 480)
    measure(whole[:at] + noise + whole[at:])
