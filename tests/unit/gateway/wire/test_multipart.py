import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.multipart import FIELD_BYTES_MAX, PART_HEAD_BYTES_MAX, PARTS_MAX, Field, File, Form, read
from gateway.wire.peek import Malformed

BOUNDARY = b"1c33350cb78ec832fc084d25855d0655"
TYPE = b"multipart/form-data; boundary=" + BOUNDARY
MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1'
FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'

# As openai-python 3.54 sends a transcription, through httpx 0.28.
PYTHON = (
    b'--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="timestamp_granularities[]"\r\n\r\nword\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="timestamp_granularities[]"\r\n\r\nsegment\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="chunking_strategy[type]"\r\n\r\nserver_vad\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="file"; filename="sp\xc3\xa9ech %%22a%%22.wav"\r\n'
    b"Content-Type: audio/x-wav\r\n\r\nRIFF\x00\r\n\x01WAVE\r\n"
    b"--%b--\r\n"
) % ((BOUNDARY,) * 6)
# As openai-node 6.49 sends an image edit, through undici on Node 20.
NODE_BOUNDARY = b"----formdata-undici-093667725682"
NODE = (
    b'--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="image[]"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\nPNG1\r\n"
    b'--%b\r\nContent-Disposition: form-data; name="image[]"; filename="b.png"\r\n'
    b"Content-Type: image/png\r\n\r\nPNG2\r\n"
    b'--%b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nZwei Schiffe, s\xc3\xbc\xc3\x9f\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n'
    b"--%b--\r\n"
) % ((NODE_BOUNDARY,) * 6)
# In the manner of .NET's MultipartFormDataContent, and of OkHttp.
DOTNET = (
    b'--b-1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n'
    b"--b-1\r\nContent-Disposition: form-data; name=file; filename=a.mp3; filename*=utf-8''a.mp3\r\n\r\nID3\r\n"
    b"--b-1--\r\n"
)  # fmt: skip
OKHTTP = (
    b'--b-1\r\nContent-Disposition: form-data; name="model"\r\nContent-Length: 1\r\n\r\nm\r\n'
    b'--b-1\r\ncontent-disposition: form-data; name="file"; filename="C:\\x\\y.mp3"\r\n'
    b"Content-Transfer-Encoding: binary\r\nContent-Type: audio/mpeg\r\nContent-Length: 0\r\n\r\n\r\n"
    b"--b-1--"
)
# In the manner of Apache's HttpClient for Java, and of multipart-post 2.0 for Ruby.
APACHE = (
    b'--b-1\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\n'
    b"Content-Transfer-Encoding: 8bit\r\n\r\nm\r\n"
    b'--b-1\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n'
    b"Content-Transfer-Encoding: binary\r\n\r\nID3\r\n"
    b"--b-1--\r\n"
)
RUBY = (
    b'--b-1\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--b-1\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Length: 3\r\n'
    b"Content-Type: audio/mpeg\r\nContent-Transfer-Encoding: binary\r\n\r\nID3\r\n"
    b"--b-1--\r\n\r\n"
)


def form(*parts: bytes) -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY, part) for part in parts) + b"--%b--\r\n" % BOUNDARY


def field(name: bytes, value: bytes = b"v") -> bytes:
    return b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (name, value)


def test_what_openai_python_sends_is_read():
    found = read(TYPE, PYTHON)
    assert isinstance(found, Form)
    assert found.fields == (
        Field("model", "whisper-1"),
        Field("timestamp_granularities[]", "word"),
        Field("timestamp_granularities[]", "segment"),
        Field("chunking_strategy[type]", "server_vad"),
    )
    (sound,) = found.files
    assert (sound.name, sound.content_type, sound.size_bytes) == ("file", "audio/x-wav", 12)
    assert PYTHON[sound.start : sound.end] == b"RIFF\x00\r\n\x01WAVE"


def test_what_openai_node_sends_is_read():
    found = read(b"multipart/form-data; boundary=" + NODE_BOUNDARY, NODE)
    assert isinstance(found, Form)
    assert [(field.name, field.value) for field in found.fields] == [
        ("model", "gpt-image-1"),
        ("prompt", "Zwei Schiffe, süß"),
        ("n", "2"),
    ]
    assert [NODE[file.start : file.end] for file in found.files] == [b"PNG1", b"PNG2"]
    assert (found.value("model"), found.value("size")) == ("gpt-image-1", None)


