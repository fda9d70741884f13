import pytest

from gateway.sandbox.form import Form, Upload, audio_ms, read_form
from gateway.sandbox.request import Request, RequestReader
from tests.support.sdk_calls_others import recording

PARTS = (
    b'--b1\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
    b'--b1\r\nContent-Disposition: form-data; name="sizes[]"\r\n\r\none\r\n'
    b'--b1\r\nContent-Disposition: form-data; name="sizes[]"\r\n\r\ntwo\r\n'
    b'--b1\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\x00\r\n--b\r\n--b1--\r\n"
)


def request(body: bytes, content_type: str = "multipart/form-data; boundary=b1") -> Request:
    head = f"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    (read,) = RequestReader().feed(head.encode() + body)
    return read


def test_a_form_has_fields_and_files():
    form = read_form(request(PARTS))

    assert form == Form({"model": ["whisper"], "sizes[]": ["one", "two"]}, {"file": Upload("a.wav", b"\x00\r\n--b")})
    assert form.names == {"model", "sizes", "file"}
    assert (form.text("model"), form.text("tone")) == ("whisper", "")


def test_a_quoted_boundary_is_the_same_boundary():
    assert read_form(request(PARTS, 'multipart/form-data; boundary="b1"')) == read_form(request(PARTS))


@pytest.mark.parametrize("length", range(len(PARTS) - 3))
def test_a_form_that_breaks_off_is_none(length: int):
    assert read_form(request(PARTS[:length])) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PARTS, "application/json"),
        (PARTS, "multipart/form-data"),
        (PARTS, "multipart/form-data; boundary=b2"),
        (b"--b1\r\n\r\nno name\r\n--b1--\r\n", "multipart/form-data; boundary=b1"),
    ],
)
def test_what_is_no_form_is_none(body: bytes, content_type: str):
    assert read_form(request(body, content_type)) is None


def test_a_recording_plays_as_long_as_its_samples():
    assert audio_ms(recording(2.5)) == 2500
    assert audio_ms(b"RIFF") is None
    assert audio_ms(b"ID3") is None
