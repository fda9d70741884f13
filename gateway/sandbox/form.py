"""Owns reading multipart forms, as uploads are sent (RFC 7578), and how long a recording in one plays."""

import io
import re
import wave
from email.parser import BytesParser
from email.policy import HTTP
from typing import NamedTuple

from gateway.sandbox.request import Request

# More than any operation has fields.
PARTS_MAX = 64


class Upload(NamedTuple):
    name: str
    data: bytes


class Form(NamedTuple):
    """Text fields by name, all values of each in order, and files by name."""

    fields: dict[str, list[str]]
    files: dict[str, Upload]

    @property
    def names(self) -> frozenset[str]:
        """Field names without the `[]` that lists may end in."""
        return frozenset(name.removesuffix("[]") for name in (*self.fields, *self.files))

    def text(self, name: str) -> str:
        """The only value of a field; empty if it has none."""
        return self.fields.get(name, [""])[-1]


_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


def read_form(request: Request) -> Form | None:
    """The form in a request's body, or nothing: it is none, or breaks off."""
    content_type = request.headers.get("content-type", "")
    boundary = _BOUNDARY.search(content_type)
    if not content_type.startswith("multipart/form-data") or boundary is None:
        return None
    delimiter = b"--" + boundary[1].encode("latin-1")
    opening, *parts = (b"\r\n" + request.body).split(b"\r\n" + delimiter, PARTS_MAX)
    if opening or not parts or not parts[-1].startswith(b"--"):
        return None
    form = Form({}, {})
    for part in parts[:-1]:
        if not _add(form, part):
            return None
    return form


def _add(form: Form, part: bytes) -> bool:
    head, separator, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    disposition = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n").get("content-disposition")
    name = disposition.params.get("name") if disposition else None
    if not separator or disposition is None or name is None:
        return False
    if "filename" in disposition.params:
        form.files[name] = Upload(disposition.params["filename"], data)
    else:
        form.fields.setdefault(name, []).append(data.decode("utf-8", "replace"))
    return True


def audio_ms(data: bytes) -> int | None:
    """How long a WAV recording plays; None: it is none."""
    try:
        with wave.open(io.BytesIO(data)) as recording:
            return recording.getnframes() * 1000 // recording.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