@pytest.mark.parametrize("body", [DOTNET, OKHTTP, APACHE, RUBY], ids=["dotnet", "okhttp", "apache", "ruby"])
@pytest.mark.parametrize(
    "parameters",
    [b"Boundary=b-1", b'boundary="b-1"', b"boundary=b-1; charset=UTF-8", b"charset=utf-8; boundary=b-1"],
)
def test_other_libraries_spellings_are_read(body, parameters):
    found = read(b"Multipart/Form-Data; " + parameters, body)
    assert isinstance(found, Form)
    assert found.value("model") == "m"
    assert [file.name for file in found.files] == ["file"]


def test_a_form_may_be_empty_of_values_and_of_files():
    assert read(TYPE, form(field(b"a", b""))) == Form((Field("a", ""),), ())
    assert read(TYPE, form()) == Form((), ())
    assert read(TYPE, form(FILE)) == Form((), (File("file", "audio/wav", 126, 126),))


TWO_MODELS = {
    "the same": field(b"model"),
    "by a file": b'Content-Disposition: form-data; name="model"; filename="a"\r\n\r\nv',
    "in another case": field(b"MODEL"),
    "without quotes": b"Content-Disposition: form-data; name=model\r\n\r\nv",
    "as a list": field(b"model[]"),
    "as a member": field(b"model[x]"),
    "encoded": b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\nv",
    "encoded beside": b"Content-Disposition: form-data; name=\"x\"; name*=utf-8''model\r\n\r\nv",
    "twice named": b'Content-Disposition: form-data; name="x"; name="model"\r\n\r\nv',
    "twice disposed": b'Content-Disposition: form-data; name="x"\r\n' + field(b"model"),
    "escaped": field(b"mod\\el"),
    "percent": field(b"mod%65l"),
    "blank before": field(b" model"),
    "blank behind": field(b"model "),
    "tab": field(b"model\t"),
    "nul": field(b"model\x00"),
    "quote inside": b'Content-Disposition: form-data; name="mo"del"\r\n\r\nv',
    "single quotes": b"Content-Disposition: form-data; name='model'\r\n\r\nv",
    "blank around =": b'Content-Disposition: form-data; name = "model"\r\n\r\nv',
    "other case of name": b'CONTENT-DISPOSITION: FORM-DATA; NAME="model"\r\n\r\nv',
    "folded": b'Content-Disposition: form-data;\r\n name="model"\r\n\r\nv',
    "in the file's name": b'Content-Disposition: form-data; name="x"; filename="a\\"; name="model"\r\n\r\nv',
    "behind the file's name": b'Content-Disposition: form-data; name="x"; filename="a"; name="model"\r\n\r\nv',
    "another disposition": b'Content-Disposition: attachment; name="model"\r\n\r\nv',
    "no disposition": b'Content-Type: text/plain; name="model"\r\n\r\nv',
    "bare lf": b'Content-Disposition: form-data; name="x"\n\nv\r\n\r\nv',
    "lf in the header": b'X: y\nContent-Disposition: form-data; name="model"\r\n\r\nv',
    "blank before colon": b'Content-Disposition : form-data; name="model"\r\n\r\nv',
    "charset": field(b"_charset_", b"utf-7"),
    "utf-7": b'Content-Disposition: form-data; name="x"\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nv',
    "latin-1 beyond ascii": b'Content-Disposition: form-data; name="x"\r\n'
    b"Content-Type: text/plain; charset=ISO-8859-1\r\n\r\n\xc3\xa9",
    "base64": b'Content-Disposition: form-data; name="x"\r\nContent-Transfer-Encoding: base64\r\n\r\ndg==',
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n" + field(b"x", b"=76"),
    "nested": b'Content-Disposition: form-data; name="x"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--',
    "message": b'Content-Disposition: form-data; name="x"; filename="a"\r\nContent-Type: message/rfc822\r\n\r\n',
    "no text": b'Content-Disposition: form-data; name="x"\r\nContent-Type: application/octet-stream\r\n\r\nv',
    "wrong length": b'Content-Disposition: form-data; name="x"\r\nContent-Length: 2\r\n\r\nv',
    "only an encoded file name": b"Content-Disposition: form-data; name=\"x\"; filename*=utf-8''a\r\n\r\nv",
    "utf-16 file name": b"Content-Disposition: form-data; name=\"x\"; filename=\"a\"; filename*=utf-16''a\r\n\r\nv",
    "no empty line": b'Content-Disposition: form-data; name="x"',
    "no header": b"\r\nv",
    "nothing": b"",
    "invalid utf-8": field(b"x", b"\xff"),
    "nul in a value": field(b"x", b"a\x00b"),
}  # fmt: skip


