"""What no file of the project may contain, whatever its language."""

import re

import pytest

from tests.tidy.tree import ROOT, files, name

TEXTS = {name(path): path.read_text(errors="replace") for path in files()}

# Written in pieces, so that this file does not contain what it forbids.
FORBIDDEN = {
    "a package registry's address: pin versions and hashes, name no host": re.compile(
        r"\b(py" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js\.org|registry\.yarn" r"pkg\.com|crates" r"\.io"
        r"|proxy\.go" r"lang\.org|repo1\.ma" r"ven\.org|ruby" r"gems\.org|deb\.deb" r"ian\.org)\b"
    ),
    "a path of somebody's machine": re.compile(r"(?<![\w.)}$-])/(?:ro" r"ot|ho" r"me/\w+|Us" r"ers/\w+|wo" r"rk)/\w"),
    "a promise instead of code": re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIV" r"ATE KEY-----"),
    "a merge left unfinished": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
}  # fmt: skip


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_no_file_contains(forbidden):
    pattern = FORBIDDEN[forbidden]
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
        for path, text in TEXTS.items()
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_text_files_end_with_one_newline_and_no_line_ends_in_blanks():
    prose = {path: text for path, text in TEXTS.items() if path.endswith((".md", ".py", ".toml", ".yaml", "Makefile"))}
    wrong = [path for path, text in prose.items() if text and (not text.endswith("\n") or text.endswith("\n\n"))]
    trailing = [path for path, text in prose.items() if re.search(r"[ \t]+$", text, re.MULTILINE)]
    assert (wrong, trailing) == ([], [])


@pytest.mark.parametrize(
    "lock", ["requirements.txt", "requirements-dev.txt", "requirements-model.txt", "requirements-fuzz.txt"]
)
def test_a_lock_file_pins_every_package_by_version_and_hash_alone(lock):
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    assert entries
    assert [
        entry
        for entry in entries
        if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[^\s;]+( ;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry)
    ] == []
