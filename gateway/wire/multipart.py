"""Owns the reading of multipart/form-data: which fields and files a form has, and where. Knows no field's meaning.

A form is forwarded as it came, so it is read only where nobody could read it differently: RFC 7578 in the spelling
that the SDKs' HTTP libraries write, without the liberties of RFC 2046. Whatever else a lenient reader might take for
a field (a second spelling of a name, a boundary behind a bare LF, a part in a part, text around the parts) makes the
form malformed. Linear in the body: one search for the delimiter, one pass over each part's header lines.
"""

import re

import msgspec

from gateway.wire.peek import Malformed

# The largest form known is an image edit of 16 images with some 15 fields.
PARTS_MAX = 64
# A part's header lines: a file name of 255 characters, each up to nine bytes when percent-encoded, and some more.
PART_HEAD_BYTES_MAX = 4096
# One text field: OpenAI takes 32,000 characters as the prompt of an image, and one may be four bytes.
FIELD_BYTES_MAX = 128 * 1024

# RFC 2046 §5.1.1: 1 to 70 of these, no blank at the end; without quotes only what RFC 9110 calls a token. Apache's
# client names the character set behind it, others before it; one that is UTF-8 changes nothing.
_UTF8 = rb'[ \t]*;[ \t]*charset="?utf-?8"?'
_FORM_DATA = re.compile(
    rb"(?i)multipart/form-data(?:%b)?[ \t]*;[ \t]*boundary=(?:" % _UTF8
    + rb"""([0-9a-z'+_.\-]{1,70})|"([0-9a-z'()+_,\-./:=? ]{0,69}[0-9a-z'()+_,\-./:=?])")(?:%b)?[ \t]*""" % _UTF8
)
# What stands behind the last boundary: multipart-post for Ruby ended with an empty line up to its 2.0.
_ENDS = (b"--\r\n", b"--", b"--\r\n\r\n")
_VISIBLE = rb"[\x21-\x7e\x80-\xff]"
_HEADER = re.compile(
    rb"([!#$%%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:%b(?:[\t\x20-\x7e\x80-\xff]*%b)?)?)[ \t]*" % (_VISIBLE, _VISIBLE)
)
_WORD = rb"[A-Za-z0-9_.\-]"
_NAME = rb"%b{1,64}(?:\[%b{0,64}\]){0,4}" % (_WORD, _WORD)
# A quote after a backslash ends the file's name for a browser's reader and does not for a mailer's, so it may not be.
_FILE_NAME = rb'(?:[^"\\\x00-\x1f\x7f]|\\[^"\x00-\x1f\x7f])*'
# .NET writes names without quotes, and a second, encoded, file name behind the first.
_DISPOSITION = re.compile(
    rb'(?i:form-data; ?name)=(?:"(%b)"|(%b+))' % (_NAME, _WORD)
    + rb'(; ?(?i:filename)=(?:"%b"|%b+)' % (_FILE_NAME, _WORD)
    + rb"(?:; ?(?i:filename\*=utf-8)''[A-Za-z0-9_.%~!$&+\-]*)?)?"
)
_TEXT_TYPE = re.compile(
    rb'(?i)text/plain(?:[ \t]*;[ \t]*charset="?(?:utf-?8|us-ascii|(iso-8859-1|windows-1252))"?)?|application/json'
)
_NESTED_TYPE = re.compile(rb"(?i)multipart/|message/")
_UNENCODED = frozenset((b"binary", b"8bit", b"7bit"))


class Field(msgspec.Struct, frozen=True, gc=False):
    """One text field."""

    name: str
    value: str


class File(msgspec.Struct, frozen=True, gc=False):
    """One file: body[start:end] is its content. Its name is nobody's business and is not kept."""

    name: str  # the field's
    content_type: str
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.start


class Form(msgspec.Struct, frozen=True, gc=False):
    """What a form holds, in its order. A name is there once, unless it ends in "[]"."""

    fields: tuple[Field, ...]
    files: tuple[File, ...]

    def value(self, name: str) -> str | None:
        """The text of a field; None: there is none."""
        return next((field.value for field in self.fields if field.name == name), None)


class _Fault(Exception):
    """The form is malformed; the message says why, quoting nothing."""


def read(content_type: bytes, body: bytes) -> Form | Malformed:
    """The form that a body is, or why it is none that may pass."""
    try:
        return _form(body, _boundary(content_type))
    except _Fault as fault:
        return Malformed(f"The multipart body is malformed: {fault}")