@pytest.mark.parametrize("part", TWO_MODELS.values(), ids=list(TWO_MODELS))
def test_a_part_that_some_reader_takes_for_a_second_model_is_refused(part):
    assert isinstance(read(TYPE, form(MODEL)), Form)
    for parts in ((MODEL, part), (part, MODEL), (MODEL, FILE + b"RIFF", part)):
        assert isinstance(read(TYPE, form(*parts)), Malformed)


HIDDEN = b"--%b\r\n" % BOUNDARY + field(b"model", b"dear")
FRAMES = {
    "empty": b"",
    "preamble": b"x\r\n" + form(MODEL),
    "empty preamble": b"\r\n" + form(MODEL),
    "epilogue": form(MODEL) + b"x",
    "epilogue lines": form(MODEL) + b"\r\n\r\n",
    "form in the epilogue": form(MODEL) + form(field(b"model")),
    "no end": form(MODEL).removesuffix(b"--\r\n") + b"\r\n",
    "cut": form(MODEL)[:-6],
    "no closing": b"--%b\r\n%b\r\n" % (BOUNDARY, MODEL),
    "bare lf around": form(FILE + b"x\n" + HIDDEN + b"\ny"),
    "bare cr around": form(FILE + b"x\r" + HIDDEN + b"\ry"),
    "without crlf before": form(FILE + b"x" + HIDDEN + b"\r\ny"),
    "blank behind": form(MODEL).replace(BOUNDARY + b"\r\n", BOUNDARY + b" \r\n", 1),
    "letter behind": form(FILE + b"x\r\n--%bx\r\n" % BOUNDARY + field(b"model")),
    "lf behind": form(MODEL).replace(BOUNDARY + b"\r\n", BOUNDARY + b"\n", 1),
    "closed and open again": form(MODEL, b"").replace(BOUNDARY + b"\r\n\r\n", BOUNDARY + b"--\r\n", 1),
    "boundary in a value": form(field(b"x", b"--" + BOUNDARY)),
    "boundary in a name": form(field(b"--" + BOUNDARY)),
}


@pytest.mark.parametrize("body", FRAMES.values(), ids=list(FRAMES))
def test_what_stands_around_the_parts_is_exactly_the_boundaries(body):
    assert isinstance(read(TYPE, body), Malformed)


@pytest.mark.parametrize("content_type", [
    b"", b"multipart/form-data", b"multipart/form-data; boundary=", b'multipart/form-data; boundary=""',
    b"multipart/mixed; boundary=a", b"multipart/form-data; boundary=a; boundary=b",
    b"multipart/form-data; boundary=a b",
    b'multipart/form-data; boundary="a ', b"multipart/form-data; boundary*=utf-8''a",
    b'multipart/form-data; x="; boundary=b"; boundary=a', b"multipart/form-data; boundary=a, multipart/form-data",
    b"multipart/form-data; boundary=" + b"a" * 71, b"multipart/form-data; boundary=" + b"-" * 1_000_000,
    b'multipart/form-data; boundary="a\\"b"', b'multipart/form-data; boundary="a "',
    b"multipart/form-data; boundary=\xff",
    b"application/json", b"multipart/form-data;charset=utf-7;boundary=a",
    b"multipart/form-data; boundary=a; charset=utf-7", b"multipart/form-data; charset=utf-8",
    b"multipart/form-data; boundary=a; charset=utf-8; boundary=b",
])  # fmt: skip
def test_a_content_type_without_one_plain_boundary_is_refused(content_type):
    assert isinstance(read(content_type, b"--a\r\n%b\r\n--a--\r\n" % MODEL), Malformed)


@pytest.mark.parametrize("boundary", [b"a" * 70, b"-", b"-" * 70, b"'()+_,-./:=?", b"a b", b"0"])
def test_every_boundary_of_the_standard_is_read(boundary):
    body = b"--%b\r\n%b\r\n--%b--\r\n" % (boundary, MODEL, boundary)
    assert read(b'multipart/form-data; boundary="%b"' % boundary, body) == Form((Field("model", "whisper-1"),), ())


