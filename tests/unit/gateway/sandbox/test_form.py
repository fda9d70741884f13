import pytest

from gateway.sandbox import form
from gateway.sandbox.form import PARTS_MAX, Form, Upload
from gateway.sandbox.request import Request

TYPE = "multipart/form-data; boundary=xyz"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
FILE = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RIFF\r\n--xy\r\n\r\n"
)
END = b"--xyz--\r\n"


def request(body: bytes, content_type: str = TYPE) -> Request:
    return Request("POST", "/", {}, {"content-type": content_type}, b"", body, True)


def read_form(content_type: str, body: bytes) -> Form | str:
    return form.read_form(request(body, content_type))


def test_fields_and_files_are_read_as_they_are():
    read = read_form(TYPE, FIELD + FILE + FIELD.replace(b"model", b"sizes[]") + END)

    assert isinstance(read, Form)
    assert read.fields == {"model": ["whisper-1"], "sizes[]": ["whisper-1"]}
    assert read.files == {"file": [Upload("a.wav", "audio/wav", b"RIFF\r\n--xy\r\n")]}
    assert (read.file("file"), read.file("mask")) == (read.files["file"][0], None)
    assert (read.text("model"), read.text("tone")) == ("whisper-1", "")
    assert read.names == {"model", "sizes", "file"}


@pytest.mark.parametrize("length", range(len(FIELD + FILE + END) - 2))
def test_a_form_that_breaks_off_is_none(length: int):
    assert isinstance(read_form(TYPE, (FIELD + FILE + END)[:length]), str)


def test_a_field_may_come_more_than_once_and_the_boundary_be_quoted():
    assert read_form('multipart/form-data; boundary="xyz"', FIELD + FIELD + b"--xyz--") == Form(
        {"model": ["whisper-1"] * 2}, {}
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        END[:-3],
        b"hello" + FIELD + END,
        FIELD + END + b"bye",
        FIELD,
        FIELD[:-4],
        FIELD.replace(b"\r\n\r\n", b"\r\n") + END,
        FIELD.replace(b"form-data", b"attachment") + END,
        FIELD.replace(b"Disposition: ", b"Disposition") + END,
        FIELD.replace(b"whisper-1", b"\xff") + END,
        FIELD.replace(b"--xyz\r\n", b"--xyz \r\n") + END,
        FIELD * (PARTS_MAX + 1) + END,
    ],
)
def test_anything_else_is_no_form(body: bytes):
    assert isinstance(read_form(TYPE, body), str)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/form-data; charset=a"])
def test_other_content_types_are_none(content_type: str):
    assert not form.is_form(request(FIELD + END, content_type))
    assert isinstance(read_form(content_type, FIELD + END), str)
