import io
import wave
import zlib

import pytest

from gateway.sandbox.media import picture, picture_kind, sound, wav, wav_duration_ms


def test_a_picture_is_a_png_of_its_seed():
    made = picture(b"cat")

    assert made == picture(b"cat") != picture(b"dog")
    length = int.from_bytes(made[33:37])
    assert (made[37:41], len(zlib.decompress(made[41 : 41 + length]))) == (b"IDAT", 8 * 9)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_picture_is_known_by_its_first_bytes(kind: str):
    assert picture_kind(picture(b"", kind)) == kind
    assert picture_kind(b"GIF89a") is None


def test_a_wav_is_what_others_read():
    with wave.open(io.BytesIO(wav(bytes(48_000)))) as opened:
        assert (opened.getframerate(), opened.getnframes(), opened.getnchannels()) == (24_000, 24_000, 1)


def test_a_wavs_length_is_in_its_header():
    made = wav(bytes(2 * 16_000), rate_hz=16_000)

    assert wav_duration_ms(made) == 1000
    assert wav_duration_ms(wav(bytes(2))) == 1
    # Another chunk may stand before the sound, and the sound may be shorter than it says.
    noted = made[:12] + b"LIST\x03\x00\x00\x00abc\x00" + made[12:]
    assert wav_duration_ms(noted) == 1000
    assert wav_duration_ms(made[:-16_000]) == 500


def test_what_is_no_wav_has_no_length():
    assert [wav_duration_ms(data) for data in (b"", b"ID3", wav(b"")[:20], b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd")] == [
        None
    ] * 4


def test_speech_is_as_long_as_its_tokens():
    assert wav_duration_ms(sound(b"a", "wav", 20)) == 1000
    assert len(sound(b"a", "pcm", 20)) == 48_000
    assert len(sound(b"a", "mp3", 20)) == 40 * 417
    assert sound(b"a", "flac", 1).startswith(b"fLaC")
