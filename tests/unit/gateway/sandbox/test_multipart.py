import pytest

from gateway.sandbox.multipart import PARTS_MAX, Form, Upload, is_form, read_form

TYPE = "multipart/form-data; boundary=xyz"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
FILE = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RIFF\r\n--xy\r\n\r\n"
)
END = b"--xyz--\r\n"


def test_fields_and_files_are_read_as_they_are():
    form = read_form(TYPE, FIELD + FILE + END)

    assert form == Form({"model": ["whisper-1"]}, {"file": [Upload("a.wav", "audio/wav", b"RIFF\r\n--xy\r\n")]})
    assert form.file("file") == form.files["file"][0]
    assert form.file("mask") is None


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
    assert not is_form(content_type)
    assert isinstance(read_form(content_type, FIELD + END), str)
