"""Owns reading multipart forms, as uploads are sent (RFC 7578), strictly. Does no I/O, knows no operation."""

import re

import msgspec

from gateway.sandbox.request import Request

# The forms of all operations have fewer fields; sixteen pictures are the most files.
PARTS_MAX = 256

_BOUNDARY = re.compile(r'multipart/form-data\s*;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*', re.IGNORECASE)
_DISPOSITION = re.compile(r'form-data; ?name="([^"\r\n]+)"(?:; ?filename="([^"\r\n]*)")?')


class Upload(msgspec.Struct, frozen=True):
    filename: str
    content_type: str
    data: bytes


class Form(msgspec.Struct, frozen=True):
    """Fields and files by name, in the order they came."""

    fields: dict[str, list[str]]
    files: dict[str, list[Upload]]

    @property
    def names(self) -> frozenset[str]:
        """What it has, without the `[]` that lists may end in."""
        return frozenset(name.removesuffix("[]") for name in (*self.fields, *self.files))

    def text(self, name: str) -> str:
        """The only value of a field; empty if it has none."""
        return self.fields.get(name, [""])[-1]

    def file(self, name: str) -> Upload | None:
        return self.files[name][0] if name in self.files else None


def is_form(request: Request) -> bool:
    return _boundary(request) is not None


def _boundary(request: Request) -> re.Match[str] | None:
    return _BOUNDARY.fullmatch(request.headers.get("content-type", ""))


def read_form(request: Request) -> Form | str:
    """The form, or what is wrong with it. Nothing may stand before the first boundary or after the last."""
    found = _boundary(request)
    if found is None:
        return "no boundary in the content-type"
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    before, *parts = (b"\r\n" + request.body).split(delimiter, PARTS_MAX + 2)
    if before or not parts or parts.pop() not in (b"--", b"--\r\n"):
        return "the body does not begin and end with its boundary"
    if len(parts) > PARTS_MAX:
        return "too many parts"
    form = Form({}, {})
    return next((problem for part in parts if (problem := _add_part(form, part))), "") or form


def _add_part(form: Form, part: bytes) -> str:
    """What is wrong with this part; empty: it is in the form."""
    if not part.startswith(b"\r\n"):
        return "a boundary is not on a line of its own"
    head, blank, data = part[2:].partition(b"\r\n\r\n")
    if not blank:
        return "a part has no blank line"
    try:
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        headers = {name.lower(): value for name, value in lines.items()}
        found = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
        if found is None:
            return "a part has no name"
        if found[2] is None:
            form.fields.setdefault(found[1], []).append(data.decode())
        else:
            upload = Upload(found[2], headers.get("content-type", "application/octet-stream"), data)
            form.files.setdefault(found[1], []).append(upload)
    except ValueError:
        return "a part is not what a form has"
    return ""
