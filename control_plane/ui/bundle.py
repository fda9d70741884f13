"""Owns the built files of the web UI: read once, kept in memory, each with the headers that browsers need.

Only what the build wrote is served, by its exact name, so no path can lead outside. Knows no route.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

DIRECTORY: Final = Path(__file__).parent / "dist"
INDEX: Final = "index.html"

_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
# As compress.js writes them, best first.
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
# The names of these hold a hash of what is in them, so what was fetched once is right for ever.
_HASHED: Final = "assets/"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class File(NamedTuple):
    """One file of the build. `encoded` holds it by content encoding, where that is smaller."""

    media_type: str
    body: bytes
    encoded: Mapping[str, bytes]
    headers: Mapping[str, str]


class Sent(NamedTuple):
    """What is sent of a file to one browser."""

    body: bytes
    headers: dict[str, str]


def load(directory: Path = DIRECTORY) -> dict[str, File]:
    """The build's files by their path in it; empty where nothing was built."""
    return dict(_files(directory)) if (directory / INDEX).is_file() else {}


def sent(file: File, accept_encoding: str) -> Sent:
    """The smallest form that the browser takes."""
    accepted = {part.partition(";")[0].strip() for part in accept_encoding.split(",")}
    for encoding, body in file.encoded.items():
        if encoding in accepted:
            return Sent(body, {**file.headers, "content-encoding": encoding})
    return Sent(file.body, dict(file.headers))


def _files(directory: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(directory.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is None or not path.is_file():
            continue
        name = path.relative_to(directory).as_posix()
        yield name, File(media_type, path.read_bytes(), dict(_encoded(path)), _headers(name))


def _encoded(path: Path) -> Iterator[tuple[str, bytes]]:
    for encoding, ending in _ENCODINGS.items():
        beside = path.with_name(path.name + ending)
        if beside.is_file():
            yield encoding, beside.read_bytes()


def _headers(name: str) -> dict[str, str]:
    kept = "public, max-age=31536000, immutable" if name.startswith(_HASHED) else "no-cache"
    # Which document somebody gets depends on whether they show a session.
    vary = "accept-encoding, cookie" if name.endswith(".html") else "accept-encoding"
    return {**_HEADERS, "cache-control": kept, "vary": vary}