def test_parts_and_their_sizes_are_bounded():
    assert isinstance(read(TYPE, form(*(field(b"a[]") for _ in range(PARTS_MAX)))), Form)
    assert isinstance(read(TYPE, form(*(field(b"a[]") for _ in range(PARTS_MAX + 1)))), Malformed)
    assert isinstance(read(TYPE, form(field(b"a", b"x" * FIELD_BYTES_MAX))), Form)
    assert isinstance(read(TYPE, form(field(b"a", b"x" * (FIELD_BYTES_MAX + 1)))), Malformed)
    assert isinstance(read(TYPE, form(FILE + b"x" * (FIELD_BYTES_MAX + 1))), Form)
    assert isinstance(read(TYPE, form(b"X: %b\r\n" % (b"y" * PART_HEAD_BYTES_MAX) + MODEL)), Malformed)
    assert isinstance(read(TYPE, form(*(field(b"a%d[%d]" % (n, n)) for n in range(PARTS_MAX)))), Form)


class Counted(bytes):
    """A body that counts how many of its bytes it is asked to look at."""

    looked_at = 0

    def find(self, *arguments):
        start, end = arguments[1:] if len(arguments) > 2 else (0, len(self))
        self.looked_at += min(end, len(self)) - start
        return super().find(*arguments)

    def split(self, *arguments):
        self.looked_at += len(self)
        return super().split(*arguments)

    def __getitem__(self, at):
        found = super().__getitem__(at)
        self.looked_at += len(found)
        return found


@pytest.mark.parametrize(
    "body",
    [
        b"--" + BOUNDARY + b"-" * 2_000_000,
        (b"--" + BOUNDARY) * 60_000,
        (b"\r\n--" + BOUNDARY) * 60_000,
        form(MODEL)[:-4] + b"-" * 2_000_000,
        b"--%b\r\n" % BOUNDARY + b"\r\n" * 1_000_000,
        b"--%b\r\n" % BOUNDARY + b"X: " + b" " * 2_000_000 + b"\x00",
        (b"--%b\r\nX:" % BOUNDARY + b" " * (PART_HEAD_BYTES_MAX - 100) + b"\x00\r\n\r\n\r\n") * PARTS_MAX
        + b"--%b--" % BOUNDARY,
        form(FILE + (b"\r\n--" + BOUNDARY[:-1]) * 60_000),
    ],
    ids=["dashes", "boundaries", "lines", "dashes at the end", "empty lines", "blanks", "blank parts", "near misses"],
)  # fmt: skip
def test_no_body_is_looked_at_more_than_a_few_times(body):
    counted = Counted(body)
    read(TYPE, counted)
    assert counted.looked_at <= 4 * len(body)


def test_a_refusal_quotes_nothing():
    for body in (form(field(b"secret\x00")), b"secret", form(field(b"secret"), field(b"secret"))):
        found = read(TYPE, body)
        assert isinstance(found, Malformed)
        assert "secret" not in found.message


NAMES = st.from_regex(r"[a-z0-9_.\-]{1,20}(\[\])?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)


@given(st.dictionaries(NAMES, TEXTS | st.binary(max_size=50), max_size=8))
def test_what_is_written_plainly_is_read_back(values):
    bases = [name.removesuffix("[]") for name in values]
    parts = [
        field(name.encode(), value.encode())
        if isinstance(value, str)
        else b'Content-Disposition: form-data; name="%b"; filename=""\r\n\r\n%b' % (name.encode(), value)
        for name, value in values.items()
    ]
    body = form(*parts)
    found = read(TYPE, body)
    if len(set(bases)) < len(bases) or "_charset_" in bases:
        assert isinstance(found, Malformed)
        return
    assert isinstance(found, Form)
    assert {field.name: field.value for field in found.fields} | {
        file.name: body[file.start : file.end] for file in found.files
    } == values


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_no_bytes_raise(content_type, body):
    assert isinstance(read(content_type, body), Malformed)


@given(st.lists(st.sampled_from([b"--" + BOUNDARY, b"\r\n", b"--", b": ", MODEL, FILE, b"x", b'"', b";"]), max_size=12))
def test_no_order_of_a_form_s_pieces_raises(pieces):
    found = read(TYPE, b"".join(pieces))
    assert isinstance(found, Form | Malformed)