def _boundary(content_type: bytes) -> bytes:
    found = _FORM_DATA.fullmatch(content_type)
    if found is None:
        raise _Fault("content-type must be multipart/form-data with one boundary of 1 to 70 characters")
    return found[1] or found[2]


def _form(body: bytes, boundary: bytes) -> Form:
    parts = [_part(body, start, end) for start, end in _spans(body, b"--" + boundary)]
    _check_names([part.name.lower() for part in parts])
    fields = tuple(part for part in parts if isinstance(part, Field))
    return Form(fields, tuple(part for part in parts if isinstance(part, File)))


def _check_names(names: list[str]) -> None:
    """Raises _Fault where readers differ about which part is meant: a name's first, its last or all of them."""
    single = [name for name in names if not name.endswith("[]")]
    if len(set(single)) < len(single):
        raise _Fault("two parts have the same name")
    if not {name.partition("[")[0] for name in names if "[" in name}.isdisjoint(names):
        raise _Fault("a name is used with [] and without")
    if "_charset_" in names:
        raise _Fault("a part would change the character set of others")


def _spans(body: bytes, delimiter: bytes) -> list[tuple[int, int]]:
    """Start and end of each part, header lines included. Nothing else is in the body, nor the delimiter in a part."""
    if not body.startswith(delimiter):
        raise _Fault("it does not begin with its boundary")
    pieces = body.split(delimiter, PARTS_MAX + 2)
    if len(pieces) > PARTS_MAX + 2:
        raise _Fault(f"it has more than {PARTS_MAX} parts, or its boundary is inside a part")
    if pieces[-1] not in _ENDS:
        raise _Fault("it does not end with its closing boundary")
    spans: list[tuple[int, int]] = []
    at = len(delimiter)
    for piece in pieces[1:-1]:
        if not (piece.startswith(b"\r\n") and piece.endswith(b"\r\n") and len(piece) > 4):
            raise _Fault("its boundary does not stand on a line of its own")
        spans.append((at + 2, at + len(piece) - 2))
        at += len(piece) + len(delimiter)
    return spans


def _part(body: bytes, start: int, end: int) -> Field | File:
    head_end = body.find(b"\r\n\r\n", start, min(end, start + PART_HEAD_BYTES_MAX))
    if head_end < 0:
        raise _Fault(f"a part has no header lines, or more than {PART_HEAD_BYTES_MAX} bytes of them")
    headers = _headers(body[start:head_end])
    start = head_end + 4
    found = _DISPOSITION.fullmatch(headers.get(b"content-disposition", b""))
    if found is None:
        raise _Fault("a part's content-disposition is not form-data with a plain name")
    name = (found[1] or found[2]).decode("ascii")
    if headers.get(b"content-length", b"%d" % (end - start)) != b"%d" % (end - start):
        raise _Fault("a part's content-length is not its length")
    if found[3] is None:
        return Field(name, _text(headers, body, start, end))
    return File(name, headers.get(b"content-type", b"").decode("latin-1"), start, end)


def _headers(head: bytes) -> dict[bytes, bytes]:
    """A part's header lines by lower-case name."""
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            raise _Fault("a part's header line is malformed or repeated")
        headers[found[1].lower()] = found[2]
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in _UNENCODED:
        raise _Fault("a part has a content-transfer-encoding")
    if _NESTED_TYPE.match(headers.get(b"content-type", b"")):
        raise _Fault("a part is a multipart message itself")
    return headers


def _text(headers: dict[bytes, bytes], body: bytes, start: int, end: int) -> str:
    kind = _TEXT_TYPE.fullmatch(headers.get(b"content-type", b"text/plain"))
    # Java's clients name Latin-1 where nothing is said: as long as the text is ASCII it is the same in both.
    if kind is None or (kind[1] and not body[start:end].isascii()):
        raise _Fault("a text field is in another character set than UTF-8, or no text")
    if end - start > FIELD_BYTES_MAX:
        raise _Fault(f"a text field has more than {FIELD_BYTES_MAX} bytes")
    try:
        text = body[start:end].decode()
    except UnicodeDecodeError:
        raise _Fault("a text field is not valid UTF-8") from None
    if "\x00" in text:
        raise _Fault("a text field has a NUL")
    return text
